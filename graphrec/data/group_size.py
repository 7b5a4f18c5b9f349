"""The minimum group size: what fewer people are behind than that is not told apart from what nobody is behind.

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
