"""Who touched what, with what was touched since: rows of a sparse matrix that are replaced or added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched


@dataclass(frozen=True)
class PatchedMatrix:
    """R × C weights: those of `base`, but for the rows that were changed. Immutable.

    A change costs what its rows hold, however large the base is.
    """

    base: sp.csr_matrix
    changed: Patched
    """Row → its place in the lists, -1 where it is the base's, or has been empty since it was added."""
    lists: Patched
    """(columns, weights) of changed rows, columns rising."""
    num_columns: int

    @classmethod
    def of(cls, base: sp.csr_matrix) -> Self:
        """With nothing changed; the base's column indices are sorted in each row, and no pair stands twice."""
        unchanged = np.broadcast_to(np.int64(-1), base.shape[0])
        return cls(base, Patched(unchanged), Patched(np.empty((0,), dtype=object)), base.shape[1])

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.changed)

    def row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Columns, int64 rising, and weights, float32, of one row."""
        place = int(self.changed[row])
        if place >= 0:
            pair: tuple[np.ndarray, np.ndarray] = self.lists[np.array([place])][0]
            return pair
        if row >= self.base.shape[0]:
            return _NOTHING
        part = slice(self.base.indptr[row], self.base.indptr[row + 1])
        return self.base.indices[part].astype(np.int64), self.base.data[part]

    def take(self, rows: np.ndarray) -> sp.csr_matrix:
        """The rows, in their order, (rows × C)."""
        place_B = self.changed[rows]
        is_changed_B = place_B >= 0
        is_base_B = ~is_changed_B & (rows < self.base.shape[0])
        base, pairs = self.base[rows[is_base_B]], self.lists[place_B[is_changed_B]]
        size_B = np.zeros(len(rows), dtype=np.int64)
        size_B[is_base_B] = np.diff(base.indptr)
        size_B[is_changed_B] = [len(columns) for columns, _ in pairs]
        is_base_E = np.repeat(is_base_B, size_B)
        column_E = np.empty(len(is_base_E), dtype=np.int64)
        weight_E = np.empty(len(is_base_E), dtype=np.float32)
        column_E[is_base_E], weight_E[is_base_E] = base.indices, base.data
        column_E[~is_base_E] = np.concatenate([_NOTHING[0], *(columns for columns, _ in pairs)])
        weight_E[~is_base_E] = np.concatenate([_NOTHING[1], *(weights for _, weights in pairs)])
        starts = np.concatenate([[0], np.cumsum(size_B)])
        return sp.csr_matrix((weight_E, column_E, starts), (len(rows), self.num_columns))

    def with_pairs(
        self, row_E: np.ndarray, column_E: np.ndarray, weight_E: np.ndarray, num_rows: int, num_columns: int
    ) -> Self:
        """With these weights added to the pairs; the matrix has grown to so many rows and columns."""
        lists = self.lists
        changed = self.changed.with_rows(np.arange(self.num_rows, num_rows), np.full(num_rows - self.num_rows, -1))
        if not len(row_E):
            return type(self)(self.base, changed, lists, num_columns)
        order = np.lexsort((column_E, row_E))
        rows, start = np.unique(row_E[order], return_index=True)
        pairs: Sequence[tuple[np.ndarray, np.ndarray]] = [
            _added(self.row(int(row)) if row < self.num_rows else _NOTHING, column_E[part], weight_E[part])
            for row, part in zip(rows, np.split(order, start[1:]), strict=True)
        ]
        places = len(lists) + np.arange(len(rows))
        held = np.empty(len(rows), dtype=object)
        held[:] = pairs
        return type(self)(self.base, changed.with_rows(rows, places), lists.with_rows(places, held), num_columns)


_NOTHING = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


def _added(
    pair: tuple[np.ndarray, np.ndarray], column_E: np.ndarray, weight_E: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    columns, place = np.unique(np.concatenate([pair[0], column_E]), return_inverse=True)
    weights = np.bincount(place, np.concatenate([pair[1], weight_E]).astype(np.float64), len(columns))
    return columns, weights.astype(np.float32)
