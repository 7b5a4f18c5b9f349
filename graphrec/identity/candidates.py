"""Which pairs of items are worth comparing: nearest neighbours across two sites, never all pairs.

Shapes: P pairs, B queries of one search, K neighbours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrec.progress import Progress, silent
from graphrec.retrieval.item_index import IndexConfig, ItemIndex

_QUERIES = 4096
_EXACT_UP_TO = 20_000


@dataclass(frozen=True)
class Pairs:
    """P distinct pairs of item indices (int64), sorted: one of the left site, one of the right."""

    left_P: np.ndarray
    right_P: np.ndarray

    @classmethod
    def of(cls, left_P: np.ndarray, right_P: np.ndarray) -> Self:
        """From pairs in any order, each kept once."""
        left_P, right_P = np.asarray(left_P, dtype=np.int64), np.asarray(right_P, dtype=np.int64)
        order = np.lexsort((right_P, left_P))
        left_P, right_P = left_P[order], right_P[order]
        is_first_P = np.r_[True, (np.diff(left_P) != 0) | (np.diff(right_P) != 0)][: len(left_P)]
        return cls(left_P[is_first_P], right_P[is_first_P])

    @classmethod
    def joined(cls, parts: "Sequence[Pairs]") -> Self:
        """All pairs of several, each kept once."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls.of(
            np.concatenate([nothing, *(part.left_P for part in parts)]),
            np.concatenate([nothing, *(part.right_P for part in parts)]),
        )

    def take(self, chosen_P: np.ndarray) -> "Pairs":
        """The pairs under a mask, or at sorted places."""
        return Pairs(self.left_P[chosen_P], self.right_P[chosen_P])

    def __len__(self) -> int:
        return len(self.left_P)


def block_groups(
    left: np.ndarray, right: np.ndarray, block_I: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The groups within which items of two sites are compared, as item indices of either.

    `block_I` holds a code per item, -1 where it is missing: such an item is compared with every item of the other site.
    """
    if block_I is None:
        yield left, right
        return
    for code in np.unique(block_I[left]):
        here = left[block_I[left] == code]
        there = right if code < 0 else right[(block_I[right] == code) | (block_I[right] < 0)]
        if len(there):
            yield here, there


@dataclass(frozen=True)
class Search:
    """Nearest items of a pool, for each of B queries: both are item indices, rows of `vectors_ID`.

    Items with a zero vector are left out of both.
    """

    vectors_ID: np.ndarray
    queries: np.ndarray
    pool: np.ndarray
    k: int

    @classmethod
    def of(cls, vectors_ID: np.ndarray, queries: np.ndarray, pool: np.ndarray, k: int) -> Self:
        """Without the items that have a zero vector."""
        queries, pool = (items[vectors_ID[items].any(axis=1)] for items in (queries, pool))
        return cls(vectors_ID, queries, pool, min(k, len(pool)))

    @property
    def num_steps(self) -> int:
        """How many arrays `steps` yields."""
        return -(-len(self.queries) // _QUERIES) if len(self.pool) else 0

    def steps(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Queries, and beside each one of its k nearest items; up to 20 k items are searched exactly, more in cells."""
        if not self.num_steps:
            return
        index = ItemIndex.build(self.vectors_ID[self.pool], IndexConfig(factory=_factory(len(self.pool))))
        for start in range(0, len(self.queries), _QUERIES):
            queries = self.queries[start : start + _QUERIES]
            found_BK = index.search(self.vectors_ID[queries], self.k).items_BK
            yield np.repeat(queries, self.k), self.pool[found_BK.ravel()]


def nearest_pairs(
    searched: Iterable[np.ndarray], groups: Sequence[tuple[np.ndarray, np.ndarray]], k: int, progress: Progress = silent
) -> Pairs:
    """Each left item with its k nearest right ones and each right one with its k nearest left ones, by any vectors.

    `searched` are vectors (I, D) of all items; a group is left and right items that are compared with each other.
    """
    searches = [
        (Search.of(vectors_ID, *(group[::-1] if is_back else group), k), is_back)
        for vectors_ID in searched
        for group in groups
        for is_back in (False, True)
    ]
    steps = ((found, is_back) for search, is_back in searches for found in search.steps())
    parts = []
    for found, is_back in progress(steps, "Looking for similar items", sum(one.num_steps for one, _ in searches)):
        parts.append(Pairs(*(found[::-1] if is_back else found)))
    return Pairs.joined(parts)


def _factory(num_items: int) -> str:
    """Cells for many items: they are far quicker to build than links between items, and asked only once per item."""
    return "Flat" if num_items <= _EXACT_UP_TO else f"IVF{2 ** round(np.log2(4 * np.sqrt(num_items)))},Flat"
