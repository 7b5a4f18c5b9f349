"""How many people two items have in common: what a site may tell of its log without telling of anybody.

Each user counts once for an item and once for a pair of items, with at most so many items; items and pairs of fewer
people than the minimum group size are left out, and pairs that all but so few people of one of their items have (see
`group_size`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.data.group_size import suppress_small, suppress_small_rests
from graphrec.data.interactions import Interactions
from graphrec.progress import Progress, silent

MOST_ITEMS_PER_USER = 200
"""How many items of one user count, unless told: a bound on what one person can change."""
_PAIRS_AT_ONCE = 20_000_000
"""Of one user each, before they are summed up: about 250 MB."""


@dataclass(frozen=True)
class CooccurrenceCounts:
    """Distinct users per item and per pair of items (I items), none below `minimum`.

    Nor is the number of those who have one item of a pair and not the other, unless there is nobody."""

    counts_II: sp.csr_matrix
    """Symmetric, int64, indices sorted. Off the diagonal: users of both items; on it: users of the item. A pair stands
    here only with both of its items."""
    minimum: int
    most_items_per_user: int
    """So many items of a user were counted at most, drawn at random where they had more."""

    @classmethod
    def of(
        cls,
        interactions: Interactions | sp.csr_matrix,
        minimum: int,
        most_items_per_user: int = MOST_ITEMS_PER_USER,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Self:
        """Count the users of these events, or of this users × items matrix, in which only what is stored matters.

        Costs the sum over users of their items squared, after the bound; memory stays within about a gigabyte beside
        the log and the answer. Raises GraphRecError for a minimum below 1.
        """
        matrix_UI = interactions.user_item_matrix() if isinstance(interactions, Interactions) else interactions
        matrix_UI = _at_most(matrix_UI, most_items_per_user, seed)
        degree_I = np.bincount(matrix_UI.indices, minlength=matrix_UI.shape[1])
        shown = np.flatnonzero(suppress_small(degree_I, degree_I, minimum))
        some_UN = matrix_UI[:, shown].tocsr()
        items_NU = some_UN.T.tocsr()
        blocks = []
        for part in progress(list(_blocks(items_NU, np.diff(some_UN.indptr))), "Counting pairs of items"):
            counts_BN = (items_NU[part] @ some_UN).tocsr()
            shown_BN = suppress_small(counts_BN, counts_BN, minimum)
            blocks.append(suppress_small_rests(shown_BN, degree_I[shown[part]], degree_I[shown], minimum))
        counts_NN = sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((0, 0), dtype=np.int64)
        return cls(_placed(counts_NN, shown, matrix_UI.shape[1]), minimum, most_items_per_user)

    @property
    def users_of_item(self) -> np.ndarray:
        """(I,) int64; 0 where they are fewer than the minimum."""
        return np.asarray(self.counts_II.diagonal(), dtype=np.int64)

    @property
    def pairs_II(self) -> sp.csr_matrix:
        """The counts of two different items alone: nothing on the diagonal."""
        rows = np.repeat(np.arange(self.counts_II.shape[0]), np.diff(self.counts_II.indptr))
        off = rows != self.counts_II.indices
        return sp.csr_matrix((self.counts_II.data[off], (rows[off], self.counts_II.indices[off])), self.counts_II.shape)

    def moved(self, index_I: np.ndarray, num_items: int) -> Self:
        """The counts in another catalogue: item i is `index_I[i]` there, or nowhere where that is -1."""
        known = np.flatnonzero(index_I >= 0)
        kept_NN = self.counts_II[known][:, known]
        return type(self)(_placed(kept_NN, index_I[known], num_items), self.minimum, self.most_items_per_user)


def _at_most(matrix_UI: sp.csr_matrix, most: int, seed: int) -> sp.csr_matrix:
    """Ones where something is stored, and of each user at most so many, drawn uniformly."""
    user_P = np.repeat(np.arange(matrix_UI.shape[0]), np.diff(matrix_UI.indptr))
    order = np.lexsort([np.random.default_rng(seed).random(len(user_P)), user_P])
    rank_P = np.arange(len(user_P)) - matrix_UI.indptr[user_P]  # the order keeps the users where they are
    kept = order[rank_P < most]
    ones = np.ones(len(kept), dtype=np.int64)
    return sp.csr_matrix((ones, (user_P[kept], matrix_UI.indices[kept])), matrix_UI.shape)


def _blocks(items_NU: sp.csr_matrix, user_degree_U: np.ndarray) -> Iterator[slice]:
    """Slices of items whose pairs fit into memory together; at least one item each."""
    pairs_N = np.diff(np.r_[0, np.cumsum(user_degree_U[items_NU.indices])][items_NU.indptr])
    start, size = 0, 0
    for item, pairs in enumerate(pairs_N.tolist()):
        if item > start and size + pairs > _PAIRS_AT_ONCE:
            yield slice(start, item)
            start, size = item, 0
        size += pairs
    if start < len(pairs_N):
        yield slice(start, len(pairs_N))


def _placed(counts_NN: sp.csr_matrix, index_N: np.ndarray, size: int) -> sp.csr_matrix:
    """The same counts at other rows and columns of a larger matrix."""
    pairs = counts_NN.tocoo()
    placed = sp.csr_matrix((pairs.data.astype(np.int64), (index_N[pairs.row], index_N[pairs.col])), (size, size))
    placed.sort_indices()
    return placed
