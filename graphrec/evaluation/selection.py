"""The best of a block of scores: which pairs can reach a list at all, and which do.

Shapes: B users of one block, P items of the pool, N pairs that may still reach a list, M that do.
"""

import numpy as np

_GROUPS_PER_RANK = 8


def may_reach_list(first_BP: np.ndarray, error_B: np.ndarray, k: int) -> np.ndarray:
    """Eligible pairs whose final score may be among the user's k largest, ties included, and few others.

    Where k items have a first score of t or above, k items end at t - error or above. So whatever ends in the list ends
    there too, and started at t - 2 error or above.
    """
    pool_size = first_BP.shape[1]
    if pool_size <= k:
        return first_BP > -np.inf
    threshold_B = reached_by_k(first_BP, k).astype(np.float64) - 2 * error_B
    # Rounded down to float32: comparing in float64 would widen the whole block. Excluded pairs (-inf) stay below it.
    lowest = np.finfo(np.float32).min
    threshold_B = np.maximum(np.nextafter(threshold_B.astype(np.float32), np.float32(-np.inf)), lowest)
    return first_BP >= threshold_B[:, None]


def reached_by_k(first_BP: np.ndarray, k: int) -> np.ndarray:
    """A score that at least k items of each user reach, (B,): the k-th largest of the maxima of groups of items.

    With many more groups than k it is hardly below the k-th largest score, at a fraction of the cost of finding that.
    """
    pool_size = first_BP.shape[1]
    per_group = max(1, pool_size // (_GROUPS_PER_RANK * k))
    num_groups = pool_size // per_group
    grouped_BP = first_BP[:, : per_group * num_groups]  # what is left over can only lift the score
    largest_BG = grouped_BP.reshape(len(first_BP), per_group, num_groups).max(axis=1)
    largest_BG.partition(num_groups - k, axis=1)
    return largest_BG[:, num_groups - k]


def best_pairs(count_B: np.ndarray, score_N: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k best pairs of each user as (row, rank, number of the pair); equal scores stand in the order of the pairs.

    The pairs come user by user, `count_B` of each.
    """
    start_B = np.cumsum(count_B) - count_B
    widest = int(count_B.max(initial=0))
    is_pair_BW = np.arange(widest) < count_B[:, None]
    negative_BW = np.full(is_pair_BW.shape, np.inf, dtype=np.float32)
    negative_BW[is_pair_BW] = -score_N
    order_BK = np.argsort(negative_BW, axis=1, kind="stable")[:, :k]
    row_M, rank_M = np.nonzero(np.arange(order_BK.shape[1]) < count_B[:, None])
    return row_M, rank_M, start_B[row_M] + order_BK[row_M, rank_M]
