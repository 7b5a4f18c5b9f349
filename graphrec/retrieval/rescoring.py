"""From a source of candidates to an exact order: fetch more than asked, score again in float64, stop when sure.

Shapes: B queries, b of one block, I items, D dimensions, K ranks, n candidates per query, N eligible pairs of a block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.retrieval.exclusion import Exclusion
from graphrec.retrieval.found import Found

_MARGIN = 16  # candidates beyond k and the excluded ones in the first fetch
_PAIRS = 2**20  # candidates of a block: bounds its working memory to some 50 MB
_RESCORED_BYTES = 2**25  # of vectors widened to float64 at a time
_SETTLED, _BEYOND = -1, 2**62  # in place of how many candidates a query needs


@dataclass(frozen=True)
class Source:
    """Where candidates come from."""

    fetch: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
    """(query_bD, n) → first scores (b, n), float32, falling, and item indices (b, n), -1 for none.

    Where it found fewer than n, the last scores are nan, and the query goes on to the next source: an index that runs
    dry has not seen everything.
    """
    most: int
    """Largest n worth asking for; queries that are not settled by then go on to the next source."""
    complete: bool
    """Whether the `most` first candidates are all items that may be answered."""


@dataclass(frozen=True)
class Request:
    """What is asked of the sources."""

    query_BD: np.ndarray
    vectors_ID: np.ndarray | Patched
    k: int
    excluded: Exclusion
    error_B: np.ndarray
    """The most by which a first score can differ from the final one, float64."""

    @classmethod
    def of(
        cls,
        query_BD: np.ndarray,
        vectors_ID: np.ndarray | Patched,
        k: int,
        exclude: sp.csr_matrix | Sequence[np.ndarray] | None,
        largest_norm: float,
    ) -> "Request":
        """For queries as they are given, and vectors no longer than `largest_norm`; `exclude` as `Exclusion.of` takes.

        Raises ValueError where shapes or indices do not fit or a query is not finite.
        """
        query_BD = np.ascontiguousarray(query_BD, dtype=np.float32)
        if query_BD.ndim != 2 or query_BD.shape[1] != vectors_ID.shape[1]:
            raise ValueError(f"Expected queries (B, {vectors_ID.shape[1]}), got {query_BD.shape}.")
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        excluded = Exclusion.of(exclude, len(query_BD), len(vectors_ID))
        return cls(query_BD, vectors_ID, k, excluded, product_error(query_BD, largest_norm))


def best_items(request: Request, sources: Sequence[Source]) -> Found:
    """The k best eligible items of each query; the last source must be complete.

    A query is settled when its k-th final score is beyond what an item that was not fetched can reach, ties included:
    above the last fetched first score plus the error. Until then n doubles. An answer depends on its own query only.
    """
    found = Found(
        np.full((len(request.query_BD), request.k), -1, dtype=np.int64),
        np.full((len(request.query_BD), request.k), np.nan, dtype=np.float32),
    )
    rows = np.arange(len(request.query_BD))
    for source in sources:
        rows = _settle(request, source, rows, found)
    return found


def product_error(query_BD: np.ndarray, largest_norm: float) -> np.ndarray:
    """Bound on |float32 inner product − exact one rounded to float32|, float64 (B,); norms of the items ≤ largest_norm.

    A sum of D rounded products in any order is off by at most D·u/(1 − D·u)·‖q‖·‖v‖ with u = 2⁻²⁴ (Higham 2002,
    section 3.1); one more u for rounding the exact product, and two for the bound itself.

    Raises ValueError where a product could leave the range of float32, or a query is not finite.
    """
    product_B = np.sqrt(np.einsum("bd,bd->b", query_BD, query_BD, dtype=np.float64)) * largest_norm
    if not (product_B < np.finfo(np.float32).max).all():  # written so that nan fails too
        raise ValueError("Expected finite queries with products below the float32 maximum.")
    terms = query_BD.shape[1] + 3
    rounding = terms * 2.0**-24
    return rounding / (1 - rounding) * product_B + terms * float(np.finfo(np.float32).tiny)


def _settle(request: Request, source: Source, rows: np.ndarray, found: Found) -> np.ndarray:
    """Answers as many of these queries as the source can; returns the others."""
    needed_B = request.k + request.excluded.count_B + _MARGIN
    for n in _sizes(int(needed_B[rows].min(initial=source.most)), source.most):
        is_last = source.complete and n == source.most
        due = rows if is_last else rows[needed_B[rows] <= n]
        step = max(1, _PAIRS // n)
        for start in range(0, len(due), step):
            block = due[start : start + step]
            settled_b = _answer(request, source, block, n, found) | is_last
            needed_B[block] = np.where(settled_b, _SETTLED, min(2 * n, source.most) if n < source.most else _BEYOND)
        rows = rows[needed_B[rows] != _SETTLED]
        if not len(rows):
            break
    return rows


def _answer(request: Request, source: Source, rows: np.ndarray, n: int, found: Found) -> np.ndarray:
    """Writes the best of n candidates into the lists of these queries; returns which are sure, bool (b,)."""
    query_bD = request.query_BD[rows]
    first_bn, items_bn = source.fetch(query_bD, n)
    row_N, column_N = np.nonzero((items_bn >= 0) & ~request.excluded.contains(rows, items_bn))
    item_N = items_bn[row_N, column_N]
    score_N = _inner_products(query_bD, row_N, request.vectors_ID, item_N)
    found.items_BK[rows], found.scores_BK[rows] = -1, np.nan
    if len(rows) == 1:  # most requests are of one query, and most of their time would go into telling rows apart
        best_N = np.lexsort((item_N, -score_N))[: request.k]
        found.items_BK[rows[0], : len(best_N)] = item_N[best_N]
        found.scores_BK[rows[0], : len(best_N)] = score_N[best_N]
    else:
        order_N = np.lexsort((item_N, -score_N, row_N))
        # Sorting moves pairs only within their query, so row_N holds for the sorted pairs as well.
        rank_N = np.arange(len(row_N)) - np.searchsorted(row_N, row_N)
        chosen_N = rank_N < request.k
        best_N = order_N[chosen_N]
        found.items_BK[rows[row_N[chosen_N]], rank_N[chosen_N]] = item_N[best_N]
        found.scores_BK[rows[row_N[chosen_N]], rank_N[chosen_N]] = score_N[best_N]
    kth_b = found.scores_BK[rows, -1].astype(np.float64)  # nan where fewer than k were eligible: never sure
    return kth_b > first_bn[:, -1].astype(np.float64) + request.error_B[rows]


def _inner_products(
    query_bD: np.ndarray, row_N: np.ndarray, vectors_ID: np.ndarray | Patched, item_N: np.ndarray
) -> np.ndarray:
    """Products of single pairs in float64, rounded to float32."""
    score_N = np.empty(len(row_N), dtype=np.float32)
    query_bD = query_bD.astype(np.float64)
    step = max(1, _RESCORED_BYTES // (24 * query_bD.shape[1]))
    for start in range(0, len(row_N), step):
        part = slice(start, start + step)
        vector_nD = vectors_ID[item_N[part]].astype(np.float64)
        # One query is seen n times, and not copied.
        query_nD = np.broadcast_to(query_bD, vector_nD.shape) if len(query_bD) == 1 else query_bD[row_N[part]]
        score_N[part] = np.einsum("nd,nd->n", query_nD, vector_nD)
    return score_N


def _sizes(least: int, most: int) -> Iterator[int]:
    """32, 40, 48, 56, 64, 80, …, from the first that is at least `least` on: quarters of a power; then `most` itself.

    Whoever asks for more asks for twice as many. Sizes are few, so that many queries are asked about together.
    """
    power = 32
    while power < most:
        for n in range(power, 2 * power, power // 4):
            if least <= n < most:
                yield n
        power *= 2
    if most:
        yield most
