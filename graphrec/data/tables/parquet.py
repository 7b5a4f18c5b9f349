"""Parquet files as tables of strings."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.delimited import check_header
from graphrec.data.tables.table import LIST_SEPARATOR, Table, to_strings
from graphrec.errors import GraphRecError


def read_parquet(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """Whole numbers become decimal strings, times ISO strings in UTC; columns that hold no plain values are noted."""
    try:
        parquet = pq.ParquetFile(pa.BufferReader(data))
        check_header(parquet.schema_arrow.names, file)
        table = parquet.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise GraphRecError(f"{file}: not a readable parquet file: {str(error).splitlines()[0].rstrip('.')}.") from None
    columns: dict[str, pa.Array] = {}
    lists: dict[str, str] = {}
    skipped = []
    for name in table.column_names:
        type_ = table.schema.field(name).type
        if _is_list(type_):
            if _is_plain(type_.value_type) and not pa.types.is_floating(type_.value_type):
                columns[name], lists[name] = _join(table[name]), LIST_SEPARATOR
                continue
        elif _is_plain(type_):
            try:
                columns[name] = _as_strings(table[name])
                continue
            except pa.ArrowInvalid:  # binary values that are not UTF-8
                pass
        skipped.append(f"{name} ({type_})")
    if skipped:
        collector.note(f"{file}: columns not read: {', '.join(skipped)}")
    return Table(file, np.arange(1, table.num_rows + 1), columns, lists, _discrete(table.schema))


def _discrete(schema: pa.Schema) -> frozenset[str]:
    return frozenset(field.name for field in schema if pa.types.is_dictionary(field.type))


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _is_plain(type_: pa.DataType) -> bool:
    return not (pa.types.is_nested(type_) or pa.types.is_union(type_) or pa.types.is_duration(type_))


def _as_strings(column: pa.ChunkedArray) -> pa.Array:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        column = pc.cast(column, type_.value_type)
    elif pa.types.is_timestamp(type_):
        column = pc.cast(column, pa.timestamp(type_.unit))  # UTC, as the file stores it; without the zone's own offset
    elif pa.types.is_null(type_):
        column = pc.cast(column, pa.string())
    return to_strings(column)


def _join(column: pa.ChunkedArray) -> pa.Array:
    rows = column.to_pylist()
    return to_strings([LIST_SEPARATOR.join(str(value) for value in row or () if value is not None) for row in rows])
