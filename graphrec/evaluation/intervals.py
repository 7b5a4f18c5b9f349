"""How sure a difference between two arms is: paired bootstrap over users (Efron and Tibshirani 1993, chapter 13)."""

from collections.abc import Sequence
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
    p_value: float
    """Two-sided: twice the share of resampled means on the far side of zero (or on it), at most 1.

    An interval at level 1 - p would just touch zero (Efron and Tibshirani 1993, section 15.4). One resample is added to
    both counts, so that it is never 0: of 10,000 resamples the least is 0.0002. It is here to be adjusted by `holm`.
    """
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
    return paired_bootstraps([(a_U, b_U)], rng, num_resamples, level)[0]


def paired_bootstraps(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
    num_resamples: int = 10_000,
    level: float = 0.95,
) -> list[PairedInterval]:
    """`paired_bootstrap` of several pairs of arms or metrics over the same users, all from the same resamples.

    Drawing is most of the work, so fifty intervals cost little more than one. Raises ValueError as `paired_bootstrap`,
    and where the pairs are not defined for the same users.
    """
    if not 0 < level < 1 or num_resamples < 1:
        raise ValueError(f"Expected a level in (0, 1) and at least 1 resample, got {level} and {num_resamples}.")
    if not pairs:
        return []
    columns = [_paired_difference(a_U, b_U) for a_U, b_U in pairs]
    is_nan_U = np.isnan(pairs[0][0])
    if not all(np.array_equal(np.isnan(a_U), is_nan_U) for a_U, _ in pairs):
        raise ValueError("Expected every pair to be defined for the same users.")
    difference_UC = np.stack(columns, axis=1)
    num_users = len(difference_UC)
    means_RC = _resampled_means(difference_UC, rng, num_resamples)
    low_C, high_C = np.quantile(means_RC, [(1 - level) / 2, (1 + level) / 2], axis=0)
    normal = NormalDist()
    factor = (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(0.8)) / np.sqrt(num_users)
    return [
        PairedInterval(
            difference=float(difference_U.mean()),
            low=float(low),
            high=float(high),
            smallest_detectable=float(factor * difference_U.std(ddof=1)),
            num_users=num_users,
            p_value=_p_value(means_R),
            level=level,
        )
        for difference_U, means_R, low, high in zip(columns, means_RC.T, low_C, high_C, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of one family adjusted so that the chance of any false finding stays below what each claims.

    Step-down: the r-th smallest of m is multiplied by m - r + 1, none becomes smaller than one before it, none larger
    than 1. Holm 1979.
    """
    p_M = np.asarray(p_values, dtype=np.float64)
    order_M = np.argsort(p_M, kind="stable")
    stepped_M = np.maximum.accumulate(p_M[order_M] * np.arange(len(p_M), 0, -1))
    adjusted_M = np.empty(len(p_M))
    adjusted_M[order_M] = np.minimum(stepped_M, 1.0)
    return adjusted_M.tolist()


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


def _resampled_means(value_UC: np.ndarray, rng: np.random.Generator, num_resamples: int) -> np.ndarray:
    num_users = len(value_UC)
    means_RC = np.empty((num_resamples, value_UC.shape[1]))
    rows = max(1, _DRAWS_PER_BLOCK // num_users)
    for start in range(0, num_resamples, rows):
        size = min(rows, num_resamples - start)
        drawn_RU = rng.integers(num_users, size=(size, num_users))
        drawn_RU += num_users * np.arange(size)[:, None]
        counts_RU = np.bincount(drawn_RU.ravel(), minlength=size * num_users).reshape(size, num_users)
        means_RC[start : start + size] = counts_RU.astype(np.float64) @ value_UC / num_users
    # A mean that is zero must not come out as a rounding error: on which side of zero it lies is what is asked.
    return np.round(means_RC, 12)


def _p_value(means_R: np.ndarray) -> float:
    far = min((means_R <= 0).sum(), (means_R >= 0).sum())
    return float(min(1.0, 2 * (far + 1) / (len(means_R) + 1)))
