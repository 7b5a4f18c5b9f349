"""Collecting the rows that cannot be used while files are read, and writing them out for a person to put right."""

import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.atomic_file import replacing
from graphrec.data.dataset import SetAside
from graphrec.data.tables.table import Table
from graphrec.disk import why_not_written
from graphrec.errors import GraphRecError

_COLUMNS = ["file", "row", "column", "value", "reason"]
NOT_KEPT = "(not kept)"
"""In place of a value that may be somebody's id."""


class SetAsideCollector:
    """Grows while files are read; `finish` gives the frozen `SetAside`."""

    def __init__(self) -> None:
        self._rows: list[pd.DataFrame] = []
        self._left_out: Counter[str] = Counter()
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._without_values: set[str] = set()

    def keep_no_values_of(self, file: str) -> None:
        """Rows of this file are reported by their number from now on, without what stands in them."""
        self._without_values.add(posixpath.normpath(file))

    def __len__(self) -> int:
        return sum(len(frame) for frame in self._rows)

    def add(
        self, file: str, row: Sequence[int] | np.ndarray, column: str, value: Sequence[str] | np.ndarray, reason: str
    ) -> None:
        """Report rows of `file` (counted from 1) whose `column` holds `value`."""
        if len(row):
            value = [NOT_KEPT] * len(row) if posixpath.normpath(file) in self._without_values else value
            self._rows.append(
                pd.DataFrame({"file": file, "row": row, "column": column, "value": value, "reason": reason})
            )

    def report(self, table: Table, is_reported_N: np.ndarray, column: str, reason: str) -> None:
        """Report rows of a table under a mask; they stay in the table."""
        if is_reported_N.any():
            values = table.columns[column].filter(pa.array(is_reported_N)).to_pylist()
            self.add(table.file, table.row_N[is_reported_N], column, values, reason)

    def leave_out(self, reason: str, count: int) -> None:
        """Count rows that the description asked to leave out."""
        if count:
            self._left_out[reason] += count

    def note(self, line: str) -> None:
        """Keep a line that a user should read; the same line twice is kept once."""
        if line not in self._notes:
            self._notes.append(line)

    def warn(self, line: str) -> None:
        """Keep a line that a user should act on; the same line twice is kept once."""
        if line not in self._warnings:
            self._warnings.append(line)

    def main_reason(self, file: str) -> str:
        """The most frequent reason among the rows of `file`, with its count and an example; "" where there is none."""
        frames = [frame for frame in self._rows if len(frame) and frame["file"].iloc[0] == file]
        if not frames:
            return ""
        reasons: Counter[str] = Counter()
        for frame in frames:
            reasons[frame["reason"].iloc[0]] += len(frame)
        reason, count = reasons.most_common(1)[0]
        first = next(frame for frame in frames if frame["reason"].iloc[0] == reason).iloc[0]
        return f"{reason} ({count} rows; row {first['row']}, column {first['column'] or '-'}: {first['value']!r})"

    def finish(self) -> SetAside:
        """Everything collected, rows in the order of reading: by file, then by row.

        What was reported twice, of a file that is read twice, stands there once.
        """
        told: dict[str, Any] = {
            "left_out": dict(self._left_out),
            "notes": tuple(self._notes),
            "warnings": tuple(self._warnings),
        }
        if not self._rows:
            return SetAside(**told)
        rows = pd.concat(self._rows, ignore_index=True)[_COLUMNS]
        is_again = rows.assign(file=rows["file"].map(posixpath.normpath)).duplicated()
        rows = rows[~is_again].reset_index(drop=True)
        file_order = pd.factorize(rows["file"])[0]
        rows = rows.iloc[np.lexsort((rows["row"], file_order))].reset_index(drop=True)
        return SetAside(rows=rows, **told)


class Sieve:
    """The rows of one table that are still in use; each row leaves with the first reason that applies to it."""

    def __init__(self, table: Table, collector: SetAsideCollector) -> None:
        self.table = table
        self.keep_N = np.ones(len(table), dtype=bool)
        self._collector = collector
        self._left_out: Counter[str] = Counter()

    def set_aside(self, is_bad_N: np.ndarray, column: str, reason: str) -> None:
        """Report the rows under the mask that are still in use, and drop them."""
        self._collector.report(self.table, is_bad_N & self.keep_N, column, reason)
        self.keep_N &= ~is_bad_N

    def leave_out(self, is_out_N: np.ndarray, reason: str) -> None:
        """Count the rows under the mask that are still in use, and drop them."""
        count = int((is_out_N & self.keep_N).sum())
        self._left_out[reason] += count
        self._collector.leave_out(reason, count)
        self.keep_N &= ~is_out_N

    def require_rows(self) -> None:
        """Raise GraphRecError where no row is left, with the main reason."""
        if self.keep_N.any():
            return
        require_rows(self.table, self._collector)
        reason = self._collector.main_reason(self.table.file)
        if self._left_out.total() * 2 > len(self.table) or not reason:
            left_out, count = self._left_out.most_common(1)[0]
            reason = f"left out: {left_out} ({count} rows)"
        raise GraphRecError(
            f"{self.table.file}: none of its {len(self.table)} rows can be used; main reason: {reason}."
        )


def require_rows(table: Table, collector: SetAsideCollector, advice: str = "") -> None:
    """Raise GraphRecError for a table without rows: the file has none (then with the advice), or none can be read."""
    if len(table):
        return
    reason = collector.main_reason(table.file)
    raise GraphRecError(
        f"{table.file}: none of its rows can be read; main reason: {reason}."
        if reason
        else f"{table.file} has no rows{advice}."
    )


def write_set_aside(set_aside: SetAside, path: Path) -> None:
    """Write the rows as CSV (file, row, column, value, reason), whole or not at all; makes the folder where needed.

    Raises GraphRecError where the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as scratch:
            set_aside.rows.to_csv(scratch, index=False)
    except OSError as error:
        raise GraphRecError(f"{path} cannot be written: {why_not_written(error)}.") from None


def read_set_aside(path: Path) -> pd.DataFrame:
    """The rows that `write_set_aside` wrote, every value as it was."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows.assign(row=rows["row"].astype(np.int64))
