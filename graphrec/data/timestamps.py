"""Points in time out of text columns, in seconds since 1970 (UTC)."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.tables.table import factorize
from graphrec.data.values import is_empty, read_numbers

EXPECTED = "not a time: expected epoch seconds or milliseconds, or an ISO date such as 2024-05-31"

_FIRST, _LAST = -62_135_596_800.0, 253_402_300_800.0
"""The years 1 to 9999: what a calendar can show."""

# In seconds, 1e11 is the year 5138; in milliseconds it is 1973. The same gap separates the finer units.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def read_timestamps(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(float64 seconds since 1970 UTC, mask of the wrong values). Blank is nan and not wrong.

    One reading for the whole column, by what most of it is: eight digits that are dates (20240531), numbers (epoch
    seconds, milli-, micro- or nanoseconds, told apart by the median), or ISO 8601, UTC where no zone is named.
    """
    text = pc.utf8_trim_whitespace(array)
    is_given_N = ~is_empty(text)
    number_N, is_no_number_N = read_numbers(text)
    if _most(is_no_number_N, is_given_N):
        second_N = _dates(text, r"^\d{4}-\d\d(-|$)", "ISO8601")
    elif _most(pc.match_substring_regex(text, r"^(19|20)\d{6}$").to_numpy(zero_copy_only=False), is_given_N):
        second_N = _dates(text, r"^(19|20)\d{6}$", "%Y%m%d")
    else:
        second_N = number_N / _divisor(number_N)
    second_N = np.where((second_N >= _FIRST) & (second_N < _LAST), second_N, np.nan)
    return second_N, np.isnan(second_N) & is_given_N


def _most(is_such_N: np.ndarray, is_given_N: np.ndarray) -> bool:
    return bool((is_such_N & is_given_N).sum() * 2 > is_given_N.sum())


def _divisor(number_N: np.ndarray) -> float:
    """How many of the column's units make a second."""
    given = np.abs(number_N[~np.isnan(number_N)])
    median = float(np.median(given)) if len(given) else 0.0
    return next((divisor for above, divisor in _UNITS if median >= above), 1.0)


def _dates(text: pa.Array, pattern: str, format: str) -> np.ndarray:
    """Seconds of the values that match the pattern and are dates; nan for the others.

    The pattern keeps out words that pandas would read as a time, such as "now".
    """
    code_N, distinct = factorize(text)
    matches = pd.Series(distinct, dtype=object).str.contains(pattern.replace("(", "(?:"), regex=True).astype(bool)
    moment = pd.to_datetime(
        pd.Series(distinct, dtype=object).where(matches, None), format=format, utc=True, errors="coerce"
    )
    return ((moment - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy(dtype=np.float64)[code_N]
