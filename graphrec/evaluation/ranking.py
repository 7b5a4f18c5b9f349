"""Full ranking of a pool of items for many users, block by block: every candidate competes, none is sampled.

Shapes: U users asked, I items of the catalogue, P of them in the pool, D dimensions, B users of one block, K ranks,
N (user, item) pairs that may still reach a list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.scorers import GivenScores, InnerProducts, Scorer
from graphrec.evaluation.selection import best_pairs, may_reach_list

BLOCK_BYTES = 256 * 2**20
"""Default bound on the working memory: a third each for a block's scores, the pairs kept of it and their vectors."""

_BYTES_PER_SCORE = 16  # the score, its partitioned copy and two masks
_BYTES_PER_PAIR = 80  # user, position, first and final score, rank, sort keys and order
_CACHED_BYTES = 8 * 2**20
"""A block's scores are passed over several times, so they had better stay in the cache; more memory does not help."""
_LEAST_ROWS = 64  # below that a matrix product is slow


@dataclass(frozen=True)
class RankedLists:
    """The K best items of each user, best first; where fewer were eligible, the rest of the row is padding.

    Raises ValueError where the shapes differ or an item stands twice in one list.
    """

    items_UK: np.ndarray
    """Item indices, int64, -1 in the padding."""
    scores_UK: np.ndarray
    """float32, nan in the padding."""

    def __post_init__(self) -> None:
        if self.items_UK.ndim != 2 or self.items_UK.shape != self.scores_UK.shape:
            raise ValueError(f"Expected two (U, K) arrays, got {self.items_UK.shape} and {self.scores_UK.shape}.")
        ordered_UK = np.sort(self.items_UK, axis=1)
        if ((ordered_UK[:, 1:] == ordered_UK[:, :-1]) & (ordered_UK[:, 1:] >= 0)).any():
            raise ValueError("Expected every item at most once in a user's list.")

    def __len__(self) -> int:
        return len(self.items_UK)


def rank_by_vectors(
    query_UD: np.ndarray,
    vectors_ID: np.ndarray,
    pool: np.ndarray,
    seen: sp.csr_matrix | None,
    k: int,
    block_bytes: int = BLOCK_BYTES,
) -> RankedLists:
    """The k items of the pool with the largest inner product, for each query.

    `vectors_ID` holds the whole catalogue; `pool` names its rows that compete, sorted. `seen` (users × items, rows
    aligned with the queries, every stored entry counts) is excluded. Queries and vectors are taken as float32.

    A list is a function of its own query, the pool's vectors and the user's seen items, and of nothing else, bit for
    bit: not of the block size, the other users asked or the number of threads. A fast float32 product, whose last bits
    do depend on the block's shape, only chooses the pairs that can still reach the list within its rounding error.
    Those are scored again one by one in float64 and rounded to float32; equal rounded scores stand in the order of item
    index. Between machines the float64 sum may differ in its last bit, which the rounding hides all but always.

    Beyond the arguments, the lists and one copy of the pool's vectors, at most about `block_bytes` are in use (but
    always at least one user's scores over the pool).

    Raises ValueError where shapes do not fit, the pool is not sorted and distinct, or numbers are not finite.
    """
    query_UD = np.ascontiguousarray(query_UD, dtype=np.float32)
    if query_UD.ndim != 2 or vectors_ID.ndim != 2 or query_UD.shape[1] != vectors_ID.shape[1]:
        raise ValueError(f"Expected queries (U, D) and vectors (I, D), got {query_UD.shape} and {vectors_ID.shape}.")
    _check_pool(pool, len(vectors_ID))
    whole = len(pool) == len(vectors_ID)
    vectors_PD = np.ascontiguousarray(vectors_ID if whole else vectors_ID[pool], dtype=np.float32)
    return _rank(InnerProducts.of(query_UD, vectors_PD), len(query_UD), len(vectors_ID), pool, seen, k, block_bytes)


def rank_by_scores(
    score_block: Callable[[np.ndarray], np.ndarray],
    num_users: int,
    num_items: int,
    pool: np.ndarray,
    seen: sp.csr_matrix | None,
    k: int,
    block_bytes: int = BLOCK_BYTES,
) -> RankedLists:
    """The k items of the pool with the largest score, for arms that are not inner products (popularity, random).

    `score_block(rows)` gets consecutive rows out of 0..num_users-1 (int64, B) and returns their scores over the pool,
    (B, P), aligned with `pool`; they are copied, so a broadcast row will do. Scores are rounded to float32; equal ones
    stand in the order of item index. The answer does not depend on the block size as long as a user's scores do not
    depend on who shares the block: a random arm draws from a generator per user.

    `seen`, memory and errors as in `rank_by_vectors`.
    """
    _check_pool(pool, num_items)
    return _rank(GivenScores(score_block, len(pool)), num_users, num_items, pool, seen, k, block_bytes)


def hits(lists: RankedLists, truth: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Where the lists hit: is_hit_UK (bool, False in the padding) and num_relevant_U (int64), as the metrics take them.

    `truth` is users × items with rows aligned with the lists; every stored entry is a relevant item.
    """
    if truth.shape[0] != len(lists):
        raise ValueError(f"Expected one row of truth per list, got {truth.shape[0]} rows for {len(lists)} lists.")
    if lists.items_UK.size and lists.items_UK.max() >= truth.shape[1]:
        raise ValueError(f"Expected item indices below {truth.shape[1]}, got {lists.items_UK.max()}.")
    truth = sp.csr_matrix(truth, copy=not truth.has_canonical_format)
    truth.sum_duplicates()
    num_relevant_U = np.diff(truth.indptr).astype(np.int64)
    row_U = np.arange(len(lists), dtype=np.int64) * truth.shape[1]
    relevant_key_N = np.repeat(row_U, num_relevant_U) + truth.indices  # rising, for indices are sorted within a row
    key_UK = row_U[:, None] + lists.items_UK
    place_UK = np.searchsorted(relevant_key_N, key_UK)
    is_hit_UK = np.append(relevant_key_N, -1)[place_UK] == key_UK
    return is_hit_UK & (lists.items_UK >= 0), num_relevant_U


def _rank(
    scorer: Scorer,
    num_users: int,
    num_items: int,
    pool: np.ndarray,
    seen: sp.csr_matrix | None,
    k: int,
    block_bytes: int,
) -> RankedLists:
    if k < 1:
        raise ValueError(f"Expected k of at least 1, got {k}.")
    if seen is not None and seen.shape != (num_users, num_items):
        raise ValueError(f"Expected seen items of shape {(num_users, num_items)}, got {seen.shape}.")
    items_UK = np.full((num_users, k), -1, dtype=np.int64)
    scores_UK = np.full((num_users, k), np.nan, dtype=np.float32)
    position_I = np.full(num_items, -1, dtype=np.int64)
    position_I[pool] = np.arange(len(pool))
    for block in _slices(num_users, _rows_per_block(len(pool), block_bytes)):
        rows = np.arange(block.start, block.stop)
        first_BP = scorer.first(rows)
        if seen is not None:
            _exclude(first_BP, seen[block], position_I)
        kept_BP = may_reach_list(first_BP, scorer.error(rows), k)
        count_B = kept_BP.sum(axis=1)
        for part in _parts(count_B, block_bytes // 3 // _BYTES_PER_PAIR):
            row_N, position_N = np.divmod(np.flatnonzero(kept_BP[part]), len(pool))
            score_N = scorer.final(rows[part][row_N], position_N, first_BP[part][row_N, position_N])
            row_M, rank_M, best_M = best_pairs(count_B[part], score_N, k)
            items_UK[rows[part][row_M], rank_M] = pool[position_N[best_M]]
            scores_UK[rows[part][row_M], rank_M] = score_N[best_M]
    return RankedLists(items_UK, scores_UK)


def _rows_per_block(pool_size: int, block_bytes: int) -> int:
    fitting = block_bytes // 3 // max(1, _BYTES_PER_SCORE * pool_size)
    return min(fitting, max(_LEAST_ROWS, _CACHED_BYTES // max(1, 4 * pool_size)))


def _exclude(first_BP: np.ndarray, seen: sp.csr_matrix, position_I: np.ndarray) -> None:
    row_N = np.repeat(np.arange(len(first_BP)), np.diff(seen.indptr))
    position_N = position_I[seen.indices]
    in_pool_N = position_N >= 0
    first_BP[row_N[in_pool_N], position_N[in_pool_N]] = -np.inf


def _check_pool(pool: np.ndarray, num_items: int) -> None:
    if pool.ndim != 1 or not np.issubdtype(pool.dtype, np.integer) or (np.diff(pool) <= 0).any():
        raise ValueError("Expected the pool as a sorted one-dimensional array of distinct item indices.")
    if len(pool) and (pool[0] < 0 or pool[-1] >= num_items):
        raise ValueError(f"Expected pool indices in [0, {num_items}), got {pool[0]}..{pool[-1]}.")


def _slices(length: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def _parts(count_B: np.ndarray, most: int) -> Iterator[slice]:
    """Runs of consecutive rows that fit `most` cells when each row is as wide as the run's widest, or of one row."""
    start = 0
    while start < len(count_B):
        cells_R = np.maximum.accumulate(count_B[start:]) * np.arange(1, len(count_B) - start + 1)
        stop = start + max(1, int(np.searchsorted(cells_R, most, side="right")))
        yield slice(start, stop)
        start = stop
