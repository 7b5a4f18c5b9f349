"""Which items of different sites are one product."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

MERGED_FROM = 0.5
"""Items of two sites that are one product with at least this probability count as one."""


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

    def sites_beside(self, site_I: np.ndarray, target: str | None) -> dict[str, np.ndarray]:
        """Other site → for each item of the target site "yes" or "no": whether it is sold there too; others "".

        Sites that sell all or none of its items tell nothing and are left out; without a target site all are.
        """
        is_target_I, beside = site_I == target, {}
        ends = np.concatenate([np.stack([self.left_P, self.right_P]), np.stack([self.right_P, self.left_P])], axis=1)
        for site in dict.fromkeys(site_I[ends[0]].tolist()):
            is_there_I = np.zeros(len(site_I), dtype=bool)
            is_there_I[ends[1][site_I[ends[0]] == site]] = True
            if target not in (None, site) and len(np.unique(is_there_I[is_target_I])) == 2:
                beside[site] = np.where(is_target_I, np.where(is_there_I, "yes", "no"), "").astype(object)
        return beside

    def matrix(self, num_items: int) -> sp.csr_matrix:
        """Items × items, symmetric, float32: the weights; nothing on the diagonal."""
        half = sp.coo_matrix((self.weight_P, (self.left_P, self.right_P)), (num_items, num_items))
        return (half + half.T).tocsr()

    def product_of_item(self, num_items: int) -> np.ndarray:
        """(I,) int64: items that are linked, however many steps apart, have the same number; numbers run from 0."""
        _, product_I = connected_components(self.matrix(num_items), directed=False)
        return product_I.astype(np.int64)


def product_nodes(same_as: SameAs, is_served_I: np.ndarray) -> np.ndarray:
    """(I,) int64: the item at which each one's interactions count.

    An item that is served stands for itself; one of another site at the likeliest served item that it is one product
    with (`MERGED_FROM`), or where there is none, together with the other sites' items of its product.
    """
    is_sure_P = same_as.weight_P >= MERGED_FROM
    sure = SameAs(same_as.left_P[is_sure_P], same_as.right_P[is_sure_P], same_as.weight_P[is_sure_P])
    product_I = sure.product_of_item(len(is_served_I))
    # Foreign items of one product stand at the first of them, and at an item of the site where the product has one.
    first_of_product = np.full(len(is_served_I), len(is_served_I))
    np.minimum.at(first_of_product, product_I, np.arange(len(is_served_I)))
    served = np.flatnonzero(is_served_I)
    first_of_product[product_I[served[::-1]]] = served[::-1]
    node_I = np.where(is_served_I, np.arange(len(is_served_I)), first_of_product[product_I])
    # Where one product has several items on the site, an item that is linked to one of them stands at the likeliest.
    ends = np.concatenate([np.stack([sure.left_P, sure.right_P]), np.stack([sure.right_P, sure.left_P])], axis=1)
    weight_P = np.tile(sure.weight_P, 2)
    is_across_P = ~is_served_I[ends[0]] & is_served_I[ends[1]]
    order = np.lexsort([-ends[1][is_across_P], weight_P[is_across_P]])
    node_I[ends[0][is_across_P][order]] = ends[1][is_across_P][order]
    return node_I


def at_nodes(matrix_UI: sp.csr_matrix, node_I: np.ndarray) -> sp.csr_matrix:
    """A users × items matrix with every item's column added to that of its node."""
    pairs = matrix_UI.tocoo()
    moved = sp.csr_matrix((pairs.data, (pairs.row, node_I[pairs.col])), matrix_UI.shape)
    moved.sum_duplicates()
    moved.sort_indices()
    return moved
