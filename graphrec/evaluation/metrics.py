"""Ranking metrics per user: pure functions of where the hits are and how many relevant items there were.

All share one form, so that a new one is one function and one line in `METRICS`:

- `is_hit_UK`: bool (users × ranks), True where the item at that rank is relevant; False in the padding of a short list.
- `num_relevant_U`: int (users,), the user's relevant items in the pool, recommended or not.
- `k`: the cut-off, between 1 and K.
- the answer: float64 (users,), nan where a user has no relevant item, since nothing could be found there.

A list shorter than k (padded) is judged as a list of k: an empty place is a miss. Raises ValueError where k is outside
1..K or the two arrays disagree in users.
"""

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def recall(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """Share of the relevant items that stand in the first k: hits@k / num_relevant.

    The divisor is not capped at k, so a user with more than k relevant items cannot reach 1. Some libraries divide by
    min(num_relevant, k) and read higher. Manning, Raghavan and Schütze 2008, section 8.3.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    return _divide(hit_Uk.sum(axis=1), num_relevant_U)


def precision(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """Share of the k places that hold a relevant item: hits@k / k, also where the list is shorter than k.

    Manning, Raghavan and Schütze 2008, section 8.3.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    return np.where(num_relevant_U > 0, hit_Uk.sum(axis=1) / k, np.nan)


def f1(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """Harmonic mean of precision@k and recall@k, per user: 2·hits@k / (k + num_relevant); 0 where nothing was hit.

    The mean over users is not the harmonic mean of the mean precision and recall, which some reports show.
    Van Rijsbergen 1979, chapter 7.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    return np.where(num_relevant_U > 0, 2 * hit_Uk.sum(axis=1) / (k + num_relevant_U), np.nan)


def ndcg(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """Discounted gain over that of the best possible list: DCG@k / IDCG@k with binary gain.

    DCG@k = Σ hit(rank) / log2(rank + 1) over rank 1..k; IDCG@k is the same sum with hits at the first
    min(num_relevant, k) ranks, so a list of k hits reaches 1. Järvelin and Kekäläinen 2002.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    discount_k = 1 / np.log2(np.arange(2, k + 2))
    # Adding up along the ranks for both sums makes a perfect list exactly 1.
    gained_U = np.cumsum(hit_Uk * discount_k, axis=1)[:, -1]
    ideal_U = np.concatenate([[0.0], np.cumsum(discount_k)])[np.minimum(num_relevant_U, k)]
    return _divide(gained_U, ideal_U)


def hit_rate(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """1 where at least one of the first k is relevant, else 0. Deshpande and Karypis 2004.

    Some libraries call hits@k / num_relevant a hit rate; that is recall here.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    return np.where(num_relevant_U > 0, hit_Uk.any(axis=1).astype(np.float64), np.nan)


def reciprocal_rank(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """1 / rank of the first hit, 0 where the first k hold none; its mean is MRR@k. Voorhees 1999."""
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    reciprocal_U = np.where(hit_Uk.any(axis=1), 1 / (hit_Uk.argmax(axis=1) + 1), 0.0)
    return np.where(num_relevant_U > 0, reciprocal_U, np.nan)


def average_precision(is_hit_UK: np.ndarray, num_relevant_U: np.ndarray, k: int) -> np.ndarray:
    """Σ precision@rank over the ranks ≤ k that are hits, / num_relevant; its mean is MAP@k.

    The divisor is not capped at k, as in recall and in trec_eval. Manning, Raghavan and Schütze 2008, section 8.4.
    """
    hit_Uk = _first(k, is_hit_UK, num_relevant_U)
    precision_Uk = np.cumsum(hit_Uk, axis=1) / np.arange(1, k + 1)
    return _divide((precision_Uk * hit_Uk).sum(axis=1), num_relevant_U)


METRICS: dict[str, Metric] = {
    "recall": recall,
    "ndcg": ndcg,
    "precision": precision,
    "f1": f1,
    "hit_rate": hit_rate,
    "mrr": reciprocal_rank,
    "map": average_precision,
}
"""Name in a report → metric per user."""


def _first(k: int, is_hit_UK: np.ndarray, num_relevant_U: np.ndarray) -> np.ndarray:
    if is_hit_UK.ndim != 2 or num_relevant_U.shape != is_hit_UK.shape[:1]:
        raise ValueError(f"Expected hits (U, K) and counts (U,), got {is_hit_UK.shape} and {num_relevant_U.shape}.")
    if not 1 <= k <= is_hit_UK.shape[1]:
        raise ValueError(f"Expected a cut-off between 1 and the {is_hit_UK.shape[1]} ranks given, got {k}.")
    return is_hit_UK[:, :k].astype(bool, copy=False)


def _divide(numerator_U: np.ndarray, divisor_U: np.ndarray) -> np.ndarray:
    undefined_U = np.full(len(divisor_U), np.nan)
    return np.divide(numerator_U, divisor_U, out=undefined_U, where=divisor_U > 0)
