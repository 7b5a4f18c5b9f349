"""Vectors remembered by content: each picture and text goes through the model once, on whatever day that was."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.segments import (
    KEY,
    DamagedSegmentError,
    delete_unfinished,
    make_rows,
    map_segment,
    read_segment,
    row_dtype,
    segment_paths,
    write_segment,
)

FLUSH_SECONDS = 5.0
"""What a killed encode loses at most, in time."""
FLUSH_VECTORS = 4_096
"""What it loses at most, in vectors."""
_ROWS_AT_ONCE = 8_192
_TRIES = 20


class KeyIndex:
    """The row of each key, among the rows that were there when the index was made."""

    def __init__(self, key_R: np.ndarray) -> None:
        self._row_R = np.argsort(key_R, kind="stable")
        self._sorted_R = key_R[self._row_R]

    def find(self, key_N: np.ndarray) -> np.ndarray:
        """Row of each key, -1 where there is none."""
        if not len(self._row_R):
            return np.full(len(key_N), -1)
        place_N = np.minimum(np.searchsorted(self._sorted_R, key_N), len(self._row_R) - 1)
        return np.where(self._sorted_R[place_N] == key_N, self._row_R[place_N], -1)

    def __contains__(self, key: bytes) -> bool:
        place = np.searchsorted(self._sorted_R, np.bytes_(key))
        # NumPy keeps zero bytes at the end of such a string, but does not show them.
        return bool(place < len(self._sorted_R) and self._sorted_R[place] == key.rstrip(b"\0"))


class VectorCache:
    """The vectors of one model and preprocessing, in a folder of segments; without a folder, in memory.

    Several processes may read and write one folder: each sees what was there when it opened it, and its own.
    Vectors are float32, as the model made them, so that a result does not depend on whether it came from here.
    """

    def __init__(self, folder: Path | None, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self.damaged: tuple[str, ...] = ()
        """Segments that were left out, and why; what was in them is encoded again."""
        self._damaged_paths: list[Path] = []
        self._segments, self._paths = self._read_all()
        self._pending: list[np.ndarray] = []
        self._last_flush = time.monotonic()

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows())

    def index(self) -> KeyIndex:
        """Of every row that is there now. Two rows of one key hold vectors of one content; the first is found."""
        return KeyIndex(np.concatenate([np.empty(0, KEY), *(rows["key"] for rows in self._rows())]))

    def take(self, row_N: np.ndarray) -> np.ndarray:
        """N × D float32, for rows that an index found."""
        return self._column("vector", np.empty((len(row_N), self.dim), dtype=np.float32), row_N)

    def are_cut(self, row_N: np.ndarray) -> np.ndarray:
        """Which of these rows are of texts that the model read the beginning of only."""
        return self._column("is_cut", np.empty(len(row_N), dtype=np.uint32), row_N) > 0

    def add(self, key_N: np.ndarray, x_ND: np.ndarray, is_cut_N: np.ndarray) -> None:
        """Remember N vectors; they reach the disk within `FLUSH_SECONDS` of work or `FLUSH_VECTORS` vectors."""
        self._pending.append(make_rows(key_N, x_ND, is_cut_N))
        is_due = time.monotonic() - self._last_flush >= FLUSH_SECONDS
        if is_due or sum(map(len, self._pending)) >= FLUSH_VECTORS:
            self.flush()

    def flush(self) -> None:
        """Put what was added onto the disk. Raises GraphRecError where the folder cannot be written."""
        self._last_flush = time.monotonic()
        if not self._pending:
            return
        rows = np.concatenate(self._pending)
        if self.folder is not None and len(rows):
            path = self._write([rows])
            with suppress(FileNotFoundError):  # another process has merged it away already: the rows stay in memory
                rows = map_segment(path, self.dim)  # what is on disk need not be held in memory as well
                self._paths.append(path)
        if len(rows):
            self._segments.append(rows)
        self._pending = []

    def require_writable(self) -> None:
        """Raise GraphRecError where nothing could be written: better before the first hour of encoding than after."""
        if self.folder is not None:
            self._write([np.empty(0, row_dtype(self.dim))]).unlink(missing_ok=True)

    def merge(self, at_least: int = 2) -> None:
        """Join the segments into one where there are `at_least` so many; damaged ones are deleted.

        A key that stands in several is kept once. Other processes may go on reading and writing meanwhile.
        """
        self.flush()
        if self.folder is None or len(self._paths) < at_least:
            return
        merged = self._write(self._without_repeats())
        for path in {*self._paths, *self._damaged_paths} - {merged}:
            with suppress(OSError):  # another process merges as well
                path.unlink()
        try:
            self._segments, self._paths = [map_segment(merged, self.dim)], [merged]
        except FileNotFoundError:  # another process has merged this one away already
            damaged = self.damaged
            self._segments, self._paths = self._read_all()
            self.damaged = tuple(dict.fromkeys(damaged + self.damaged))
        delete_unfinished(self.folder)

    def has_counterpart_in(self, cache: Path) -> bool:
        """Whether another cache holds anything of the same model and preprocessing."""
        return self.folder is not None and bool(segment_paths(cache / self.folder.name))

    def take_over(self, cache: Path) -> int:
        """Add what another cache holds of the same model and preprocessing and this one does not; how many vectors."""
        if self.folder is None:
            return 0
        other = VectorCache(cache / self.folder.name, self.dim)
        self.damaged += other.damaged
        index, num_before = self.index(), len(self)
        for rows, is_first_R in other._segments_and_firsts():
            is_new_R = is_first_R & (index.find(rows["key"]) < 0)
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                self._pending.append(rows[some][is_new_R[some]])
                self.flush()
        return len(self) - num_before

    def _without_repeats(self) -> list[np.ndarray]:
        return [rows if is_first_R.all() else rows[is_first_R] for rows, is_first_R in self._segments_and_firsts()]

    def _segments_and_firsts(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each segment, and which of its rows are the first of their key."""
        index, start = self.index(), 0
        for rows in self._segments:
            yield rows, index.find(rows["key"]) == np.arange(start, start + len(rows))
            start += len(rows)

    def _read_all(self) -> tuple[list[np.ndarray], list[Path]]:
        for _ in range(_TRIES):
            try:
                return self._read(segment_paths(self.folder) if self.folder else [])
            except FileNotFoundError:  # another process has merged the segments since they were listed
                continue
            except OSError as error:
                raise GraphRecError(f"The vector cache {self.folder} cannot be read ({_said(error)}).") from None
        raise GraphRecError(f"The vector cache {self.folder} changes faster than it can be read: try again.")

    def _read(self, paths: list[Path]) -> tuple[list[np.ndarray], list[Path]]:
        segments, whole, damaged = [], [], {}
        for path in paths:
            try:
                segments.append(read_segment(path, self.dim))
                whole.append(path)
            except DamagedSegmentError as error:
                damaged[path] = str(error)
        self.damaged, self._damaged_paths = tuple(damaged.values()), list(damaged)
        return segments, whole

    def _column(self, name: str, out: np.ndarray, row_N: np.ndarray) -> np.ndarray:
        start = 0
        for rows in self._rows():
            here = np.flatnonzero((row_N >= start) & (row_N < start + len(rows)))
            out[here] = rows[name][row_N[here] - start]
            start += len(rows)
        return out

    def _rows(self) -> list[np.ndarray]:
        return [*self._segments, *self._pending]

    def _write(self, parts: list[np.ndarray]) -> Path:
        assert self.folder is not None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return write_segment(self.folder, parts)
        except OSError as error:
            raise GraphRecError(
                f"The vector cache {self.folder} cannot be written ({_said(error)}): "
                "choose another folder with --cache, or go on without with --no-cache."
            ) from None


def _said(error: OSError) -> str:
    return error.strerror or str(error)
