"""The users who can say which lists are better, because something they touched was kept from both systems.

Shapes: U judges, C candidates, P distinct pairs of the truth, k places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from graphrec.errors import GraphRecError
from graphrec.evaluation.evaluation import mean_of_defined
from graphrec.evaluation.metrics import ndcg
from graphrec.fusion.candidates import Candidates
from graphrec.fusion.settings import Fusion

MOST_USERS = 10_000
"""Enough for an interval narrower than anything worth having; more would only take longer."""


@dataclass(frozen=True)
class Judges:
    """Users with a pair in the truth and a list of both systems."""

    users: np.ndarray
    """(U,): codes among the candidates' users, ascending."""
    num_relevant_U: np.ndarray
    num_known_U: np.ndarray
    """Relevant items that are not new; 0 for some."""
    candidates: Candidates
    """Of those judges for whom something was found at all: the others' lists are worth 0 however they are fused."""
    is_hit_C: np.ndarray
    is_known_C: np.ndarray
    """Whether the candidate is an item that is not new."""
    k: int

    @classmethod
    def of(cls, candidates: Candidates, truth: pd.DataFrame, new_items: Sequence[str], k: int, seed: int) -> Self:
        """At most `MOST_USERS`, drawn by `seed`. Raises GraphRecError where fewer than two users are left."""
        pairs = truth[["user_id", "item_id"]].drop_duplicates()
        user_P = pd.Index(candidates.user_ids, dtype=object).get_indexer(pd.Index(pairs["user_id"], dtype=object))
        item_P = pd.Index(candidates.item_ids, dtype=object).get_indexer(pd.Index(pairs["item_id"], dtype=object))
        can_judge_U = candidates.has_list(candidates.theirs_C) & candidates.has_list(candidates.ours_C)
        can_judge_P = (user_P >= 0) & can_judge_U[user_P]
        users = np.unique(user_P[can_judge_P])
        if len(users) < 2:
            raise GraphRecError(
                f"truth: {len(users)} of its {pairs['user_id'].nunique():,} users have a list of both systems, and at "
                "least 2 are needed: the three tables must name users alike."
            )
        if len(users) > MOST_USERS:
            users = np.sort(np.random.default_rng(seed).choice(users, MOST_USERS, replace=False))
        is_known_P = ~pairs["item_id"].isin(new_items).to_numpy()
        judged_P = np.isin(user_P, users)
        found_P = judged_P & (item_P >= 0)
        num_items = len(candidates.item_ids)
        hit_keys = user_P[found_P] * num_items + item_P[found_P]
        is_hit_C = np.isin(candidates.user_C * num_items + candidates.item_C, hit_keys)
        has_hit_U = np.zeros(len(candidates.user_ids), dtype=bool)
        has_hit_U[candidates.user_C[is_hit_C]] = True
        own = candidates.of_users(has_hit_U)
        is_new_I = pd.Index(candidates.item_ids, dtype=object).isin(new_items)
        return cls(
            users=users,
            num_relevant_U=_count(user_P[judged_P], users),
            num_known_U=_count(user_P[judged_P & is_known_P], users),
            candidates=own,
            is_hit_C=is_hit_C[has_hit_U[candidates.user_C]],
            is_known_C=~is_new_I[own.item_C],
            k=k,
        )

    def values(self, fusion: Fusion) -> tuple[np.ndarray, float]:
        """NDCG@k of each judge's fused list, (U,), and its mean if only items that are not new were relevant.

        The new ones still take their places then; the mean is over judges with such a relevant item, 0 without any.
        """
        best, rank, _ = self.candidates.best(fusion, self.k)
        hit = self.is_hit_C[best]
        row, place = np.searchsorted(self.users, self.candidates.user_C[best[hit]]), rank[hit] - 1
        is_hit_Uk = np.zeros((len(self.users), self.k), dtype=bool)
        is_hit_Uk[row, place] = True
        value_U = ndcg(is_hit_Uk, self.num_relevant_U, self.k)
        is_known = self.is_known_C[best[hit]]
        is_hit_Uk[row[~is_known], place[~is_known]] = False
        known = mean_of_defined(ndcg(is_hit_Uk, self.num_known_U, self.k))
        return value_U, 0.0 if np.isnan(known) else known


def _count(user_P: np.ndarray, users: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(users, user_P), minlength=len(users))
