"""Ids and numbers out of text columns, whole columns at a time."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize


def read_ids(table: Table, column: str, prefix: str, collector: SetAsideCollector) -> pa.Array:
    """Ids as strings: surrounding spaces removed (noted), `prefix` put before all that are not empty."""
    raw = table.columns[column]
    ids = pc.utf8_trim_whitespace(raw)
    changed = pc.sum(pc.not_equal(ids, raw)).as_py()
    if changed:
        collector.note(f"{table.file}: spaces around {changed} values of column {column!r} were removed")
    if not prefix:
        return ids
    nothing = pa.scalar("", pa.large_string())
    return pc.if_else(
        pc.equal(ids, ""), nothing, pc.binary_join_element_wise(pa.scalar(prefix, pa.large_string()), ids, nothing)
    )


def holds_nul(array: pa.Array) -> np.ndarray:
    """Boolean mask of the values with a NUL byte, as cut-off and badly copied files have them."""
    return pc.match_substring(array, "\x00").to_numpy(zero_copy_only=False)


def without_zeros(ids: np.ndarray) -> np.ndarray:
    """The ids without leading zeros: what a spreadsheet makes of them."""
    return np.array([id_.lstrip("0") for id_ in ids], dtype=object)


def is_empty(array: pa.Array) -> np.ndarray:
    """Boolean mask of the empty strings."""
    return pc.equal(array, "").to_numpy(zero_copy_only=False)


def read_numbers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(float64 values, mask of the wrong ones). Blank is nan and not wrong; text, NaN, infinity are nan and wrong."""
    text = pc.utf8_trim_whitespace(array)
    is_blank_N = is_empty(text)
    try:
        given = pc.if_else(pa.array(is_blank_N), None, text)
        number_N = pc.cast(given, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # at least one value is no number: read them one by one
        code_N, distinct = factorize(text)
        number = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
        number_N = number.to_numpy(dtype=np.float64, na_value=np.nan)[code_N]
    number_N = np.where(np.isfinite(number_N), number_N, np.nan)
    return number_N, np.isnan(number_N) & ~is_blank_N
