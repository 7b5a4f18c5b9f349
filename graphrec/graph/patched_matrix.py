"""Who touched what, with what was touched since: rows of a sparse matrix that are replaced or added."""

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
    """Row → (columns, weights), columns rising; None where it is the base's, or has been empty since it was added."""
    num_columns: int

    @classmethod
    def of(cls, base: sp.csr_matrix) -> Self:
        """With nothing changed; the base's column indices are sorted in each row, and no pair stands twice."""
        unchanged = np.broadcast_to(np.array(None, dtype=object), base.shape[0])
        return cls(base, Patched(unchanged), base.shape[1])

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.changed)

    def row(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Columns, int64 rising, and weights, float32, of one row."""
        pair: tuple[np.ndarray, np.ndarray] | None = self.changed[np.array([row])][0]
        if pair is not None:
            return pair
        if row >= self.base.shape[0]:
            return _NOTHING
        part = slice(self.base.indptr[row], self.base.indptr[row + 1])
        return self.base.indices[part].astype(np.int64), self.base.data[part]

    def columns(self, rows: np.ndarray) -> list[np.ndarray]:
        """The columns of each of these rows, int64 rising."""
        pairs, num_rows = self.changed[rows], self.base.shape[0]
        indptr, indices = self.base.indptr, self.base.indices
        return [
            pair[0]
            if pair is not None
            else indices[indptr[row] : indptr[row + 1]].astype(np.int64)
            if row < num_rows
            else _NOTHING[0]
            for pair, row in zip(pairs, rows.tolist(), strict=True)
        ]

    def take(self, rows: np.ndarray) -> sp.csr_matrix:
        """The rows, in their order, (rows × C)."""
        pair_B = self.changed[rows]
        is_changed_B = np.array([pair is not None for pair in pair_B], dtype=bool)
        is_base_B = ~is_changed_B & (rows < self.base.shape[0])
        base, pairs = self.base[rows[is_base_B]], pair_B[is_changed_B]
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
        added = np.arange(self.num_rows, num_rows)
        changed = self.changed.with_rows(added, np.full(len(added), None, dtype=object))
        if not len(row_E):
            return type(self)(self.base, changed, num_columns)
        order = np.lexsort((column_E, row_E))
        rows, start = np.unique(row_E[order], return_index=True)
        pair_N = np.empty(len(rows), dtype=object)
        pair_N[:] = [
            _added(self.row(int(row)) if row < self.num_rows else _NOTHING, column_E[part], weight_E[part])
            for row, part in zip(rows, np.split(order, start[1:]), strict=True)
        ]
        return type(self)(self.base, changed.with_rows(rows, pair_N), num_columns)


_NOTHING = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


def _added(
    pair: tuple[np.ndarray, np.ndarray], column_E: np.ndarray, weight_E: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`column_E` rise, and may repeat. What is there already is copied, and not sorted again."""
    columns, weights = pair
    new, start = np.unique(column_E, return_index=True)
    more = np.add.reduceat(weight_E.astype(np.float64), start)
    at = np.searchsorted(columns, new)
    is_known = at < len(columns)
    is_known[is_known] = columns[at[is_known]] == new[is_known]
    weights = weights.copy()
    weights[at[is_known]] += more[is_known]
    at, new, more = at[~is_known], new[~is_known], more[~is_known]
    return np.insert(columns, at, new), np.insert(weights, at, more.astype(np.float32))
