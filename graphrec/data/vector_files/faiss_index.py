"""Vectors out of a FAISS index file, where it keeps them."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.stable_ids import stable_ids
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError

_LOSSLESS = (faiss.IndexFlat, faiss.IndexHNSWFlat, faiss.IndexIVFFlat)


def load_faiss(path: Path, file: str, ids: np.ndarray, ids_file: str, collector: SetAsideCollector) -> VectorRows:
    """What the index reconstructs, float32, each with its id.

    An index that numbers its vectors by row takes `ids` in their order. One with numbers of its own (IDMap) is joined
    by them: as the stable ids of `ids`, or else as row numbers of the table. Vectors that are stored in compressed form
    come back as that form has them, which is noted.

    Raises GraphRecError where the file is no index, cannot reconstruct, or its numbers are not those of the ids.
    """
    index = _read(path, file)
    number_R = faiss.vector_to_array(index.id_map) if isinstance(index, faiss.IndexIDMap) else None
    inner = index if number_R is None else faiss.downcast_index(index.index)
    vectors_RF = _reconstruct(inner, file)
    if not isinstance(inner, _LOSSLESS):
        collector.note(f"{file}: its vectors are stored in compressed form and come back rounded")
    if number_R is not None:
        return VectorRows.in_order(_ids_of(number_R, ids, file, ids_file), vectors_RF)
    if len(ids) != len(vectors_RF):
        raise GraphRecError(f"{file} has {len(vectors_RF)} rows, but {ids_file} names {len(ids)} ids.")
    return VectorRows.in_order(ids, vectors_RF)


def _read(path: Path, file: str) -> Any:
    if not path.is_file():
        raise GraphRecError(f"{file} does not exist under {path.parent}.")
    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        raise GraphRecError(f"{file}: not a readable FAISS index of floats: {_last_words(error)}.") from None


def _reconstruct(index: Any, file: str) -> np.ndarray:
    try:
        return np.asarray(index.reconstruct_n(0, index.ntotal), dtype=np.float32)
    except RuntimeError as error:
        raise GraphRecError(
            f"{file}: this index cannot give its vectors back ({_last_words(error)}); bring them as .npy or parquet."
        ) from None


def _ids_of(number_R: np.ndarray, ids: np.ndarray, file: str, ids_file: str) -> np.ndarray:
    """The id of each of the index's own numbers."""
    by_stable_id = dict(zip(stable_ids(ids).tolist(), ids, strict=True))
    if all(number in by_stable_id for number in number_R.tolist()):
        return np.array([by_stable_id[number] for number in number_R.tolist()], dtype=object)
    if len(number_R) and number_R.min() >= 0 and number_R.max() < len(ids):
        return ids[number_R]
    raise GraphRecError(
        f"{file}: its numbers are neither the rows of {ids_file} nor the stable ids of what that names: name the table "
        "that was written with it."
    )


def _last_words(error: Exception) -> str:
    """FAISS begins with the name of a function and a place in its source."""
    return str(error).splitlines()[0].rpartition(": ")[2].rstrip(".")
