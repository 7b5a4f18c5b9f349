"""Which items of different sites are one product."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class SameAs:
    """P pairs of items that are one product, each with the probability that they are.

    `left_P < right_P` are item indices (int64), `weight_P` is in (0, 1] (float32); every pair stands once, sorted.
    Raises ValueError where the arrays do not fit together.
    """

    left_P: np.ndarray
    right_P: np.ndarray
    weight_P: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.left_P) == len(self.right_P) == len(self.weight_P):
            raise ValueError("Expected as many left items as right items and weights.")
        if not (self.left_P < self.right_P).all():
            raise ValueError("Expected pairs of two different items, the lower index first.")
        if not ((self.weight_P > 0) & (self.weight_P <= 1)).all():
            raise ValueError("Expected weights above 0 and up to 1.")

    @classmethod
    def of(cls, one_P: np.ndarray, other_P: np.ndarray, weight_P: np.ndarray) -> Self:
        """From pairs in any order; a pair that is given twice has its larger weight."""
        one_P, other_P = np.asarray(one_P, dtype=np.int64), np.asarray(other_P, dtype=np.int64)
        left_P, right_P = np.minimum(one_P, other_P), np.maximum(one_P, other_P)
        order = np.lexsort([-np.asarray(weight_P), right_P, left_P])
        left_P, right_P, weight_P = left_P[order], right_P[order], np.asarray(weight_P, dtype=np.float32)[order]
        is_first_P = np.r_[True, (np.diff(left_P) != 0) | (np.diff(right_P) != 0)][: len(left_P)]
        return cls(left_P[is_first_P], right_P[is_first_P], weight_P[is_first_P])

    @classmethod
    def none(cls) -> Self:
        """No pair: every item is a product of its own."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.left_P)

    def matrix(self, num_items: int) -> sp.csr_matrix:
        """Items × items, symmetric, float32: the weights; nothing on the diagonal."""
        half = sp.coo_matrix((self.weight_P, (self.left_P, self.right_P)), (num_items, num_items))
        return (half + half.T).tocsr()

    def product_of_item(self, num_items: int) -> np.ndarray:
        """(I,) int64: items that are linked, however many steps apart, have the same number; numbers run from 0."""
        _, product_I = connected_components(self.matrix(num_items), directed=False)
        return product_I.astype(np.int64)
