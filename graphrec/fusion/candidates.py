"""Everything that either of two systems lists for a user, with its rank in each.

Shapes: C candidates (pairs of a user and an item that stand in at least one list), U users, I items, R rows of a table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from graphrec.errors import GraphRecError
from graphrec.fusion.settings import Fusion
from graphrec.fusion.tables import check_lists, checked_ids, coded

THEIRS, OURS = "theirs", "ours"
_CELLS = 2**21
"""Users × candidates that are sorted at once."""


@dataclass(frozen=True)
class Candidates:
    """Ordered by user and, within a user, as equal scores stand: by their rank, what they do not list last by ours."""

    user_ids: np.ndarray
    """(U,), sorted."""
    item_ids: np.ndarray
    """(I,), sorted."""
    user_C: np.ndarray
    item_C: np.ndarray
    theirs_C: np.ndarray
    """Rank in their list, from 1; -1 where it does not hold the item."""
    ours_C: np.ndarray
    is_new_C: np.ndarray
    """Whether the item is one that they cannot know, and that they do not list here."""

    @classmethod
    def of(cls, theirs: pd.DataFrame, ours: pd.DataFrame, new_items: Iterable[str] = ()) -> Self:
        """Raises GraphRecError where a table cannot be read as lists, or the two have no user in common."""
        tables = {THEIRS: theirs, OURS: ours}
        for name, table in tables.items():
            check_lists(table, name)
        new_ids = checked_ids(new_items, "new_items")
        users, user_ids = coded("user_id", tables)
        items, item_ids = coded("item_id", tables)
        if not np.isin(np.unique(users[0]), users[1]).any():
            raise GraphRecError(
                f"theirs and ours have no user in common (such as {user_ids[users[0][0]]!r} and "
                f"{user_ids[users[1][0]]!r}): both must name users alike."
            )
        parts = []
        for (name, table), user_R, item_R in zip(tables.items(), users, items, strict=True):
            rank_R = ranks_in_lists(user_R, item_R, table["score"].to_numpy(dtype=np.float64))
            key_R = user_R * len(item_ids) + item_R
            order = np.argsort(key_R)
            _refuse_repeated(key_R[order], name, user_ids, item_ids)
            parts.append((key_R[order], rank_R[order]))
        key_C, theirs_C, ours_C = _joined(*parts)
        user_C, item_C = np.divmod(key_C, len(item_ids))
        longest = int(max(theirs_C.max(), ours_C.max()))
        order = np.argsort(user_C * (2 * longest + 1) + np.where(theirs_C > 0, theirs_C, longest + ours_C))
        is_new_C = pd.Index(item_ids, dtype=object).isin(new_ids)[item_C] & (theirs_C < 0)
        return cls(user_ids, item_ids, user_C[order], item_C[order], theirs_C[order], ours_C[order], is_new_C[order])

    def of_users(self, is_kept_U: np.ndarray) -> Self:
        """The candidates of some users alone; codes stay as they are."""
        kept = is_kept_U[self.user_C]
        arrays = (self.user_C, self.item_C, self.theirs_C, self.ours_C, self.is_new_C)
        return type(self)(self.user_ids, self.item_ids, *(array[kept] for array in arrays))

    def has_list(self, rank_C: np.ndarray) -> np.ndarray:
        """(U,): whether the system with these ranks lists anything for the user."""
        has_U = np.zeros(len(self.user_ids), dtype=bool)
        has_U[self.user_C[rank_C > 0]] = True
        return has_U

    def scores(self, fusion: Fusion) -> np.ndarray:
        """(C,) float64. A user of one list alone is given that list whatever the weights: there is nothing to weigh."""
        theirs_C, ours_C = self._places_C
        ours_alone_C = 1 / (fusion.constant + ours_C)
        score_C = fusion.weight * ours_alone_C + (1 - fusion.weight) / (fusion.constant + theirs_C)
        if fusion.new_weight is not None:
            score_C[self._new] = fusion.new_weight * ours_alone_C[self._new]
        score_C[self._alone] = 1 / (fusion.constant + np.minimum(theirs_C, ours_C)[self._alone])
        return score_C

    @cached_property
    def _places_C(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks as float64, inf where a list does not hold the item: its part of a score is then exactly 0."""
        theirs_C, ours_C = (np.where(rank_C > 0, rank_C, np.inf) for rank_C in (self.theirs_C, self.ours_C))
        return theirs_C, ours_C

    @cached_property
    def _new(self) -> np.ndarray:
        return np.flatnonzero(self.is_new_C)

    @cached_property
    def _alone(self) -> np.ndarray:
        """Positions of the candidates of users whom only one of the systems lists anything for."""
        has_both_U = self.has_list(self.theirs_C) & self.has_list(self.ours_C)
        return np.flatnonzero(~has_both_U[self.user_C])

    def best(self, fusion: Fusion, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The k best of each user: positions among the candidates, ranks from 1, scores; ordered by user and rank.

        What scores nothing, because only a list of weight 0 holds it, is left out.
        """
        score_C = self.scores(fusion)
        parts = [_best_of(score_C, first_U, count_U, k) for first_U, count_U in self._blocks()]
        best = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        return best, places(self.user_C[best]), score_C[best]

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Consecutive users as (first candidate, number of candidates), in blocks that are sorted as one matrix."""
        first_U = np.flatnonzero(np.append(True, self.user_C[1:] != self.user_C[:-1])[: len(self.user_C)])
        count_U = np.diff(np.append(first_U, len(self.user_C)))
        start = 0
        while start < len(first_U):
            cells_U = np.maximum.accumulate(count_U[start:]) * np.arange(1, len(count_U) - start + 1)
            stop = start + max(1, int(np.searchsorted(cells_U, _CELLS, side="right")))
            yield first_U[start:stop], count_U[start:stop]
            start = stop


def ranks_in_lists(user_R: np.ndarray, item_R: np.ndarray, score_R: np.ndarray) -> np.ndarray:
    """(R,) int64 rank from 1 of each row among its user's, largest score first; equal scores in the order of items."""
    is_next_R = user_R[1:] == user_R[:-1]
    num_runs = int((~is_next_R).sum()) + 1
    if (score_R[1:] < score_R[:-1])[is_next_R].all() and num_runs == len(np.unique(user_R)):
        return places(user_R)  # as most lists come: each user's in one piece, best first
    order = np.lexsort((item_R, -score_R, user_R))
    rank_R = np.empty(len(order), dtype=np.int64)
    rank_R[order] = places(user_R[order])
    return rank_R


def places(user_R: np.ndarray) -> np.ndarray:
    """(R,): 1, 2, 3 … in each run of equal users."""
    first = np.flatnonzero(np.append(True, user_R[1:] != user_R[:-1])[: len(user_R)])
    return np.arange(len(user_R)) - np.repeat(first, np.diff(np.append(first, len(user_R)))) + 1


def _best_of(score_C: np.ndarray, first_U: np.ndarray, count_U: np.ndarray, k: int) -> np.ndarray:
    """Positions of each user's k best with a score, best first; equal scores stay as they stand."""
    column_W = np.arange(count_U.max())
    position_UW = first_U[:, None] + column_W
    score_UW = np.where(column_W < count_U[:, None], score_C[np.minimum(position_UW, len(score_C) - 1)], 0.0)
    is_kept_UW = score_UW > 0
    if k < len(column_W):  # only what reaches the k-th score needs to be put in order
        is_kept_UW &= score_UW >= -np.partition(-score_UW, k - 1, axis=1)[:, k - 1 : k]
    row_N, _ = np.nonzero(is_kept_UW)
    position_N = position_UW[is_kept_UW]
    order = np.lexsort((-score_C[position_N], row_N))
    return position_N[order[places(row_N[order]) <= k]]


def _joined(
    theirs: tuple[np.ndarray, np.ndarray], ours: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct keys of both tables with the rank in each, -1 where a table lacks the key; each is (keys, ranks).

    Keys come in ascending and go out in no order.
    """
    key_T, rank_T = theirs
    key_O, rank_O = ours
    place_O = np.minimum(np.searchsorted(key_T, key_O), len(key_T) - 1)
    is_shared_O = key_T[place_O] == key_O
    ours_T = np.full(len(key_T), -1, dtype=np.int64)
    ours_T[place_O[is_shared_O]] = rank_O[is_shared_O]
    rest = ~is_shared_O
    theirs_C = np.concatenate([rank_T, np.full(int(rest.sum()), -1, dtype=np.int64)])
    return np.concatenate([key_T, key_O[rest]]), theirs_C, np.concatenate([ours_T, rank_O[rest]])


def _refuse_repeated(key_R: np.ndarray, name: str, user_ids: np.ndarray, item_ids: np.ndarray) -> None:
    """`key_R` ascending."""
    repeated = key_R[1:][key_R[1:] == key_R[:-1]]
    if len(repeated):
        user, item = divmod(int(repeated[0]), len(item_ids))
        raise GraphRecError(
            f"{name}: a user and an item repeat ({len(repeated):,} times), such as user {user_ids[user]!r}, item "
            f"{item_ids[item]!r}: keep one row of each, such as by drop_duplicates(['user_id', 'item_id'])."
        )
