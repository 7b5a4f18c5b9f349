"""Parquet tables with a column of ids and a column of vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import to_objects, to_strings
from graphrec.data.vector_files.lists import matrix_of_lists
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError


def load_parquet(path: Path, file: str, collector: SetAsideCollector) -> VectorRows:
    """Columns id (or item_id) and vector, a list of numbers per row; others are not looked at.

    Raises GraphRecError where the file is missing, no such table, or without rows.
    """
    table = open_parquet(path, file)
    id_column = next((name for name in ("id", "item_id") if name in table.column_names), None)
    if id_column is None or "vector" not in table.column_names:
        raise GraphRecError(
            f"{file}: expected columns id (or item_id) and vector, it has: {', '.join(table.column_names)}."
        )
    column = table["vector"]
    if not _is_list_of_numbers(column.type):
        raise GraphRecError(f"{file}: expected lists of numbers in column vector, got {column.type}.")
    if table.num_rows == 0:
        raise GraphRecError(f"{file} has no rows.")
    ids = to_objects(pc.utf8_trim_whitespace(to_strings(_plain(table[id_column]))))
    return matrix_of_lists(ids, column, np.arange(1, len(ids) + 1), file, collector, "vector")


def open_parquet(path: Path, file: str) -> pa.Table:
    """All of a table. Raises GraphRecError where the file is missing or no parquet."""
    try:
        return pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise GraphRecError(f"{file} does not exist under {path.parent}.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise GraphRecError(f"{file}: not a readable parquet file: {str(error).splitlines()[0].rstrip('.')}.") from None


def _is_list_of_numbers(type_: pa.DataType) -> bool:
    is_list = pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    return is_list and (pa.types.is_floating(type_.value_type) or pa.types.is_integer(type_.value_type))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column
