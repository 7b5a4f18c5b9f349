"""Vectors that a user brings in place of a modality."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphrec.data.dataset import OwnVectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects, to_strings
from graphrec.data.values import is_empty
from graphrec.errors import GraphRecError

_CHUNK_ROWS = 65_536


def read_own_vectors(
    path: Path, ids_path: Path | None, collector: SetAsideCollector, item_prefix: str = "", root: Path | None = None
) -> OwnVectors:
    """Vectors as float32, with an id each: a .npy (R, F) beside a table of R ids, or parquet with columns id, vector.

    Rows without an id, with NaN or infinite values, of another length, or all zero (which say nothing about their item)
    are set aside. Messages name files relative to `root` (default: by their name alone). Raises GraphRecError where a
    file is missing or not such a table, ids and rows differ in number, an id stands twice, or no row is left.
    """
    file = _shown(path, root)
    if path.suffix == ".npy":
        if ids_path is None:
            raise GraphRecError(
                f"{file}: which item is each row of? Name a table of ids beside it (ids: <file> under vectors:)."
            )
        vectors_RF = _load_npy(path, file)
        ids = _read_ids(ids_path, _shown(ids_path, root), collector)
        if len(ids) != len(vectors_RF):
            raise GraphRecError(
                f"{file} has {len(vectors_RF)} rows, but {_shown(ids_path, root)} names {len(ids)} ids."
            )
        row_R = np.arange(1, len(ids) + 1)
    elif path.suffix == ".parquet":
        ids, vectors_RF, row_R = _load_parquet(path, file, collector)
    else:
        raise GraphRecError(f"{file}: expected vectors as .npy (with ids) or .parquet (columns id, vector).")
    ids = np.array([item_prefix + id_ if id_ else "" for id_ in ids], dtype=object)
    _require_unique(ids, file)
    x_RF, is_kept_R = _usable_rows(vectors_RF, ids, row_R, file, collector)
    if not is_kept_R.any():
        raise GraphRecError(
            f"{file}: none of its {len(ids)} vectors can be used; main reason: {collector.main_reason(file)}."
        )
    return OwnVectors(ids=ids[is_kept_R], x_RF=x_RF if is_kept_R.all() else x_RF[is_kept_R])


def _shown(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name


def _load_npy(path: Path, file: str) -> np.ndarray:
    try:
        vectors_RF = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise GraphRecError(f"{file} does not exist under {path.parent}.") from None
    except (OSError, ValueError, EOFError) as error:
        raise GraphRecError(
            f"{file}: not a readable .npy array of numbers: {str(error).splitlines()[0].rstrip('.')}."
        ) from None
    if not isinstance(vectors_RF, np.ndarray) or vectors_RF.ndim != 2 or vectors_RF.dtype.kind != "f":
        shape, dtype = getattr(vectors_RF, "shape", "?"), getattr(vectors_RF, "dtype", "?")
        raise GraphRecError(f"{file}: expected floats of shape (rows, features), got {dtype} of shape {shape}.")
    return vectors_RF


def _read_ids(path: Path, file: str, collector: SetAsideCollector) -> np.ndarray:
    num_before = len(collector)
    table = read_table(path.parent, path.name, collector)
    names = list(table.columns)
    column = names[0] if len(names) == 1 else next((name for name in ("item_id", "id") if name in names), None)
    if column is None:
        raise GraphRecError(f"{file}: expected a column item_id (or a single column), it has: {', '.join(names)}.")
    if len(collector) > num_before or len(table) != (table.row_N[-1] if len(table) else 0):
        # A row that cannot be read would shift every vector after it.
        raise GraphRecError(
            f"{file}: has blank or unreadable rows, so its ids cannot be matched to the vectors by row."
        )
    return to_objects(pc.utf8_trim_whitespace(table.columns[column]))


def _load_parquet(path: Path, file: str, collector: SetAsideCollector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise GraphRecError(f"{file} does not exist under {path.parent}.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise GraphRecError(f"{file}: not a readable parquet file: {str(error).splitlines()[0].rstrip('.')}.") from None
    id_column = next((name for name in ("id", "item_id") if name in table.column_names), None)
    if id_column is None or "vector" not in table.column_names:
        raise GraphRecError(
            f"{file}: expected columns id (or item_id) and vector, it has: {', '.join(table.column_names)}."
        )
    column = table["vector"]
    if not (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        raise GraphRecError(f"{file}: expected lists of numbers in column vector, got {column.type}.")
    if not (pa.types.is_floating(column.type.value_type) or pa.types.is_integer(column.type.value_type)):
        raise GraphRecError(f"{file}: expected lists of numbers in column vector, got {column.type}.")
    if table.num_rows == 0:
        raise GraphRecError(f"{file} has no rows.")
    ids = to_objects(pc.utf8_trim_whitespace(to_strings(_plain(table[id_column]))))
    length_R = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    num_features = int(np.bincount(length_R).argmax())
    is_odd_R = length_R != num_features
    row_R = np.arange(1, len(ids) + 1)
    for length in np.unique(length_R[is_odd_R]):
        is_this_R = length_R == length
        collector.add(
            file, row_R[is_this_R], "vector", ids[is_this_R], f"expected {num_features} numbers, got {length}"
        )
    if num_features == 0:
        raise GraphRecError(f"{file}: most of its vectors are empty.")
    flat = pc.list_flatten(column.filter(pa.array(~is_odd_R))).combine_chunks()
    flat = np.concatenate([np.empty(0), *(c.to_numpy(zero_copy_only=False) for c in getattr(flat, "chunks", [flat]))])
    return ids[~is_odd_R], flat.reshape(-1, num_features), row_R[~is_odd_R]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column


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
