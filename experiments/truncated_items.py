"""The same items again and again, each time with a few more of their users in sight."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphrec import Dataset
from graphrec.data.dataset import Split, Truth
from graphrec.data.splits.held_out import without_pairs
from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import Pool, build_pool

DEGREES = (0, 1, 2, 4, 8, 16, 32, 64)
_HELD_OUT = 16
"""An item needs so many users beyond the most that are shown, to be judged by."""
_SHARE = 1 / 6


@dataclass(frozen=True)
class TruncatedItems:
    """Items of which training sees `degree` users only; always the same others judge, whatever the degree.

    The users of each item stand in a random order: the first `degree` of them are shown, those beyond the largest
    degree are the truth, and the ones between are neither. So the shown ones of a smaller degree are shown in a larger
    one too, and all degrees are judged by the same pairs.
    """

    train: Dataset
    items: np.ndarray
    user_P: np.ndarray
    item_P: np.ndarray
    rank_P: np.ndarray
    """Place of each of the items' pairs in its item's order, from 0."""
    most: int

    @classmethod
    def of(cls, train: Dataset, seed: int, degrees: tuple[int, ...] = DEGREES) -> "TruncatedItems":
        """As many popular items as a sixth of all items with users, or half of the popular ones.

        Raises GraphRecError where there are none.
        """
        rng = np.random.default_rng(seed)
        degree_I, most = train.interactions.item_degree(), max(degrees)
        popular = np.flatnonzero(degree_I >= most + _HELD_OUT)
        if not len(popular):
            raise GraphRecError(f"No item has the {most + _HELD_OUT} users that the largest degree needs.")
        wanted = round(_SHARE * np.count_nonzero(degree_I))
        items = np.sort(rng.choice(popular, min(wanted, -(-len(popular) // 2)), replace=False))
        pairs = train.interactions.user_item_matrix()[:, items].tocoo()
        order = np.lexsort((rng.random(pairs.nnz), pairs.col))
        user_P, item_P = pairs.row[order].astype(np.int64), items[pairs.col[order]]
        rank_P = np.arange(len(item_P)) - np.searchsorted(item_P, item_P)
        return cls(train, items, user_P, item_P, rank_P, most)

    def split(self, degree: int) -> Split:
        """Training with `degree` users of each item shown; the items are the candidates."""
        is_hidden_P = self.rank_P >= degree
        train = without_pairs(self.train, self.user_P[is_hidden_P], self.item_P[is_hidden_P]).train
        is_truth_P = self.rank_P >= self.most
        return Split(train, Truth(self.user_P[is_truth_P], self.item_P[is_truth_P], self.items))

    def pool(self, split: Split) -> Pool:
        """The truncated items, cold or warm as they are."""
        return build_pool(split, "cold" if len(np.intersect1d(split.cold_items, self.items)) else "warm")

    @cached_property
    def users(self) -> np.ndarray:
        """Who judges, at every degree: users with truth and with history beyond these items."""
        return self.pool(self.split(0)).users
