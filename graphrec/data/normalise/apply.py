"""All that one file's settings say about its values, in order: extract, map, units, currency."""

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from graphrec.data.columns import require_columns
from graphrec.data.normalise.currency import in_currency, warn_of_several_currencies
from graphrec.data.normalise.extraction import extracted
from graphrec.data.normalise.settings import NormaliseSettings
from graphrec.data.normalise.units import in_unit
from graphrec.data.normalise.value_maps import mapped
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError


def normalised(
    table: Table,
    settings: NormaliseSettings,
    columns: Mapping[str, str],
    separators: Mapping[str, str],
    section: str | None,
    collector: SetAsideCollector,
) -> Table:
    """The table with its values as `settings` says.

    A column may be called as in the file or as `columns` (graphrec's name → the file's) does; `separators` are those of
    columns that hold lists. `section` is the part of dataset.yaml that speaks of the file: its columns must be there.
    With None, as for held-out files, settings of absent columns do not count. Raises GraphRecError for an absent column
    and for an extracted one that is there already.
    """
    for name, extraction in settings.extract.items():
        for source in _present(table, extraction.source, columns, section):
            if name in table.columns:
                raise GraphRecError(
                    f"{table.file} has a column {name!r} already; name the one under extract: otherwise."
                )
            table = replace(table, columns=table.columns | extracted(table, source, extraction, name, collector))
    for name, ours in settings.values.items():
        for column in _present(table, name, columns, section):
            separator = table.list_separator.get(column, separators.get(column))
            keep = settings.unmapped.get(name, "keep") == "keep"
            table = _with(table, column, mapped(table, column, ours, separator, keep, collector))
    for name, conversion in settings.units.items():
        for column in _present(table, name, columns, section):
            table = _with(table, column, in_unit(table, column, conversion, collector))
    for name, money in settings.currency.items():
        for column in _present(table, name, columns, section):
            code = None if money.code_column is None else _present(table, money.code_column, columns, section)
            if code != []:
                table = _with(table, column, in_currency(table, column, code[0] if code else None, money, collector))
    warn_of_several_currencies(table, settings, collector)
    return table


def _present(table: Table, name: str, columns: Mapping[str, str], section: str | None) -> list[str]:
    """The column that a setting speaks of, in a list; an empty one where it may be absent and is."""
    column = columns.get(name, name)
    if section is not None:
        require_columns(table, [column], section)
    return [column] if column in table.columns else []


def _with(table: Table, column: str, values: pa.Array) -> Table:
    return replace(table, columns=table.columns | {column: values})
