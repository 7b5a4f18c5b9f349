"""Ranked lists in, metrics per user out; averages come last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists, hits


@dataclass(frozen=True)
class PerUserMetrics:
    """Every metric of one arm in one pool, per user."""

    user_index_U: np.ndarray
    values: dict[str, np.ndarray]
    """Name with cut-off, such as recall@20 → float64 (U,), nan where the user has no relevant item in the pool."""

    def means(self) -> dict[str, float]:
        """The mean over the users for whom the metric is defined; nan where there is none."""
        return {name: _mean_of_defined(value_U) for name, value_U in self.values.items()}


def evaluate(lists: RankedLists, pool: Pool, user_index_U: np.ndarray, ks: Sequence[int]) -> PerUserMetrics:
    """All metrics at all cut-offs for the lists of the given users (row by row), normally `pool.users`.

    Raises ValueError where lists and users differ in number, the lists (with their padding) are shorter than a cut-off,
    or they hold an item that is not in the pool or that the user has seen: such an arm would not be comparable.
    """
    if len(lists) != len(user_index_U):
        raise ValueError(f"Expected one list per user, got {len(lists)} lists for {len(user_index_U)} users.")
    outside = np.setdiff1d(lists.items_UK, np.append(pool.items, -1))
    if len(outside):
        raise ValueError(
            f"Expected items of the {pool.name} pool only, got {len(outside)} others, one is {outside[0]}."
        )
    is_seen_UK, _ = hits(lists, pool.seen[user_index_U])
    if is_seen_UK.any():
        raise ValueError(f"Expected no seen item in a list, got {is_seen_UK.sum()} of them.")
    is_hit_UK, num_relevant_U = hits(lists, pool.truth[user_index_U])
    values = {f"{name}@{k}": metric(is_hit_UK, num_relevant_U, k) for name, metric in METRICS.items() for k in ks}
    return PerUserMetrics(user_index_U, values)


def _mean_of_defined(value_U: np.ndarray) -> float:
    defined_U = value_U[~np.isnan(value_U)]
    return float(defined_U.mean()) if len(defined_U) else float("nan")
