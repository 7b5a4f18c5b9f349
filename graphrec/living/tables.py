"""What people hand over, a file, a data frame or records, as a table of strings like that of any file."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.data.description import InteractionsDescription, ItemsDescription
from graphrec.data.set_aside import SetAsideCollector, require_rows
from graphrec.data.tables.json_lines import table_of_objects
from graphrec.data.tables.parquet import read_parquet
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError

Source = str | Path | pd.DataFrame | Sequence[Mapping[str, Any]]
"""A file as a dataset has them, a data frame, or records by column."""


def table_of(
    source: Source, name: str, description: ItemsDescription | InteractionsDescription, collector: SetAsideCollector
) -> Table:
    """`name` is what messages call what is not a file: "items" or "events".

    Raises GraphRecError where nothing can be read.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise GraphRecError(f"{path} does not exist, or is a folder: give a file of {name}.")
        layout = "table" if description.layout == "log" else description.layout
        table = read_table(path.parent, path.name, collector, layout, description)
    elif isinstance(source, pd.DataFrame):
        table = _of_frame(source, name, collector)
    elif isinstance(source, Iterable) and not isinstance(source, (bytes, Mapping)):
        table = _of_records(list(source), name)
    else:
        kind = type(source).__name__
        raise GraphRecError(f"{name}: expected a file, a data frame or a list of records, got one {kind}.")
    require_rows(table, collector)
    return table


def root_of(source: Source, root: Path | None) -> Path:
    """Where the paths of pictures start: where it is said, or beside the file."""
    return root if root is not None else Path(source).parent if isinstance(source, (str, Path)) else Path()


def _of_frame(frame: pd.DataFrame, name: str, collector: SetAsideCollector) -> Table:
    names = [one for one in frame.index.names if one is not None and one not in frame.columns]
    named = frame.reset_index(names) if names else frame
    buffer = io.BytesIO()
    try:
        named.rename(columns=str).to_parquet(buffer, index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:  # a column of numbers and lists, say
        reason = str(error).splitlines()[0].rstrip(".")
        raise GraphRecError(f"{name}: the data frame cannot be read ({reason}).") from None
    return read_parquet(buffer.getvalue(), name, collector)


def _of_records(records: Sequence[Mapping[str, Any]], name: str) -> Table:
    for number, record in enumerate(records, start=1):
        if not isinstance(record, Mapping):
            raise GraphRecError(f"{name}: row {number} is no record of columns and values, but {record!r:.80}.")
    rows = []
    for number, record in enumerate(records, start=1):
        try:
            rows.append({str(key): _plain(value) for key, value in record.items()})
        except TypeError as error:
            raise GraphRecError(f"{name}: row {number} holds {error}; give texts, numbers, times or lists.") from None
    return table_of_objects(rows, np.arange(1, len(rows) + 1), name)


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's, times as text, what is missing in whatever way as None.

    Raises TypeError for what no file could hold.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [_plain(one) for one in value]
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (date, Decimal)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    raise TypeError(f"a {type(value).__name__}, {value!r:.60}")
