"""A few vectors that are scanned where they lie, some of them passed over: what an index does not hold yet.

Shapes: P places, D dimensions, n candidates of a block of b queries.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphrec.data.rising import is_among

_PRODUCTS = 2**22
"""Of queries with places at a time: bounds the working memory to some 50 MB."""


@dataclass(frozen=True)
class Scanned:
    """The vectors of some items. Nothing is copied when one of them is passed over."""

    vectors_PD: np.ndarray
    item_P: np.ndarray
    """The item at each place, each once; -1: passed over."""

    @cached_property
    def count(self) -> int:
        """How many are looked at."""
        return int(np.count_nonzero(self.item_P >= 0))

    def among(self, allowed: np.ndarray) -> "Scanned":
        """Only those of these items, which rise."""
        return Scanned(self.vectors_PD, np.where(is_among(self.item_P, allowed), self.item_P, -1))

    def best(self, query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(b, n) float32 products, falling, and their items; n is at most `count`, or 1 where that is 0: nan and -1."""
        first_bn = np.full((len(query_bD), n), np.nan, dtype=np.float32)
        items_bn = np.full((len(query_bD), n), -1, dtype=np.int64)
        if not self.count:
            return first_bn, items_bn
        step = max(1, _PRODUCTS // len(self.item_P))
        for start in range(0, len(query_bD), step):
            part = slice(start, start + step)
            first_bn[part], items_bn[part] = self._best(query_bD[part], n)
        return first_bn, items_bn

    def _best(self, query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        score_bP = query_bD @ self.vectors_PD.T
        score_bP[:, self._passed_over] = -np.inf
        others = score_bP.shape[1] - n
        place_bn = np.argpartition(score_bP, others, axis=1)[:, others:] if others else np.argsort(score_bP, axis=1)
        score_bn = np.take_along_axis(score_bP, place_bn, axis=1)
        order_bn = np.argsort(-score_bn, axis=1)
        place_bn = np.take_along_axis(place_bn, order_bn, axis=1)
        return np.take_along_axis(score_bn, order_bn, axis=1), self.item_P[place_bn]

    @cached_property
    def _passed_over(self) -> np.ndarray:
        return np.flatnonzero(self.item_P < 0)
