"""Items with one and the same vector: a graph index holds it once.

HNSW links a vector to its nearest ones; where hundreds are equal they link among themselves only and the search never
gets in or out. Many equal vectors are usual here: variants of a product, or items without any feature.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distinct:
    """The G distinct rows of I vectors, numbered in the order of their first item: adding items renumbers none."""

    item_G: np.ndarray
    """First item of each distinct row, int64, rising."""
    members_I: np.ndarray
    """Item indices, row after row, rising inside a row."""
    start_G: np.ndarray
    """Where each row's items begin in `members_I`."""
    size_G: np.ndarray

    @classmethod
    def of(cls, vectors_ID: np.ndarray) -> "Distinct":
        """Rows are equal where their bytes are (so 0 and -0 differ, which costs nothing but a row)."""
        bytes_I = vectors_ID.view(f"V{vectors_ID.shape[1] * vectors_ID.itemsize}").ravel()
        _, first_G, sorted_row_I = np.unique(bytes_I, return_index=True, return_inverse=True)
        order_G = np.argsort(first_G)
        row_of_sorted_G = np.empty_like(order_G)
        row_of_sorted_G[order_G] = np.arange(len(order_G))
        row_I = row_of_sorted_G[sorted_row_I]
        size_G = np.bincount(row_I)
        return cls(first_G[order_G], np.argsort(row_I, kind="stable"), np.cumsum(size_G) - size_G, size_G)

    def __len__(self) -> int:
        return len(self.item_G)

    def expand(self, first_bn: np.ndarray, rows_bn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and distinct rows (-1: none), best first → scores and items of the same shape.

        Every row is replaced by all its items; what no longer fits into n is cut off at the end.
        """
        width = rows_bn.shape[1]
        size_bn = np.where(rows_bn < 0, width, self.size_G[rows_bn])  # a missing row fills up the rest
        before_bn = np.cumsum(size_bn, axis=1) - size_bn
        taken_N = np.clip(width - before_bn, 0, size_bn).ravel()  # sums to the width in each query
        row_M = np.repeat(rows_bn.ravel(), taken_N)
        place_M = np.arange(len(row_M)) - np.repeat(np.cumsum(taken_N) - taken_N, taken_N)
        found_M = row_M >= 0
        item_M = np.full(len(row_M), -1, dtype=np.int64)
        item_M[found_M] = self.members_I[self.start_G[row_M[found_M]] + place_M[found_M]]
        return np.repeat(first_bn.ravel(), taken_N).reshape(rows_bn.shape), item_M.reshape(rows_bn.shape)
