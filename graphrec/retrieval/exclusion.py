"""Which items each query must not get: what the user has seen, or items that were taken out of the shop."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Exclusion:
    """(query, item) pairs as sorted keys query · num_items + item, so that membership is one binary search."""

    num_items: int
    count_B: np.ndarray
    """Excluded items per query, int64; an item named twice may count twice."""
    keys: np.ndarray

    @classmethod
    def of(cls, exclude: sp.csr_matrix | Sequence[np.ndarray] | None, num_queries: int, num_items: int) -> "Exclusion":
        """From a queries × items CSR (every stored entry counts), or one array of item indices per query, or nothing.

        Raises ValueError where the rows do not match the queries or an index is out of range.
        """
        if exclude is None:
            return cls(num_items, np.zeros(num_queries, dtype=np.int64), np.empty(0, dtype=np.int64))
        if isinstance(exclude, sp.csr_matrix | sp.csr_array):
            if exclude.shape != (num_queries, num_items):
                raise ValueError(f"Expected excluded items of shape {(num_queries, num_items)}, got {exclude.shape}.")
            count_B, item_N = np.diff(exclude.indptr).astype(np.int64), exclude.indices.astype(np.int64)
        else:
            if len(exclude) != num_queries:
                raise ValueError(f"Expected excluded items for {num_queries} queries, got {len(exclude)}.")
            count_B = np.array([len(items) for items in exclude], dtype=np.int64)
            lists = [np.asarray(items, dtype=np.int64) for items in exclude]
            item_N = lists[0] if len(lists) == 1 else np.concatenate([np.empty(0, dtype=np.int64), *lists])
        if len(item_N) and not (item_N.min() >= 0 and item_N.max() < num_items):
            raise ValueError(f"Expected excluded items in [0, {num_items}), got {item_N.min()}..{item_N.max()}.")
        query_N = np.repeat(np.arange(num_queries, dtype=np.int64), count_B)
        return cls(num_items, count_B, np.sort(query_N * num_items + item_N))

    def contains(self, queries: np.ndarray, items_bn: np.ndarray) -> np.ndarray:
        """Whether each item is excluded for its query (b of them, one per row of `items_bn`); bool (b, n)."""
        if not len(self.keys):
            return np.zeros(items_bn.shape, dtype=bool)
        keys_bn = queries[:, None] * self.num_items + items_bn
        place_bn = np.minimum(np.searchsorted(self.keys, keys_bn), len(self.keys) - 1)
        return self.keys[place_bn] == keys_bn
