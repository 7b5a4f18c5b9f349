"""What the lists of all users are like together: how much of the pool they show, how known, how varied, how evenly.

Nothing here asks whether a list is right. Shapes: U lists of K ranks, I items, F features; an empty place (-1) counts
as nothing shown.
"""

import numpy as np
import scipy.sparse as sp

LIST_METRICS = ("coverage", "novelty", "diversity", "gini", "cold_share")
"""Names in a report, in the order of a table."""

_BLOCK_BYTES = 32 * 2**20  # of a block of users' summed feature vectors


def list_metrics(
    items_UK: np.ndarray, k: int, pool: np.ndarray, degree_I: np.ndarray, num_users: int, x_IF: np.ndarray
) -> dict[str, float]:
    """All of `LIST_METRICS` at one cut-off, by name with cut-off.

    `degree_I` counts each item's users in training, `num_users` the users with a training edge, `x_IF` is what
    diversity is measured in. Raises ValueError where k is outside 1..K or an item is not in the pool.
    """
    items_Uk = _first(k, items_UK)
    return {
        f"coverage@{k}": catalogue_coverage(items_Uk, pool),
        f"novelty@{k}": novelty(items_Uk, degree_I, num_users),
        f"diversity@{k}": intra_list_diversity(items_Uk, x_IF),
        f"gini@{k}": exposure_gini(items_Uk, pool),
        f"cold_share@{k}": cold_share(items_Uk, degree_I),
    }


def catalogue_coverage(items_UK: np.ndarray, pool: np.ndarray) -> float:
    """Share of the pool's items that stand in at least one list; nan for an empty pool. Herlocker et al. 2004."""
    return float((_exposure(items_UK, pool) > 0).mean()) if len(pool) else float("nan")


def exposure_gini(items_UK: np.ndarray, pool: np.ndarray) -> float:
    """Gini coefficient of the number of lists that show each item of the pool, items that nobody is shown included.

    0: every item is shown equally often; (P - 1) / P: one item has all places. Σ (2·rank - P - 1)·n / (P·Σ n), items
    ranked by n ascending. nan where nothing is shown. Fleder and Hosanagar 2009.
    """
    exposure_P = np.sort(_exposure(items_UK, pool)).astype(np.float64)
    if not exposure_P.sum():
        return float("nan")
    rank_P = np.arange(1, len(exposure_P) + 1)
    return float(((2 * rank_P - len(exposure_P) - 1) * exposure_P).sum() / (len(exposure_P) * exposure_P.sum()))


def novelty(items_UK: np.ndarray, degree_I: np.ndarray, num_users: int) -> float:
    """Mean self-information of the shown items in bits, per list, then over the lists that show anything.

    -log2 p with p = (degree + 1) / (num_users + 1), the share of training users who touched the item, one more added
    on both sides: a cold item, whose share is 0, counts as the finite most, log2(num_users + 1), just above an item
    that one user touched. nan where no list shows anything. Zhou et al. 2010, without the added one.
    """
    bits_I = np.log2(num_users + 1) - np.log2(degree_I + 1.0)
    is_shown_UK = items_UK >= 0
    bits_UK = np.where(is_shown_UK, bits_I[items_UK], 0.0)
    return _mean_of_lists(bits_UK.sum(axis=1), is_shown_UK.sum(axis=1))


def cold_share(items_UK: np.ndarray, degree_I: np.ndarray) -> float:
    """Share of all filled places that hold an item without a training edge; nan where no place is filled."""
    shown_N = items_UK[items_UK >= 0]
    return float((degree_I[shown_N] == 0).mean()) if len(shown_N) else float("nan")


def intra_list_diversity(items_UK: np.ndarray, x_IF: np.ndarray) -> float:
    """Mean of 1 - cosine over the pairs of a list, then over the lists that have a pair. Ziegler et al. 2005.

    An item whose vector is zero (it lacks every feature) is in no pair, since it is neither near nor far. nan where no
    list has a pair. The pairs are not visited: n unit vectors with sum s have (‖s‖² - n) / 2 as their sum of cosines,
    so memory is that of a block of users × features.

    A comparison measures it in the features x before any learning, the blocks of all modalities side by side
    (`features.blocks`), so that every arm is held to one ruler and none to its own vectors.
    """
    length_I = np.linalg.norm(x_IF, axis=1)
    weight_I = np.divide(1.0, length_I, out=np.zeros(len(length_I)), where=length_I > 0).astype(np.float32)
    num_users, k = items_UK.shape
    total_U, pairs_U = np.zeros(num_users), np.zeros(num_users)
    rows = max(1, _BLOCK_BYTES // (8 * max(1, x_IF.shape[1])))
    for start in range(0, num_users, rows):
        items_BK = items_UK[start : start + rows]
        weight_BK = np.where(items_BK >= 0, weight_I[items_BK], 0.0)
        shown = sp.csr_matrix(
            (weight_BK.ravel(), np.maximum(items_BK, 0).ravel(), np.arange(0, items_BK.size + 1, k)),
            (len(items_BK), len(x_IF)),
        )
        sum_BF = (shown @ x_IF).astype(np.float64)
        count_B = (weight_BK > 0).sum(axis=1)
        pairs_U[start : start + rows] = count_B * (count_B - 1) / 2
        total_U[start : start + rows] = (np.einsum("bf,bf->b", sum_BF, sum_BF) - count_B) / 2
    return _mean_of_lists(pairs_U - total_U, pairs_U)


def _first(k: int, items_UK: np.ndarray) -> np.ndarray:
    if items_UK.ndim != 2 or not 1 <= k <= items_UK.shape[1]:
        raise ValueError(f"Expected lists (U, K) and a cut-off between 1 and K, got {items_UK.shape} and {k}.")
    return items_UK[:, :k]


def _exposure(items_UK: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """How many lists show each item of the (sorted) pool, (P,)."""
    shown_N = items_UK[items_UK >= 0]
    position_N = np.searchsorted(pool, shown_N)
    if len(shown_N) and (not len(pool) or (pool[np.minimum(position_N, len(pool) - 1)] != shown_N).any()):
        raise ValueError("Expected lists that show items of the pool only.")
    return np.bincount(position_N, minlength=len(pool))


def _mean_of_lists(total_U: np.ndarray, count_U: np.ndarray) -> float:
    has_any_U = count_U > 0
    return float((total_U[has_any_U] / count_U[has_any_U]).mean()) if has_any_U.any() else float("nan")
