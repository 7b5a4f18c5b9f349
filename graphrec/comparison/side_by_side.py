"""`compare`: fit the arms on one split, rank the same pools with each, and say how sure the differences are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.registry import BASELINES
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Split
from graphrec.errors import GraphRecError
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import PairedInterval, Verdict, paired_bootstrap, verdict
from graphrec.evaluation.protocol import POOL_NAMES, Pool, PoolName, build_pool
from graphrec.leaks.check import check_leaks
from graphrec.progress import Progress, silent
from graphrec.recommender import Recommender

ARM_NAMES: tuple[str, ...] = (*BASELINES, "graph")
_PERSONAL = ("content", "graph")
"""Arms that are also shown with popularity off."""
METRICS = ("recall", "ndcg", "precision")
MAX_K = 10_000
"""Longest list that is evaluated: users × k must fit into memory."""


@dataclass(frozen=True)
class ArmResult:
    """One arm in one pool: means over the evaluated users."""

    arm: str
    metrics: dict[str, float]
    """recall@k, ndcg@k, precision@k."""
    metrics_without_popularity: dict[str, float] | None
    """The same with the arm's popularity taken out; None for arms that are not shown so."""


@dataclass(frozen=True)
class Difference:
    """graph - content, over the same users."""

    metric: str
    popularity: bool
    """Whether both arms had their popularity (and the same popularity term at hand), or neither."""
    interval: PairedInterval
    verdict: Verdict


@dataclass(frozen=True)
class PoolResult:
    """All arms in one pool."""

    pool: str
    description: str
    coverage: str
    num_items: int
    num_users: int
    arms: list[ArmResult]
    differences: list[Difference] = field(default_factory=list)
    """Empty where content and graph were not both asked for."""

    def difference(self, metric: str, popularity: bool = True) -> Difference:
        """That of one metric, such as recall@20."""
        return next(d for d in self.differences if d.metric == metric and d.popularity == popularity)

    @property
    def conclusion(self) -> str:
        """In one sentence: whether the graph helped here."""
        if self.num_users < 2:
            return "one user says nothing about a difference: evaluate more of them"
        if not self.differences:
            return "graph and content were not both compared"
        helped, hurt = self._metrics(Verdict.HELPS, True), self._metrics(Verdict.HURTS, True)
        if helped and hurt:
            return f"mixed: the graph helps {', '.join(helped)} and hurts {', '.join(hurt)}"
        if hurt:
            return f"the graph hurts ({', '.join(hurt)}): content alone is better"
        if not helped:
            return "the graph does not help: no difference from content was shown"
        personal = [metric for metric in helped if metric in self._metrics(Verdict.HELPS, False)]
        if not personal:
            # What the average user would be shown is popularity, whoever learned it: no lift of the graph's own.
            return f"the lift ({', '.join(helped)}) is popularity's: with popularity off the graph is not shown to help"
        return f"the graph helps ({', '.join(personal)}), with popularity on and off"

    def _metrics(self, wanted: Verdict, popularity: bool) -> list[str]:
        return [d.metric for d in self.differences if d.popularity == popularity and d.verdict == wanted]


@dataclass(frozen=True)
class Comparison:
    """Arms side by side in each pool."""

    dataset: str
    k: int
    pools: list[PoolResult]
    leak_checks: tuple[str, ...] = ()
    """Names of the checks that found nothing of the held-out data in training; see `graphrec.leaks.check`."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps; not-a-number becomes None."""
        plain = asdict(self)
        for pool, result in zip(plain["pools"], self.pools, strict=True):
            pool["conclusion"] = result.conclusion
        return _without_nan(plain)

    def __str__(self) -> str:
        """A plain-text table per pool."""
        lines = []
        for result in self.pools:
            names = list(result.arms[0].metrics)
            lines += [f"{result.pool} pool: {result.description}; {result.coverage}"]
            lines += [f"{'arm':<20}" + "".join(f"{name:>14}" for name in names)]
            lines += [
                f"{one.arm:<20}" + "".join(f"{one.metrics[name]:>14.4f}" for name in names) for one in result.arms
            ]
            lines += [describe_difference(d) for d in result.differences]
            lines += [result.conclusion, ""]
        return "\n".join(
            [*lines, *([f"{len(self.leak_checks)} leak checks passed"] if self.leak_checks else [])]
        ).rstrip()


def describe_difference(difference: Difference) -> str:
    """One line: metric, difference, interval, smallest detectable difference, verdict."""
    interval = difference.interval
    return (
        f"graph - content, {difference.metric}, popularity {'on' if difference.popularity else 'off'}: "
        f"{interval.difference:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}], "
        f"smallest detectable {interval.smallest_detectable:.4f}: {difference.verdict}"
    )


def compare(
    split: Split,
    arms: Sequence[str] = ARM_NAMES,
    pool: PoolName | Sequence[PoolName] = "cold",
    k: int = 20,
    config: GraphRecConfig | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Fit every arm on `split.train` and rank each pool with it: the graph arm is a fresh `Recommender`.

    Raises GraphRecError for an unknown arm or pool, one that cannot be evaluated on this split, and where a leak check
    finds something of the held-out data in training.
    """
    _check(split, arms, pool, k)
    model = Recommender(config).fit(split.train, progress)
    return compare_with(model, split, arms, pool, k, progress)


def compare_with(
    model: Recommender,
    split: Split,
    arms: Sequence[str] = ARM_NAMES,
    pool: PoolName | Sequence[PoolName] = "cold",
    k: int = 20,
    progress: Progress = silent,
) -> Comparison:
    """As `compare`, with a recommender already fitted on `split.train`; the other arms get its features and budget."""
    pools = _check(split, arms, pool, k)
    leak_checks = check_leaks(model, split)
    inputs = TrainingInput(model.train_, model.blocks, model.config.model.tuning, model.config.seed)
    fitted: dict[str, Arm] = {
        name: model if name == "graph" else BASELINES[name]().fit(inputs, progress) for name in arms
    }
    results = [_in_pool(fitted, one, k, model.config.seed) for one in progress(pools, "Ranking")]
    return Comparison(model.train_.name, k, results, leak_checks)


def pool_names(asked: str) -> list[PoolName]:
    """`all`, or names separated by commas; raises GraphRecError for an unknown one."""
    if asked == "all":
        return list(POOL_NAMES)
    for name in asked.split(","):
        if name not in POOL_NAMES:
            raise GraphRecError(f"Unknown pool {name!r}: choose from {', '.join(POOL_NAMES)}, or all.")
    return [name for name in POOL_NAMES if name in asked.split(",")]


def _in_pool(fitted: Mapping[str, Arm], pool: Pool, k: int, seed: int) -> PoolResult:
    with_popularity = {name: _per_user(arm, pool, k, True) for name, arm in fitted.items()}
    without = {name: _per_user(fitted[name], pool, k, False) for name in _PERSONAL if name in fitted}
    results = [
        ArmResult(name, _means(values), _means(without[name]) if name in without else None)
        for name, values in with_popularity.items()
    ]
    differences = []
    if set(_PERSONAL) <= set(fitted) and len(pool.users) > 1:
        for popularity, values in ((True, with_popularity), (False, without)):
            for metric in values["graph"]:
                rng = np.random.default_rng(seed)  # the same resamples for every row of the table
                interval = paired_bootstrap(values["graph"][metric], values["content"][metric], rng)
                differences.append(Difference(metric, popularity, interval, verdict(interval)))
    return PoolResult(
        pool.name, pool.description, pool.coverage, len(pool.items), len(pool.users), results, differences
    )


def _per_user(arm: Arm, pool: Pool, k: int, popularity: bool) -> dict[str, np.ndarray]:
    lists = arm.rank(pool.users, pool.items, pool.seen[pool.users], k, popularity)
    values = evaluate(lists, pool, pool.users, [k]).values
    return {f"{metric}@{k}": values[f"{metric}@{k}"] for metric in METRICS}


def _means(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.nanmean(value_U)) for name, value_U in values.items()}


def _check(split: Split, arms: Sequence[str], pool: PoolName | Sequence[PoolName], k: int) -> list[Pool]:
    """The pools; called before anything is fitted, so that a wrong request costs no wait."""
    if not arms:
        raise GraphRecError(f"No arm to compare: choose from {', '.join(ARM_NAMES)}.")
    for name in arms:
        if name not in ARM_NAMES:
            raise GraphRecError(f"Unknown arm {name!r}: choose from {', '.join(ARM_NAMES)}.")
    if not 1 <= k <= MAX_K:
        raise GraphRecError(f"Expected k between 1 and {MAX_K:,} for an evaluation, got {k}.")
    return [build_pool(split, name) for name in ([pool] if isinstance(pool, str) else pool)]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value
