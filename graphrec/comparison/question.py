"""What a comparison is asked: checked once, before anything is fitted, so that a wrong request costs no wait."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from graphrec.baselines.registry import BASELINES
from graphrec.data.dataset import Split
from graphrec.errors import GraphRecError
from graphrec.evaluation.list_metrics import LIST_METRICS
from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.protocol import POOL_NAMES, Pool, PoolName, build_pool

HEADLINE = ("graph", "content")
"""The comparison that the conclusion is about: the first arm less the second."""
ARM_NAMES: tuple[str, ...] = (*BASELINES, "graph")
DEFAULT_ARMS: tuple[str, ...] = ("random", "popularity", "content-untrained", "content", "graph")
"""The floor, what the average user would be shown, the features alone, the arm to beat, and the graph."""
DEFAULT_METRICS = ("recall", "ndcg", "precision")
Name = TypeVar("Name", bound=str)
By = Literal["item-degree", "user-degree", "modality"]
BY_NAMES: tuple[By, ...] = get_args(By)
MAX_K = 10_000
"""Longest list that is evaluated: users × k must fit into memory."""
DEFAULT_MEMORY_MB = 256


@dataclass(frozen=True)
class Question:
    """Arms, pools, cut-offs, metrics, what the arms are held against, and how it is broken down."""

    arms: tuple[str, ...]
    pools: tuple[Pool, ...] = field(compare=False)
    ks: tuple[int, ...]
    metrics: tuple[str, ...]
    """Names without cut-off; the first one leads the tables."""
    reference: str
    by: tuple[By, ...]
    memory_mb: int

    @classmethod
    def of(
        cls,
        split: Split,
        arms: Sequence[str] = DEFAULT_ARMS,
        pool: PoolName | Sequence[PoolName] = "cold",
        k: int | Sequence[int] = 20,
        metrics: Sequence[str] = DEFAULT_METRICS,
        reference: str | None = None,
        by: Sequence[By] = (),
        memory_mb: int = DEFAULT_MEMORY_MB,
    ) -> "Question":
        """Raises GraphRecError in one line for what is unknown, missing or cannot be evaluated on this split.

        An arm that cannot be fitted on it is refused as well (`Baseline.check`).

        The reference, where none is named: content if it is among the arms, else the first of them.
        """
        _check_names("arm", arms, ARM_NAMES)
        _check_names("metric", metrics, tuple(METRICS))
        if by:
            _check_names("breakdown", by, BY_NAMES)
        ks = tuple(dict.fromkeys([k] if isinstance(k, int) else k))
        for one in ks or (0,):
            if not 1 <= one <= MAX_K:
                raise GraphRecError(f"Expected k between 1 and {MAX_K:,} for an evaluation, got {one}.")
        if reference is None:
            reference = "content" if "content" in arms else arms[0]
        if reference not in arms:
            raise GraphRecError(
                f"The reference {reference!r} is not among the arms ({', '.join(arms)}): name it there."
            )
        if memory_mb < 1:
            raise GraphRecError(f"Expected at least 1 MB of memory for the ranking, got {memory_mb}.")
        pools = [build_pool(split, name) for name in ([pool] if isinstance(pool, str) else pool)]
        for name in (one for one in arms if one in BASELINES):
            BASELINES[name]().check(split.train, has_unseen_users=split.visible is not None)
        return cls(
            tuple(dict.fromkeys(arms)), tuple(pools), ks, tuple(dict.fromkeys(metrics)), reference, tuple(by), memory_mb
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics with cut-off that are compared, those of one cut-off together."""
        return tuple(f"{metric}@{k}" for k in self.ks for metric in self.metrics)


def pool_names(asked: str) -> list[PoolName]:
    """`all`, or names separated by commas; raises GraphRecError for an unknown one."""
    return _names("pool", asked, POOL_NAMES)


def arm_names(asked: str) -> list[str]:
    """`all`, or names separated by commas; raises GraphRecError for an unknown one."""
    return _names("arm", asked, ARM_NAMES)


def metric_names(asked: str) -> tuple[list[str], list[str]]:
    """`all`, or names separated by commas, as (metrics per user, metrics of all lists together).

    The first metric asked for leads; where none is per user, those are the default ones. Raises GraphRecError for an
    unknown one.
    """
    known = (*METRICS, *LIST_METRICS)
    names = known if asked == "all" else tuple(dict.fromkeys(one.strip() for one in asked.split(",")))
    _names("metric", asked, known)
    return [name for name in names if name in METRICS] or list(DEFAULT_METRICS), [
        name for name in names if name in LIST_METRICS
    ]


def by_names(asked: str) -> list[By]:
    """`all`, or names separated by commas; raises GraphRecError for an unknown one."""
    return _names("breakdown", asked, BY_NAMES)


def cut_offs(asked: str) -> list[int]:
    """Numbers separated by commas, such as 10,20,50, in rising order; raises GraphRecError for anything else."""
    try:
        return sorted({int(one) for one in asked.split(",")})
    except ValueError:
        raise GraphRecError(
            f"Expected cut-offs as numbers with commas between them, such as 10,20, got {asked!r}."
        ) from None


def _names(kind: str, asked: str, known: Sequence[Name]) -> list[Name]:
    if asked == "all":
        return list(known)
    names = [one.strip() for one in asked.split(",")]
    for name in names:
        if name not in known:
            raise GraphRecError(f"Unknown {kind} {name!r}: choose from {', '.join(known)}, or all.")
    return [name for name in known if name in names]


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    if isinstance(names, str):
        raise GraphRecError(f"Expected a list of {kind}s, got the string {names!r}: write [{names!r}].")
    if not names:
        raise GraphRecError(f"No {kind} to compare: choose from {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise GraphRecError(f"Unknown {kind} {name!r}: choose from {', '.join(known)}.")
