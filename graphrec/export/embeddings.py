"""Vectors as files that other systems read, with a manifest that says how to score."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.artifact import CONTAINS_FORGOTTEN, Manifest, write_artifact
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.columns import about_rows, write_rows
from graphrec.export.recbole import write_recbole
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import IndexConfig, ItemIndex

Format = Literal["parquet", "npy", "faiss", "recbole"]
IndexIds = Literal["row", "stable"]
"""What a FAISS index calls its vectors: by the row of `item_ids.csv`, or by the stable id that stands there."""

HOW_TO_SCORE = (
    "The score of an item for a user is the inner product of their vectors, computed in float64 and rounded to "
    "float32; more is better, equal scores stand in the order of the item rows."
)
ABOUT_STABLE_IDS = (
    "stable_id: the first 8 bytes of the SHA-256 of the item id's UTF-8 text, big-endian, with the sign bit cleared; "
    "the same on every machine and in every export."
)
_ROWS = 65_536  # of a row group
_Write = Callable[[Path, Embeddings, Embeddings], None]


def export_embeddings(
    items: Embeddings,
    users: Embeddings,
    to: Format,
    out: Path,
    model_version: str,
    index: IndexConfig | None = None,
    forgotten: int = 0,
    index_ids: IndexIds = "row",
) -> Manifest:
    """Write item and user vectors into a new or empty folder, or in place of an earlier export.

    parquet: `items.parquet`, `users.parquet` with columns id, vector, degree, source. npy: `items.npy`, `users.npy`
    (float32, one vector per row) with `item_ids.csv`, `user_ids.csv` (id, degree, source) in the same order. faiss:
    `items.faiss`, whose ids are the rows of `item_ids.csv` or, with `index_ids` "stable", the stable ids there (an
    IndexIDMap2), and the users as for npy; `index` says how it is built. recbole: see `recbole.write_recbole`. Each
    with `manifest.json`. Items have a stable 64-bit id too, in the column `stable_id`. The order of the rows is that of
    the model. `forgotten` are people whose rows left after training; the manifest says how many.

    Raises GraphRecError where the format is unknown, the folder holds something else or an id cannot be written, and
    ValueError where users and items have different dimensions.
    """
    if to not in get_args(Format):
        raise GraphRecError(f'There is no export format "{to}": choose one of {", ".join(get_args(Format))}.')
    if index_ids not in get_args(IndexIds):
        raise GraphRecError(f'There are no index ids "{index_ids}": choose one of {", ".join(get_args(IndexIds))}.')
    if items.dim != users.dim:
        raise ValueError(f"Expected vectors of one dimension, got {items.dim} for items and {users.dim} for users.")
    about: dict[str, Any] = {
        "format": to,
        "counts": {"items": len(items), "users": len(users)},
        "dim": items.dim,
        "metric": "inner product",
        "how_to_score": HOW_TO_SCORE,
        "stable_ids": ABOUT_STABLE_IDS,
        **({"index_ids": index_ids} if to == "faiss" else {}),
        "model_version": model_version,
        **({CONTAINS_FORGOTTEN: forgotten} if forgotten else {}),
    }
    write = _faiss_writer(items, index, index_ids) if to == "faiss" else _WRITERS[to]
    return write_artifact(out, lambda folder: write(folder, items, users), about, kind="export")


def _write_parquet(folder: Path, items: Embeddings, users: Embeddings) -> None:
    _write_table(folder / "items.parquet", items, with_stable_ids=True)
    _write_table(folder / "users.parquet", users, with_stable_ids=False)


def _write_npy(folder: Path, items: Embeddings, users: Embeddings) -> None:
    np.save(folder / "items.npy", items.vectors)
    np.save(folder / "users.npy", users.vectors)
    write_rows(folder, items, users)


def _faiss_writer(items: Embeddings, config: IndexConfig | None, index_ids: IndexIds) -> _Write:
    """The index is built before a folder is made for it."""
    index = ItemIndex.build(items.vectors, config, merge_equal=False).faiss_index
    if index_ids == "stable":
        index = _numbered(index, stable_ids(items.ids))

    def write(folder: Path, items: Embeddings, users: Embeddings) -> None:
        faiss.write_index(index, str(folder / "items.faiss"))
        np.save(folder / "users.npy", users.vectors)
        write_rows(folder, items, users)

    return write


def _numbered(index: Any, numbers_N: np.ndarray) -> Any:
    """The index answering with these numbers in place of its rows; nothing is added a second time."""
    numbered = faiss.IndexIDMap2(faiss.IndexFlat(index.d, index.metric_type))  # it takes none but an empty one
    numbered.index = index
    numbered.ntotal = index.ntotal
    faiss.copy_array_to_vector(numbers_N, numbered.id_map)
    numbered.construct_rev_map()
    numbered.referenced_objects = [index]  # as FAISS itself keeps what an index only points at
    return numbered


_WRITERS: dict[Format, _Write] = {"parquet": _write_parquet, "npy": _write_npy, "recbole": write_recbole}


def _write_table(path: Path, embeddings: Embeddings, with_stable_ids: bool) -> None:
    """The vectors stand after the id; a row group at a time."""
    rows = about_rows(embeddings, with_stable_ids)
    vector = pa.field("vector", pa.list_(pa.float32(), embeddings.dim))
    schema = rows.schema.insert(1, vector)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(embeddings), _ROWS):
            part = embeddings.vectors[start : start + _ROWS]
            values = pa.array(np.ascontiguousarray(part).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(values, embeddings.dim)
            writer.write_table(rows.slice(start, len(part)).add_column(1, vector, vectors))
