"""Ranked lists in, metrics per user out; averages come last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.evaluation.findings import Findings
from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists


@dataclass(frozen=True)
class PerUserMetrics:
    """Every metric of one arm in one pool, per user."""

    user_index_U: np.ndarray
    values: dict[str, np.ndarray]
    """Name with cut-off, such as recall@20 → float64 (U,), nan where the user has no relevant item in the pool."""

    def means(self) -> dict[str, float]:
        """The mean over the users for whom the metric is defined; nan where there is none."""
        return {name: mean_of_defined(value_U) for name, value_U in self.values.items()}


def evaluate(lists: RankedLists, pool: Pool, user_index_U: np.ndarray, ks: Sequence[int]) -> PerUserMetrics:
    """All metrics at all cut-offs for the lists of the given users (row by row), normally `pool.users`.

    Raises ValueError as `Findings.of`, and where the lists (with their padding) are shorter than a cut-off.
    """
    return PerUserMetrics(user_index_U, Findings.of(lists, pool, user_index_U).per_user(METRICS, ks))


def mean_of_defined(value_U: np.ndarray) -> float:
    """The mean of what is not nan; nan where all is."""
    defined_U = value_U[~np.isnan(value_U)]
    return float(defined_U.mean()) if len(defined_U) else float("nan")
