"""A random order for items whose scores are equal: the catalogue's own order would be a hint."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.ranking import RankedLists


@dataclass(frozen=True)
class RandomTies:
    """The items under other numbers: a ranking that breaks ties by number then breaks them at random.

    `item_I[p]` is the item with number p, `number_I[i]` the number of item i.
    """

    item_I: np.ndarray
    number_I: np.ndarray

    @classmethod
    def of(cls, num_items: int, seed: int) -> "RandomTies":
        """One order for everybody, drawn by the seed."""
        item_I = np.random.default_rng(seed).permutation(num_items)
        return cls(item_I, np.argsort(item_I))

    def relabelled(self, pool: np.ndarray, seen: sp.csr_matrix | None) -> tuple[np.ndarray, sp.csr_matrix | None]:
        """Pool (sorted again) and seen items by their numbers."""
        if seen is not None:
            seen = sp.csr_matrix((seen.data, self.number_I[seen.indices], seen.indptr), seen.shape)
        return np.sort(self.number_I[pool]), seen

    def original(self, lists: RankedLists) -> RankedLists:
        """Lists of numbers as lists of items."""
        items_UK = np.where(lists.items_UK >= 0, self.item_I[lists.items_UK], -1)
        return RankedLists(items_UK, lists.scores_UK)
