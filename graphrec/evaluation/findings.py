"""What an arm's lists found: the rank of every relevant item that they show, which is all that metrics need of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists, hits


@dataclass(frozen=True)
class Findings:
    """Users × items of one arm in one pool, the rows aligned with the users that were asked."""

    rank_UI: sp.csr_matrix
    """int32: the rank (from 1) at which a relevant item stands in the user's list; no entry where it does not."""
    relevant_UI: sp.csr_matrix
    """bool: the user's relevant items in the pool, found or not."""
    num_ranks: int
    """K, the length of the lists."""

    @classmethod
    def of(cls, lists: RankedLists, pool: Pool, user_index_U: np.ndarray) -> Self:
        """Of the lists of the given users (row by row), normally `pool.users`.

        Raises ValueError where lists and users differ in number, or a list holds an item that is not in the pool or
        that the user has seen: such an arm would not be comparable.
        """
        if len(lists) != len(user_index_U):
            raise ValueError(f"Expected one list per user, got {len(lists)} lists for {len(user_index_U)} users.")
        is_seen_UK, _ = hits(lists, pool.seen[user_index_U])
        if is_seen_UK.any():
            raise ValueError(f"Expected no seen item in a list, got {is_seen_UK.sum()} of them.")
        is_outside_I = np.ones(pool.seen.shape[1] + 1, dtype=bool)
        is_outside_I[pool.items] = is_outside_I[-1] = False  # the last place is that of the padding, -1
        outside = np.unique(lists.items_UK[is_outside_I[lists.items_UK]])
        if len(outside):
            raise ValueError(
                f"Expected items of the {pool.name} pool only, got {len(outside)} others, one is {outside[0]}."
            )
        relevant_UI = pool.truth[user_index_U].astype(bool)
        is_hit_UK, _ = hits(lists, relevant_UI)
        user_N, place_N = np.nonzero(is_hit_UK)
        rank_UI = sp.csr_matrix(
            (place_N.astype(np.int32) + 1, (user_N, lists.items_UK[user_N, place_N])), relevant_UI.shape
        )
        return cls(rank_UI, relevant_UI, lists.items_UK.shape[1])

    def of_items(self, is_member_I: np.ndarray) -> Self:
        """As if only these items were relevant. Ranks stay those in the whole pool: the others still compete."""
        return replace(self, rank_UI=_kept(self.rank_UI, is_member_I), relevant_UI=_kept(self.relevant_UI, is_member_I))

    def of_users(self, rows: np.ndarray) -> Self:
        """The findings of some of the users: a mask over U or row numbers."""
        return replace(self, rank_UI=self.rank_UI[rows], relevant_UI=self.relevant_UI[rows])

    def per_user(self, names: Iterable[str], ks: Iterable[int]) -> dict[str, np.ndarray]:
        """Metric with cut-off, such as recall@20 → float64 (U,), nan where the user has no relevant item.

        Raises ValueError where a cut-off is not between 1 and the length of the lists.
        """
        is_hit_UK = np.zeros((self.rank_UI.shape[0], self.num_ranks), dtype=bool)
        row_N = np.repeat(np.arange(len(is_hit_UK)), np.diff(self.rank_UI.indptr))
        is_hit_UK[row_N, self.rank_UI.data - 1] = True
        num_relevant_U = np.diff(self.relevant_UI.indptr).astype(np.int64)
        ks = tuple(ks)
        return {f"{name}@{k}": METRICS[name](is_hit_UK, num_relevant_U, k) for name in names for k in ks}


def _kept(matrix_UI: sp.csr_matrix, is_member_I: np.ndarray) -> sp.csr_matrix:
    kept = matrix_UI.copy()
    kept.data = kept.data * is_member_I[kept.indices]
    kept.eliminate_zeros()
    return kept
