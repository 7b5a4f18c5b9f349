"""Tables that name the item of each row of a matrix."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects
from graphrec.errors import GraphRecError


def read_ids(path: Path, file: str, collector: SetAsideCollector) -> np.ndarray:
    """The column item_id, or id, or the only one, as an object array of strings in the order of the rows.

    Raises GraphRecError where there is no such column, or a row that cannot be read would shift all after it.
    """
    num_before = len(collector)
    table = read_table(path.parent, path.name, collector)
    names = list(table.columns)
    column = names[0] if len(names) == 1 else next((name for name in ("item_id", "id") if name in names), None)
    if column is None:
        raise GraphRecError(f"{file}: expected a column item_id (or a single column), it has: {', '.join(names)}.")
    if len(collector) > num_before or len(table) != (table.row_N[-1] if len(table) else 0):
        raise GraphRecError(
            f"{file}: has blank or unreadable rows, so its ids cannot be matched to the vectors by row."
        )
    return to_objects(pc.utf8_trim_whitespace(table.columns[column]))


def require_as_many(file: str, num_rows: int, ids_file: str, num_ids: int) -> None:
    """Raises GraphRecError where rows and ids differ in number."""
    if num_ids != num_rows:
        raise GraphRecError(f"{file} has {num_rows} rows, but {ids_file} names {num_ids} ids.")
