"""How sure a difference between two arms is: paired bootstrap over users (Efron and Tibshirani 1993, chapter 13)."""

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

_DRAWS_PER_BLOCK = 2**20  # so that the memory in use does not grow with resamples × users


class Verdict(StrEnum):
    """What an interval says about the first arm, seen from the second."""

    HELPS = "helps"
    HURTS = "hurts"
    NO_DIFFERENCE_SHOWN = "no difference shown"


@dataclass(frozen=True)
class PairedInterval:
    """The mean of a - b over users with its confidence interval, in the metric's own unit."""

    difference: float
    low: float
    high: float
    smallest_detectable: float
    """The true difference that this many users would show with 80 % power, two-sided at 1 - `level` (5 %)."""
    num_users: int
    level: float = 0.95


def paired_bootstrap(
    a_U: np.ndarray, b_U: np.ndarray, rng: np.random.Generator, num_resamples: int = 10_000, level: float = 0.95
) -> PairedInterval:
    """Percentile interval of mean(a - b), the users drawn with replacement and each kept with both of their values.

    Users with nan in both arms are dropped. `smallest_detectable` is (z_{1-α/2} + z_{.8})·sd(a - b)/√U with α = 1 -
    level: what a test of this size can be expected to see, whatever it saw.

    The interval speaks of the users; the chance in training (seeds) and in the choice of cold items comes on top.

    Raises ValueError where the arms differ in length, one of them alone is nan, fewer than two users are left, or the
    level is not between 0 and 1.
    """
    difference_U = _paired_difference(a_U, b_U)
    if not 0 < level < 1 or num_resamples < 1:
        raise ValueError(f"Expected a level in (0, 1) and at least 1 resample, got {level} and {num_resamples}.")
    means_R = _resampled_means(difference_U, rng, num_resamples)
    low, high = np.quantile(means_R, [(1 - level) / 2, (1 + level) / 2])
    standard_error = difference_U.std(ddof=1) / np.sqrt(len(difference_U))
    normal = NormalDist()
    return PairedInterval(
        difference=float(difference_U.mean()),
        low=float(low),
        high=float(high),
        smallest_detectable=float((normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(0.8)) * standard_error),
        num_users=len(difference_U),
        level=level,
    )


def verdict(interval: PairedInterval) -> Verdict:
    """Helps or hurts where the whole interval lies on one side of zero; otherwise no difference was shown."""
    if interval.low > 0:
        return Verdict.HELPS
    if interval.high < 0:
        return Verdict.HURTS
    return Verdict.NO_DIFFERENCE_SHOWN


def _paired_difference(a_U: np.ndarray, b_U: np.ndarray) -> np.ndarray:
    if a_U.ndim != 1 or a_U.shape != b_U.shape:
        raise ValueError(f"Expected two arrays over the same users, got shapes {a_U.shape} and {b_U.shape}.")
    is_nan_U = np.isnan(a_U)
    alone = int((is_nan_U != np.isnan(b_U)).sum())
    if alone:
        raise ValueError(f"Expected both arms to be defined for the same users, got {alone} with one arm alone nan.")
    if (~is_nan_U).sum() < 2:
        raise ValueError(f"Expected at least 2 users with a value, got {(~is_nan_U).sum()}.")
    return a_U[~is_nan_U].astype(np.float64) - b_U[~is_nan_U]


def _resampled_means(value_U: np.ndarray, rng: np.random.Generator, num_resamples: int) -> np.ndarray:
    num_users = len(value_U)
    means_R = np.empty(num_resamples)
    rows = max(1, _DRAWS_PER_BLOCK // num_users)
    for start in range(0, num_resamples, rows):
        size = min(rows, num_resamples - start)
        drawn_RU = rng.integers(num_users, size=(size, num_users), dtype=np.int32)
        means_R[start : start + size] = value_U[drawn_RU].mean(axis=1)
    return means_R
