"""`compare_folds`: every item cold once, in folds, so that the answer does not hang on which items were held out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphrec.comparison.question import DEFAULT_ARMS, DEFAULT_METRICS
from graphrec.comparison.results import Comparison
from graphrec.comparison.side_by_side import compare
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset
from graphrec.evaluation.intervals import PairedInterval, Verdict, paired_bootstraps, verdict
from graphrec.progress import Progress, silent


@dataclass(frozen=True)
class FoldArm:
    """One arm: means over users of each user's mean over folds."""

    arm: str
    popularity: bool
    """Whether its popularity was in, as in `ArmResult`."""
    metrics: dict[str, float]
    by_fold: dict[str, list[float]]
    """The mean over the users of each fold."""


@dataclass(frozen=True)
class FoldDifference:
    """One arm less another, over the same users."""

    arm: str
    reference: str
    metric: str
    popularity: bool
    interval: PairedInterval
    by_fold: list[float]
    verdict: Verdict


@dataclass(frozen=True)
class FoldComparison:
    """Arms side by side over all folds, each ranking the cold items of its fold."""

    dataset: str
    num_folds: int
    num_items: int
    """Cold items of all folds together."""
    num_users: int
    """Users with a relevant item in at least one fold."""
    arms: list[FoldArm]
    differences: list[FoldDifference]
    leak_checks: tuple[str, ...]
    """Passed in every fold."""

    def difference(self, metric: str, arm: str, reference: str, popularity: bool = True) -> FoldDifference:
        """That of one metric, such as recall@20."""
        wanted = (arm, reference, metric, popularity)
        return next(d for d in self.differences if (d.arm, d.reference, d.metric, d.popularity) == wanted)

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return asdict(self)

    def __str__(self) -> str:
        """The arms in a table, the differences with those of each fold."""
        names = list(self.arms[0].metrics)
        lines = [f"{self.num_folds} folds, {self.num_items:,} items cold in one of them, {self.num_users:,} users"]
        lines += [f"{'arm':<20}" + "".join(f"{name:>14}" for name in names)]
        lines += [
            f"{one.arm:<20}" + "".join(f"{one.metrics[name]:>14.4f}" for name in names)
            for one in self.arms
            if one.popularity
        ]
        lines += [_line(one) for one in self.differences]
        return "\n".join([*lines, f"{len(self.leak_checks)} leak checks passed in every fold"])


def compare_folds(
    dataset: Dataset,
    num_folds: int = 5,
    arms: Sequence[str] = DEFAULT_ARMS,
    k: int | Sequence[int] = 20,
    config: GraphRecConfig | None = None,
    progress: Progress = silent,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    reference: str | None = None,
) -> FoldComparison:
    """Fit and compare the arms on each of `Dataset.cold_item_folds`, every one by `compare` on its cold pool.

    Each fold is a ranking of its own, with a model and a pool of its own. A user's metric is averaged over the folds in
    which they have a relevant item, and then over users: everybody counts once, however many folds they appear in. The
    interval resamples users, each with all of their folds, because a user's folds are not independent of each other.
    It does not speak of the models: their training sets overlap, and no unbiased estimate of that variance exists
    (Bengio and Grandvalet 2004); `by_fold` shows how far the folds differ.

    Raises GraphRecError as `compare` does, in the first fold that cannot be evaluated.
    """
    config = config or GraphRecConfig()
    folds = [
        compare(
            split, arms, "cold", k, config, _named(progress, number, num_folds), metrics=metrics, reference=reference
        )
        for number, split in enumerate(dataset.cold_item_folds(num_folds, config.seed), start=1)
    ]
    values = _values(folds, dataset.interactions.num_users)
    by_user = {key: _mean_over_folds(value_FU) for key, value_FU in values.items()}
    arm_keys = list(dict.fromkeys((arm, popularity) for arm, popularity, _ in values))
    asked = [(d.arm, d.reference, d.metric, d.popularity) for d in folds[0].pools[0].differences]
    intervals = paired_bootstraps(
        [(by_user[arm, pop, metric], by_user[other, pop, metric]) for arm, other, metric, pop in asked],
        np.random.default_rng(config.seed),
    )
    shown = folds[0].metrics
    return FoldComparison(
        dataset=dataset.name,
        num_folds=num_folds,
        num_items=sum(fold.pools[0].num_items for fold in folds),
        num_users=int((~np.isnan(next(iter(by_user.values())))).sum()),
        arms=[
            FoldArm(
                arm,
                popularity,
                {name: float(np.nanmean(by_user[arm, popularity, name])) for name in shown},
                {name: np.nanmean(values[arm, popularity, name], axis=1).tolist() for name in shown},
            )
            for arm, popularity in arm_keys
        ],
        differences=[
            FoldDifference(
                arm, other, metric, pop, interval,
                np.nanmean(values[arm, pop, metric] - values[other, pop, metric], axis=1).tolist(), verdict(interval),
            )
            for (arm, other, metric, pop), interval in zip(asked, intervals, strict=True)
        ],
        leak_checks=tuple(name for name in folds[0].leak_checks if all(name in fold.leak_checks for fold in folds)),
    )  # fmt: skip


def _values(folds: list[Comparison], num_users: int) -> dict[tuple[str, bool, str], np.ndarray]:
    """(arm, popularity, metric) → folds × users, nan where the user has nothing relevant in the fold."""
    values: dict[tuple[str, bool, str], np.ndarray] = {}
    for number, fold in enumerate(folds):
        (evidence,) = fold.evidence
        for (arm, popularity), (one,) in evidence.arms.items():
            for metric, value_U in one.findings.per_user(fold.question.metrics, fold.ks).items():
                value_FU = values.setdefault((arm, popularity, metric), np.full((len(folds), num_users), np.nan))
                value_FU[number, evidence.pool.users] = value_U
    return values


def _mean_over_folds(value_FU: np.ndarray) -> np.ndarray:
    """(U,), nan for a user without a value in any fold."""
    count_U = (~np.isnan(value_FU)).sum(axis=0)
    return np.where(count_U > 0, np.nansum(value_FU, axis=0) / np.maximum(count_U, 1), np.nan)


def _named(progress: Progress, number: int, num_folds: int) -> Progress:
    return lambda steps, description, total=None: progress(steps, f"Fold {number}/{num_folds}: {description}", total)


def _line(one: FoldDifference) -> str:
    interval = one.interval
    return (
        f"{one.arm} - {one.reference}, {one.metric}, popularity {'on' if one.popularity else 'off'}: "
        f"{interval.difference:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}], "
        f"by fold {', '.join(f'{value:+.4f}' for value in one.by_fold)}: {one.verdict}"
    )
