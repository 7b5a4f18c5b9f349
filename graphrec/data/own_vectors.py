"""Vectors that a user brings in place of a modality."""

from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.dataset import OwnVectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import to_strings
from graphrec.data.values import is_empty
from graphrec.data.vector_files.atomic import is_atomic, load_atomic
from graphrec.data.vector_files.clip_retrieval import METADATA, is_parts, load_parts
from graphrec.data.vector_files.exported import is_export, load_exported, manifest_beside, with_ids
from graphrec.data.vector_files.ids import read_ids
from graphrec.data.vector_files.npy import load_npy
from graphrec.data.vector_files.parquet import load_parquet
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError

_CHUNK_ROWS = 65_536
_FAISS_SUFFIXES = (".faiss", ".index")


def read_own_vectors(
    path: Path, ids_path: Path | None, collector: SetAsideCollector, item_prefix: str = "", root: Path | None = None
) -> OwnVectors:
    """Vectors as float32, with an id each, from a file or folder in one of these layouts:

    - `.npy`, a matrix (R, F), or a FAISS index (`.faiss`, `.index`), beside a table of R ids;
    - `.parquet` with columns id (or item_id) and vector;
    - an atomic file of RecBole, such as `.itememb`;
    - a folder that `graphrec export` wrote, in any of its formats for files;
    - a folder of clip-retrieval, `img_emb` or `text_emb`, with `metadata` beside it.

    Rows without an id, with NaN or infinite values, of another length, or all zero (which say nothing about their item)
    are set aside. Messages name files relative to `root` (default: by their name alone). Raises GraphRecError where a
    file is missing, changed since it was exported, or not such a table, ids and rows differ in number or are of two
    exports, an id stands twice, or no row is left.
    """
    file = _shown(path, root)
    model_version = _model_version(path, ids_path, root)
    rows = _load(path, ids_path, collector, root)
    ids = np.array([item_prefix + id_ if id_ else "" for id_ in rows.ids], dtype=object)
    _require_unique(ids, file)
    x_RF, is_kept_R = _usable_rows(rows.vectors_RF, ids, rows.row_R, file, collector)
    if not is_kept_R.any():
        raise GraphRecError(
            f"{file}: none of its {len(ids)} vectors can be used; main reason: {collector.main_reason(file)}."
        )
    kept = slice(None) if is_kept_R.all() else is_kept_R
    return OwnVectors(ids=ids[kept], x_RF=x_RF[kept], model_version=model_version)


def require_one_model(vectors: dict[str, OwnVectors]) -> None:
    """Raises GraphRecError where some were exported from one model and some from another.

    Each training has a space of its own, and what two of them say of an item does not belong together.
    """
    exported = {name: one.model_version for name, one in vectors.items() if one.model_version is not None}
    if len(set(exported.values())) > 1:
        told = ", ".join(f"{name} of {version}" for name, version in exported.items())
        raise GraphRecError(f"vectors: exported from two models ({told}); export all of them from one run.")


def _load(path: Path, ids_path: Path | None, collector: SetAsideCollector, root: Path | None) -> VectorRows:
    file = _shown(path, root)
    if path.is_dir():
        return _load_folder(path, ids_path, file, collector)
    if path.suffix == ".parquet":
        return load_parquet(path, file, collector)
    if is_atomic(path):
        return load_atomic(path, file, collector)
    if path.suffix != ".npy" and path.suffix not in _FAISS_SUFFIXES:
        raise GraphRecError(
            f"{file}: expected vectors as .npy or {' or '.join(_FAISS_SUFFIXES)} (with ids), .parquet (columns id, "
            "vector), a RecBole file with a float_seq column, or a folder of graphrec export or clip-retrieval."
        )
    if ids_path is None:
        raise GraphRecError(
            f"{file}: which item is each row of? Name a table of ids beside it (ids: <file> under vectors:)."
        )
    ids_file = _shown(ids_path, root)
    if path.suffix == ".npy":
        vectors_RF = load_npy(path, file)
        return with_ids(vectors_RF, file, read_ids(ids_path, ids_file, collector), ids_file)
    from graphrec.data.vector_files.faiss_index import load_faiss  # most data come without an index

    return load_faiss(path, file, read_ids(ids_path, ids_file, collector), ids_file, collector)


def _load_folder(path: Path, ids_path: Path | None, file: str, collector: SetAsideCollector) -> VectorRows:
    if is_export(path):
        return load_exported(path, file, collector)
    if is_parts(path):
        return load_parts(path, file, ids_path or path.parent / METADATA)
    raise GraphRecError(
        f"{file}: expected a folder of graphrec export (with its manifest.json) or of clip-retrieval (img_emb or "
        "text_emb, with .npy files)."
    )


def _model_version(path: Path, ids_path: Path | None, root: Path | None) -> str | None:
    """Of the export that the vectors come from, whose files are checked; None where they come from elsewhere."""
    manifest, ids_manifest = manifest_beside(path), None if ids_path is None else manifest_beside(ids_path)
    version = None if manifest is None else manifest.about.get("model_version")
    if manifest is not None and ids_manifest is not None and ids_manifest.about.get("model_version") != version:
        files = f"{_shown(path, root)} and {_shown(ids_path, root)}"
        raise GraphRecError(f"{files} were exported from two models: name files of one export.")
    return version


def _shown(path: Path | None, root: Path | None) -> str:
    if path is None:
        return ""
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name


def _require_unique(ids: np.ndarray, file: str) -> None:
    index = pd.Index(ids, dtype=object)
    is_again = index.duplicated() & (ids != "")
    if is_again.any():
        raise GraphRecError(f"{file}: id {ids[is_again][0]!r} stands twice; one vector per item, please.")


def _usable_rows(
    vectors_RF: np.ndarray, ids: np.ndarray, row_R: np.ndarray, file: str, collector: SetAsideCollector
) -> tuple[np.ndarray, np.ndarray]:
    x_RF = np.empty(vectors_RF.shape, dtype=np.float32)
    is_finite_R = np.empty(len(x_RF), dtype=bool)
    for start in range(0, len(x_RF), _CHUNK_ROWS):  # the file may be larger than what should be held twice
        rows = slice(start, start + _CHUNK_ROWS)
        with np.errstate(over="ignore"):
            x_RF[rows] = vectors_RF[rows]
        is_finite_R[rows] = np.isfinite(x_RF[rows]).all(axis=1)
    is_zero_R = ~x_RF.any(axis=1)
    is_nameless_R = is_empty(to_strings(ids))
    reasons = (
        (is_nameless_R, "empty item id"),
        (~is_finite_R, "the vector holds NaN or infinite values; it counts as missing"),
        (is_zero_R, "the vector is all zero; it counts as missing"),
    )
    is_kept_R = np.ones(len(x_RF), dtype=bool)
    for is_bad_R, reason in reasons:
        is_reported_R = is_bad_R & is_kept_R
        collector.add(file, row_R[is_reported_R], "vector", ids[is_reported_R], reason)
        is_kept_R &= ~is_bad_R
    return x_RF, is_kept_R
