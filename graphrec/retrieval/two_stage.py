"""A search in two stages: one query proposes candidates, another orders them."""

from dataclasses import dataclass

import numpy as np

from graphrec.retrieval.item_index import ItemIndex
from graphrec.retrieval.live_index import LiveIndex

Index = ItemIndex | LiveIndex
_FEW = 1000
"""Items left out up to this number are fetched and dropped."""


@dataclass(frozen=True)
class Ranked:
    """The best items of one query, best first: fewer than asked only where fewer were eligible."""

    items_K: np.ndarray
    """Item indices, int64."""
    scores_K: np.ndarray
    """Inner products with the query that ordered them, float32."""


def two_stage_search(
    index: Index,
    first_E: np.ndarray,
    second_E: np.ndarray | None,
    k: int,
    num_candidates: int,
    allowed: np.ndarray,
) -> Ranked:
    """The `num_candidates` best items for the first query, and of these the k best for the second.

    Without a second query the first one decides alone. `num_candidates` below k counts as k. `allowed`: item indices
    that may be returned, rising. Equal scores stand in the order of item index.
    """
    num_first = k if second_E is None else max(k, num_candidates)
    if not len(allowed):
        return Ranked(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
    num_first = min(num_first, len(allowed))
    if len(index) - len(allowed) <= _FEW:  # a few more candidates are cheaper than a filter
        left_out = np.setdiff1d(np.arange(len(index)), allowed, assume_unique=True)
        found = index.search(first_E[None], num_first, exclude=[left_out])
    else:
        found = index.search(first_E[None], num_first, allowed=allowed)
    is_item = found.items_BK[0] >= 0
    items, scores = found.items_BK[0][is_item], found.scores_BK[0][is_item]
    if second_E is not None:
        vectors_NE = index.vectors_ID[items].astype(np.float64)
        scores = (vectors_NE @ second_E.astype(np.float64)).astype(np.float32)
        order = np.lexsort((items, -scores))
        items, scores = items[order], scores[order]
    return Ranked(items[:k], scores[:k])
