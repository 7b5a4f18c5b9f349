"""RecBole's atomic files with embeddings, such as `shop.itememb`: `iid:token`, tab, `item_emb:float_seq`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.delimited import read_unquoted
from graphrec.data.tables.table import Table, to_objects
from graphrec.data.vector_files.lists import matrix_of_lists
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError


def load_atomic(path: Path, file: str, collector: SetAsideCollector) -> VectorRows:
    """The only token column as ids, the only float_seq column as vectors, float64; numbers are separated by spaces.

    The suffix is the user's choice in RecBole, so the header decides. Text that is no number becomes nan. Raises
    GraphRecError where the file is missing or its header names no such columns.
    """
    table = _read(path, file, collector)
    id_column, vector_column = _only(table, "token", file), _only(table, "float_seq", file)
    if not len(table):
        raise GraphRecError(f"{file} has no rows.")
    ids = to_objects(pc.utf8_trim_whitespace(table.columns[id_column]))
    lists = _numbers(table.columns[vector_column])
    return matrix_of_lists(ids, lists, table.row_N, file, collector, vector_column.rpartition(":")[0])


def is_atomic(path: Path) -> bool:
    """Whether the first line declares a column of number lists, as RecBole's files do."""
    try:
        with path.open("rb") as lines:
            return b":float_seq" in lines.readline(1 << 16)
    except OSError:
        return False


def _read(path: Path, file: str, collector: SetAsideCollector) -> Table:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GraphRecError(f"{file} does not exist under {path.parent}.") from None
    except OSError as error:
        raise GraphRecError(f"{file}: cannot be read: {error.strerror or error}.") from None
    return read_unquoted(data, file, collector, "\t")


def _only(table: Table, type_: str, file: str) -> str:
    names = [name for name in table.columns if name.rpartition(":")[2] == type_]
    if len(names) != 1:
        have = ", ".join(table.columns)
        raise GraphRecError(f"{file}: expected one column of type {type_} in its header (name:type), it has: {have}.")
    return names[0]


def _numbers(texts: pa.Array) -> pa.ChunkedArray:
    """Lists of float64; null where there is no number at all."""
    texts = pc.utf8_trim_whitespace(texts)
    lists = pc.utf8_split_whitespace(pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts))
    words = pc.list_flatten(lists)
    try:
        numbers = pc.cast(words, pa.float64())
    except pa.ArrowInvalid:  # at least one word is no number: it becomes nan, and its row is set aside as such
        coerced = pd.to_numeric(pd.Series(to_objects(words)), errors="coerce")
        numbers = pa.array(coerced.to_numpy(dtype=np.float64), pa.float64(), from_pandas=False)
    length_R = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(length_R)]).astype(np.int64))
    return pa.chunked_array([pa.LargeListArray.from_arrays(offsets, numbers)])
