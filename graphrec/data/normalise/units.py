"""Numeric columns in one unit."""

import numpy as np
import pyarrow as pa

from graphrec.data.normalise.numbers import split_number
from graphrec.data.normalise.settings import UnitConversion
from graphrec.data.normalise.unit_table import UNITS, factor_between, unit_called
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize, to_strings

_MISSING = "the value counts as missing, the row stays"


def in_unit(table: Table, column: str, conversion: UnitConversion, collector: SetAsideCollector) -> pa.Array:
    """The column as plain numbers in the unit `to`; what cannot be converted is reported and counts as missing."""
    code_N, distinct = factorize(table.text(column))
    converted = [_convert(text, conversion) if text else "" for text in distinct]
    reason_N = np.array([None if isinstance(one, str) else one.reason for one in converted], dtype=object)[code_N]
    for reason in dict.fromkeys(reason for reason in reason_N if reason is not None):
        collector.report(table, reason_N == reason, column, f"{reason}; {_MISSING}")
    return to_strings(np.array([one if isinstance(one, str) else "" for one in converted], dtype=object)[code_N])


class _Refusal:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _convert(text: str, conversion: UnitConversion) -> "str | _Refusal":
    split = split_number(text)
    if split is None:
        return _Refusal("not one number (with a unit or without)")
    number, name = split
    if conversion.to is None:
        return _Refusal("not a plain number") if name else repr(number * (conversion.factor or 1.0))
    unit = unit_called(name) if name else conversion.source
    if unit is None:
        return _Refusal(f"unknown unit {name!r}" if name else "no unit, and no from: under units in dataset.yaml")
    if UNITS[unit][0] != UNITS[conversion.to][0]:
        return _Refusal(f"{unit} is no {UNITS[conversion.to][0]}")
    return repr(number * factor_between(unit, conversion.to))
