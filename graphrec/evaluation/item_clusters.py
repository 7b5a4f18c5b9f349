"""How sure a difference is when other items had been held out: a bootstrap that draws items, whole, as clusters.

The bootstrap over users (`intervals`) asks what other users would say of these items. All users are asked about the
same few hundred held-out items, though, so an arm that happens to suit ten of them looks good for everybody. Here the
held-out items are drawn with replacement, each with all its users (Field and Welsh 2007; Cameron, Gelbach and Miller
2008, section III).

Estimator. A metric that is a sum of one credit per relevant item, m_u = Σ_i c_ui over the user's n_u relevant items
(0 where an item was not found), is n_u times the mean of those credits. With w_i the number of times that item i was
drawn it becomes

    m_u(w) = n_u · Σ_i w_i c_ui / Σ_i w_i r_ui        r_ui = 1 where i is relevant to u

averaged over the users of whose relevant items at least one was drawn; w = 1 gives the metric itself. For recall this
is the weighted recall Σ w·hit / Σ w. For the others an item's credit is what it is in the list that was shown: the pool
that competes is not drawn again, so ranks, cut-off and ideal gain stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.findings import Findings

_CELLS_PER_BLOCK = 2**21  # users × resamples held at once


@dataclass(frozen=True)
class ItemInterval:
    """Percentile interval of the mean difference over drawn items."""

    low: float
    high: float
    num_items: int
    """Items that are relevant to at least one user: the clusters."""
    num_resamples: int


def credits(findings: Findings, metric: str, k: int) -> sp.csr_matrix:
    """What each relevant item that was found adds to its user's metric@k, float64 (U, I); the row sums are the metric.

    recall 1/n; precision 1/k; f1 2/(k + n); ndcg discount(rank) / ideal gain of n; map (hits up to rank / rank) / n.
    Raises ValueError for a metric that is no such sum (a hit rate and a reciprocal rank are not).
    """
    if metric not in _CREDIT:
        raise ValueError(f"Expected one of {', '.join(_CREDIT)}, got {metric!r}.")
    rank_N = findings.rank_UI.data
    found_U = np.diff(findings.rank_UI.indptr)
    user_N = np.repeat(np.arange(len(found_U)), found_U)
    relevant_N = np.diff(findings.relevant_UI.indptr)[user_N]
    order_N = np.lexsort((rank_N, user_N))
    hits_so_far_N = np.empty(len(rank_N), dtype=np.int64)
    hits_so_far_N[order_N] = np.arange(len(rank_N)) - findings.rank_UI.indptr[user_N] + 1
    credit_N = np.where(rank_N <= k, _CREDIT[metric](rank_N, relevant_N, hits_so_far_N, k), 0.0)
    return sp.csr_matrix((credit_N, findings.rank_UI.indices, findings.rank_UI.indptr), findings.rank_UI.shape)


def item_clustered_bootstrap(
    difference_UI: Sequence[sp.csr_matrix],
    relevant_UI: sp.csr_matrix,
    rng: np.random.Generator,
    num_resamples: int = 2_000,
    level: float = 0.95,
) -> list[ItemInterval]:
    """An interval for each matrix of credit differences (first arm's less second arm's), all from the same draws.

    Users without a relevant item take no part. Cost: resamples × stored pairs for each matrix; memory is bounded.
    Raises ValueError where fewer than two items are relevant to anybody, or shapes differ.
    """
    if any(one.shape != relevant_UI.shape for one in difference_UI):
        raise ValueError(f"Expected differences of shape {relevant_UI.shape}, got {[m.shape for m in difference_UI]}.")
    clusters = np.unique(relevant_UI.indices)
    if len(clusters) < 2:
        raise ValueError(f"Expected at least 2 items that are relevant to somebody, got {len(clusters)}.")
    num_relevant_U = np.diff(relevant_UI.indptr).astype(np.float64)
    users = np.flatnonzero(num_relevant_U)
    relevant_UC = relevant_UI[users][:, clusters].astype(np.float64)
    # n_u goes into the credits once, rather than into every resample.
    scaled_UC = [sp.csr_matrix(sp.diags(num_relevant_U[users]) @ one[users][:, clusters]) for one in difference_UI]
    means_DR = np.empty((len(scaled_UC), num_resamples))
    columns = max(1, _CELLS_PER_BLOCK // max(len(users), len(clusters)))
    for start in range(0, num_resamples, columns):
        part = slice(start, min(start + columns, num_resamples))
        weight_CR = _drawn_counts(rng, len(clusters), part.stop - part.start)
        drawn_UR = relevant_UC @ weight_CR
        counted_R = (drawn_UR > 0).sum(axis=0)
        share_UR = np.divide(1.0, drawn_UR, out=drawn_UR, where=drawn_UR > 0)  # stays 0 for users who drop out
        for row, one_UC in enumerate(scaled_UC):
            means_DR[row, part] = np.einsum("ur,ur->r", one_UC @ weight_CR, share_UR) / counted_R
    means_DR = np.round(means_DR, 12)  # as in `intervals`: a mean that is zero is on no side of it
    tail = (1 - level) / 2
    return [
        ItemInterval(float(low), float(high), len(clusters), num_resamples)
        for low, high in np.quantile(means_DR, [tail, 1 - tail], axis=1).T
    ]


def _drawn_counts(rng: np.random.Generator, num_items: int, num_resamples: int) -> np.ndarray:
    """How often each item is drawn in each resample of as many draws as items, float64 (C, R)."""
    drawn_RC = rng.integers(num_items, size=(num_resamples, num_items))
    drawn_RC += num_items * np.arange(num_resamples)[:, None]
    counts_RC = np.bincount(drawn_RC.ravel(), minlength=num_resamples * num_items)
    return np.ascontiguousarray(counts_RC.reshape(num_resamples, num_items).T, dtype=np.float64)


def _ndcg_credit(rank_N: np.ndarray, relevant_N: np.ndarray, hits_so_far_N: np.ndarray, k: int) -> np.ndarray:
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    return 1 / np.log2(rank_N + 1.0) / ideal[np.minimum(relevant_N, k)]


_CREDIT: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]] = {
    "recall": lambda rank_N, relevant_N, hits_so_far_N, k: 1 / relevant_N,
    "ndcg": _ndcg_credit,
    "precision": lambda rank_N, relevant_N, hits_so_far_N, k: np.full(len(rank_N), 1 / k),
    "f1": lambda rank_N, relevant_N, hits_so_far_N, k: 2 / (k + relevant_N),
    "map": lambda rank_N, relevant_N, hits_so_far_N, k: hits_so_far_N / rank_N / relevant_N,
}
ADDITIVE = tuple(_CREDIT)
"""The metrics that are a sum of credits."""
