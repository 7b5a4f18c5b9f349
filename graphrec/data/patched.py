"""Rows of an array that is never written to, some of them replaced and new ones added behind it.

A catalogue of a million items may lie on disk as a memory map; one item that changes must not cost a copy of it.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from graphrec.data.rising import is_among

_MOST_DEAD = 0.5
"""Of the rows that are needed: once a store holds more others than that, the needed ones move to a new store."""
_FEW = 64


class _Store:
    """Rows that were put down, one after the other: what is there is never overwritten, so readers need no lock."""

    def __init__(self, width: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.values = np.empty((0, *width), dtype=dtype)
        self.count = 0

    def put(self, values: np.ndarray) -> np.ndarray:
        """Where the rows are now. Two writers must take turns."""
        start, stop = self.count, self.count + len(values)
        if stop > len(self.values):
            grown = np.empty((max(stop, 2 * len(self.values), 16), *self.values.shape[1:]), dtype=self.values.dtype)
            grown[:start] = self.values[:start]
            self.values = grown
        self.values[start:stop] = values
        self.count = stop
        return np.arange(start, stop)


class Patched:
    """N rows: those of `base`, but for the patched ones, and further ones behind it. Immutable; patches make a new one.

    A patch costs what it holds, and a few bytes for each row that was patched before it; nothing grows with the base.
    Rows that were patched again are let go of once they are half as many as those that are needed.
    """

    def __init__(self, base: np.ndarray) -> None:
        self.base = np.asarray(base)  # of a memory map too: its rows cost more through its own class
        self.rows = np.empty(0, dtype=np.int64)
        """Patched rows, rising."""
        self._place = np.empty(0, dtype=np.int64)
        self._store = _Store(base.shape[1:], base.dtype)
        self._length = len(base)

    def __len__(self) -> int:
        return self._length

    @property
    def shape(self) -> tuple[int, ...]:
        """As the whole array's."""
        return (self._length, *self.base.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the base."""
        return self.base.dtype

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The row, or the rows of an integer array, as NumPy would give them."""
        if np.ndim(rows) == 0:
            return self[np.array([rows])][0]
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64, copy=False)
        if not len(self.rows):
            return np.asarray(self.base[rows])
        flat = rows.ravel()
        at = np.minimum(np.searchsorted(self.rows, flat), len(self.rows) - 1)
        is_patched = self.rows[at] == flat
        if not is_patched.any():
            return np.asarray(self.base[rows])
        values = np.empty((len(flat), *self.base.shape[1:]), dtype=self.dtype)
        values[~is_patched] = self.base[flat[~is_patched]]
        values[is_patched] = self._store.values[self._place[at[is_patched]]]
        return values.reshape(*rows.shape, *self.base.shape[1:])

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.full())

    def with_rows(self, rows: np.ndarray, values: np.ndarray) -> Self:
        """With these rows, each named once, replaced; rows from the length on are added, and none may be left out.

        Raises ValueError where a row would be left out.
        """
        if not len(rows):
            return self
        order = np.argsort(rows)
        rows, length = np.asarray(rows, dtype=np.int64)[order], max(self._length, int(np.max(rows)) + 1)
        if length - self._length != np.count_nonzero(rows >= self._length):
            raise ValueError(f"Expected all rows from {self._length} to {length}, got {rows[rows >= self._length]}.")
        new = object.__new__(type(self))
        new.base, new._store, new._length = self.base, self._store, length
        place = self._store.put(np.asarray(values, dtype=self.dtype)[order])
        at = np.searchsorted(self.rows, rows)
        is_again = is_among(rows, self.rows)
        kept = self._place.copy()
        kept[at[is_again]] = place[is_again]
        at = at[~is_again]
        new.rows = np.insert(self.rows, at, rows[~is_again]) if len(at) else self.rows
        new._place = np.insert(kept, at, place[~is_again]) if len(at) else kept
        if new._store.count > (1 + _MOST_DEAD) * len(new.rows) + _FEW:
            new._move()
        return new

    @property
    def stored(self) -> tuple[np.ndarray, np.ndarray]:
        """(P, …) values as they lie, no copy, and the row that each is patched into, -1 for those let go of: int64."""
        row_P = np.full(self._store.count, -1, dtype=np.int64)
        row_P[self._place] = self.rows
        return self._store.values[: len(row_P)], row_P

    def _move(self) -> None:
        """To a store that holds nothing but what is needed; the old one stays with the earlier ones."""
        needed = self._store.values[self._place]
        self._store = _Store(self.base.shape[1:], self.dtype)
        self._place = self._store.put(needed)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.full(), dtype=dtype, copy=copy)

    def full(self) -> np.ndarray:
        """The whole array, in memory."""
        if not len(self.rows):
            return np.asarray(self.base)
        whole = np.empty(self.shape, dtype=self.dtype)
        whole[: len(self.base)] = self.base
        whole[self.rows] = self._store.values[self._place]
        return whole
