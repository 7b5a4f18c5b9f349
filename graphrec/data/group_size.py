"""The minimum group size: what fewer people are behind than that is not told apart from what nobody is behind.

Nor may such a group follow from two cells: where nearly everybody of an item is behind a pair, the difference is those
few who have the item and not the other one. Groups that follow from three cells and more are not looked for.

A threshold on counts (k-anonymity for tables, Sweeney 2002), no differential privacy: two releases that differ by one
person differ visibly where their counts stand above it.
"""

from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from graphrec.errors import GraphRecError

Cells = TypeVar("Cells", np.ndarray, sp.csr_matrix)


def suppress_small(counts: Cells, user_counts: Cells, minimum: int) -> Cells:
    """The counts (any shape), 0 in every cell that fewer than `minimum` distinct users stand behind.

    `user_counts` has those users, in the same shape; where every user counts once it is `counts` itself. A sparse
    matrix keeps no entry for a suppressed cell, and both have to have their entries summed up. Neither is changed.
    Raises GraphRecError for a minimum below 1, ValueError where the shapes differ.
    """
    if minimum < 1:
        raise GraphRecError(f"The minimum group size is a number of people, at least 1; got {minimum}.")
    if counts.shape != user_counts.shape:
        raise ValueError(f"Expected as many user counts as counts, got {user_counts.shape} for {counts.shape}.")
    if isinstance(counts, np.ndarray):
        return np.where(user_counts >= minimum, counts, np.zeros((), dtype=counts.dtype))
    is_shown = user_counts.copy()
    is_shown.data = (is_shown.data >= minimum).astype(counts.dtype)
    is_shown.eliminate_zeros()
    shown = counts.multiply(is_shown).tocsr()
    shown.eliminate_zeros()
    return shown


def suppress_small_rests(
    pairs_XY: sp.csr_matrix, users_X: np.ndarray, users_Y: np.ndarray, minimum: int
) -> sp.csr_matrix:
    """The counts of pairs without those that leave 1 to `minimum` - 1 users of their row's or their column's item.

    `users_X` and `users_Y` are the users of each row's and column's item. A pair that everybody of an item is behind
    stays: it leaves nobody. Sparse all the way; no argument is changed.
    """
    is_shown_P = ~leaves_few(pairs_XY.data, np.repeat(users_X, np.diff(pairs_XY.indptr)), minimum)
    is_shown_P &= ~leaves_few(pairs_XY.data, users_Y[pairs_XY.indices], minimum)
    shown = pairs_XY.copy()
    shown.data = np.where(is_shown_P, shown.data, np.zeros((), dtype=shown.dtype))
    shown.eliminate_zeros()
    return shown


def leaves_few(users_of_pair_P: np.ndarray, users_of_item_P: np.ndarray, minimum: int) -> np.ndarray:
    """(P,) bool: whether 1 to `minimum` - 1 users have the item and not the pair."""
    rest_P = users_of_item_P - users_of_pair_P
    return np.asarray((rest_P > 0) & (rest_P < minimum))
