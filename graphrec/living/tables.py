"""What people hand over, a file, a data frame or records, as a table of strings like that of any file."""

import io
from collections.abc import Mapping, Sequence
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
    else:
        table = _of_records(source, name)
    require_rows(table, collector)
    return table


def root_of(source: Source, root: Path | None) -> Path:
    """Where the paths of pictures start: where it is said, or beside the file."""
    return root if root is not None else Path(source).parent if isinstance(source, (str, Path)) else Path()


def _of_frame(frame: pd.DataFrame, name: str, collector: SetAsideCollector) -> Table:
    named = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    buffer = io.BytesIO()
    try:
        named.rename(columns=str).to_parquet(buffer, index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:  # such as a column of numbers and lists
        reason = str(error).splitlines()[0].rstrip(".")
        raise GraphRecError(f"{name}: the data frame cannot be read ({reason}).") from None
    return read_parquet(buffer.getvalue(), name, collector)


def _of_records(records: Sequence[Mapping[str, Any]], name: str) -> Table:
    for number, record in enumerate(records, start=1):
        if not isinstance(record, Mapping):
            raise GraphRecError(f"{name}: row {number} is no record of columns and values, but {record!r:.80}.")
    rows = [{str(key): _plain(value) for key, value in record.items()} for record in records]
    return table_of_objects(rows, np.arange(1, len(rows) + 1), name)


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's; what is missing in pandas' ways as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (tuple, set, np.ndarray)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and np.isnan(value):
        return None
    return str(value) if isinstance(value, pd.Timestamp) else value
