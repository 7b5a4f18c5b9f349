"""A FAISS index with what changed since it was built: changed and new vectors are scanned beside it, old ones ignored.

So an item is retrievable as soon as its vector is there, whatever the factory, and removal costs nothing; the answer is
that of an index over the vectors as they are now. Once many vectors changed, build a new one.

Shapes: B queries, I items, P of them allowed, C changed ones, D dimensions, K ranks, n candidates of a block b.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.retrieval.exclusion import Exclusion
from graphrec.retrieval.found import Found
from graphrec.retrieval.item_index import ItemIndex
from graphrec.retrieval.rescoring import Request, Source, best_items, product_error


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
        """With exactly these items removed."""
        return LiveIndex(self.base, self.vectors_ID, np.unique(removed).astype(np.int64), self.largest_norm)

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
        query_BD = np.ascontiguousarray(query_BD, dtype=np.float32)
        if query_BD.ndim != 2 or query_BD.shape[1] != self.vectors_ID.shape[1]:
            raise ValueError(f"Expected queries (B, {self.vectors_ID.shape[1]}), got {query_BD.shape}.")
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        excluded = Exclusion.of(exclude, len(query_BD), len(self))
        error_B = product_error(query_BD, self.largest_norm)
        request = Request(query_BD, self.vectors_ID, k, excluded, error_B)
        return best_items(request, self._sources(allowed))

    def _sources(self, allowed: np.ndarray | None) -> list[Source]:
        size = len(self.base)
        if allowed is None:
            changed, vectors_CD = self._changed
            of_base = self.base.sources(None)
        else:
            allowed = np.setdiff1d(allowed, self.removed)
            changed = np.intersect1d(self.vectors_ID.rows, allowed, assume_unique=True)
            vectors_CD = self.vectors_ID[changed]
            unchanged = np.setdiff1d(allowed[allowed < size], changed, assume_unique=True)
            of_base = self.base.sources(unchanged) if len(unchanged) else []
        if not of_base:
            return [_scan(changed, vectors_CD)]
        return [_beside(source, self._stale, changed, vectors_CD) for source in of_base]

    @cached_property
    def _changed(self) -> tuple[np.ndarray, np.ndarray]:
        """The changed items that are not removed, with their vectors."""
        changed = np.setdiff1d(self.vectors_ID.rows, self.removed, assume_unique=True)
        return changed, self.vectors_ID[changed]

    @cached_property
    def _stale(self) -> np.ndarray:
        """Rows of the base that say nothing any more, rising."""
        stale = np.union1d(self.vectors_ID.rows, self.removed)
        return stale[stale < len(self.base)]


def _scan(items: np.ndarray, vectors_CD: np.ndarray) -> Source:
    """All of a few items."""

    def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        if not len(items):
            return np.full((len(query_bD), n), np.nan, np.float32), np.full((len(query_bD), n), -1)
        first_bn, place_bn = faiss.knn(query_bD, vectors_CD, n, metric=faiss.METRIC_INNER_PRODUCT)
        return first_bn, items[place_bn]

    return Source(fetch, max(1, len(items)), complete=True)


def _beside(source: Source, stale: np.ndarray, changed: np.ndarray, vectors_CD: np.ndarray) -> Source:
    """Candidates of the source, without stale ones, and of the changed items; the best first."""
    scan = _scan(changed, vectors_CD)
    most = source.most + len(changed) if source.complete else source.most

    def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        from_base = min(n, source.most)
        first_bn, items_bn = source.fetch(query_bD, from_base)
        bound_b = first_bn[:, -1]  # nothing that the base did not tell of scores more, stale or not
        if len(stale):
            place_bn = np.minimum(np.searchsorted(stale, items_bn), len(stale) - 1)
            items_bn = np.where(stale[place_bn] == items_bn, -1, items_bn)
        if len(changed):
            first_bc, items_bc = scan.fetch(query_bD, min(n, len(changed)))
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
