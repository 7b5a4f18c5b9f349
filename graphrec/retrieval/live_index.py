"""A FAISS index with what changed since it was built: changed and new vectors are scanned beside it, old ones ignored.

So an item is retrievable as soon as its vector is there, whatever the factory, and removal costs nothing; the answer is
that of an index over the vectors as they are now. Once many vectors changed, build a new one.

Shapes: B queries, I items, P places of changed ones, D dimensions, K ranks, n candidates of a block b.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.data.rising import is_among, without_rows
from graphrec.retrieval.found import Found
from graphrec.retrieval.item_index import ItemIndex, checked_allowed
from graphrec.retrieval.rescoring import Request, Source, best_items
from graphrec.retrieval.scanned import Scanned


@dataclass(frozen=True)
class LiveIndex:
    """Item indices are the rows of `vectors_ID`. Safe to search from several threads at once."""

    base: ItemIndex
    vectors_ID: Patched
    """The base's rows with the changed and new ones."""
    removed: np.ndarray
    """Items that nothing may return, int64 rising; they keep their rows."""
    largest_norm: float

    @classmethod
    def of(cls, base: ItemIndex, removed: np.ndarray | None = None) -> "LiveIndex":
        """With nothing changed."""
        none = np.empty(0, dtype=np.int64)
        return cls(base, Patched(base.vectors_ID), none if removed is None else removed, base.largest_norm)

    def with_rows(self, items: np.ndarray, vectors_ND: np.ndarray) -> "LiveIndex":
        """With the vectors of these items replaced, or added behind the last."""
        if not len(items):
            return self
        norm = float(np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND, dtype=np.float64).max()))
        if not np.isfinite(norm):
            raise ValueError("Expected finite vectors, got nan or infinity.")
        vectors = self.vectors_ID.with_rows(items, vectors_ND)
        return LiveIndex(self.base, vectors, self.removed, max(self.largest_norm, norm))

    def without(self, removed: np.ndarray) -> "LiveIndex":
        """With exactly these items removed, which rise."""
        return LiveIndex(self.base, self.vectors_ID, removed, self.largest_norm)

    def __len__(self) -> int:
        return len(self.vectors_ID)

    def search(
        self,
        query_BD: np.ndarray,
        k: int,
        exclude: sp.csr_matrix | Sequence[np.ndarray] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Found:
        """As `ItemIndex.search`, over the vectors as they are now and without the removed items."""
        if not len(self.vectors_ID.rows) and not len(self.removed):
            return self.base.search(query_BD, k, exclude, allowed)
        request = Request.of(query_BD, self.vectors_ID, k, exclude, self.largest_norm)
        return best_items(request, self._sources(checked_allowed(allowed, len(self))))

    def _sources(self, allowed: np.ndarray | None) -> list[Source]:
        if allowed is None:
            beside, of_base = self._beside, self.base.sources(None)
        else:
            allowed = without_rows(np.unique(allowed), self.removed)
            beside = self._beside.among(allowed)
            unchanged = without_rows(allowed[allowed < len(self.base)], self.vectors_ID.rows)
            of_base = self.base.sources(unchanged) if len(unchanged) else []
        if not of_base:
            return [Source(beside.best, max(1, beside.count), complete=True)]
        return [_joined(source, self._is_stale, beside) for source in of_base]

    @cached_property
    def _beside(self) -> Scanned:
        """The changed items that are not removed."""
        vectors_PD, item_P = self.vectors_ID.stored
        if len(self.removed):
            item_P[is_among(item_P, self.removed)] = -1
        return Scanned(vectors_PD, item_P)

    def _is_stale(self, items_bn: np.ndarray) -> np.ndarray:
        """Which of these rows of the base say nothing any more."""
        return is_among(items_bn, self.vectors_ID.rows) | is_among(items_bn, self.removed)


def _joined(source: Source, is_stale: Callable[[np.ndarray], np.ndarray], beside: Scanned) -> Source:
    """Candidates of the source, without stale ones, and of what is scanned beside it; the best first."""
    most = source.most + beside.count if source.complete else source.most

    def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        from_base = min(n, source.most)
        first_bn, items_bn = source.fetch(query_bD, from_base)
        bound_b = first_bn[:, -1]  # nothing that the base did not tell of scores more, stale or not
        items_bn = np.where(is_stale(items_bn), -1, items_bn)
        if beside.count:
            first_bc, items_bc = beside.best(query_bD, min(n, beside.count))
            first_bn, items_bn = np.hstack([first_bn, first_bc]), np.hstack([items_bn, items_bc])
        if first_bn.shape[1] < n:
            lacking = ((0, 0), (0, n - first_bn.shape[1]))
            first_bn = np.pad(first_bn, lacking, constant_values=np.nan)
            items_bn = np.pad(items_bn, lacking, constant_values=-1)
        order_bn = np.argsort(-first_bn, axis=1, kind="stable")[:, :n]  # nan comes last
        first_bn = np.take_along_axis(first_bn, order_bn, axis=1)
        items_bn = np.take_along_axis(items_bn, order_bn, axis=1)
        if from_base == n:
            first_bn[np.isnan(bound_b), -1] = np.nan  # the base ran dry: it has not seen everything
        return first_bn, items_bn

    return Source(fetch, most, source.complete)
