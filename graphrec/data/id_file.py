"""A list of item ids as a file."""

from pathlib import Path

from graphrec.data.set_aside import SetAsideCollector, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects
from graphrec.data.values import read_ids
from graphrec.errors import GraphRecError


def read_item_ids(path: Path) -> list[str]:
    """The ids in a table's `item_id` or only column; blank ones are skipped. Raises GraphRecError where it has none."""
    table = read_table(path.parent, path.name, collector := SetAsideCollector())
    require_rows(table, collector)
    column = next(iter(table.columns)) if len(table.columns) == 1 else "item_id"
    if column not in table.columns:
        raise GraphRecError(f"{table.file} has no column item_id (it has: {', '.join(table.columns)}).")
    return [one for one in to_objects(read_ids(table, column, "", collector)).tolist() if one]
