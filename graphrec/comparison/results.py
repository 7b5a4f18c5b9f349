"""The answer of a comparison as data: arms, differences and strata of each pool."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphrec.comparison.evidence import PoolEvidence
from graphrec.comparison.question import HEADLINE, Question
from graphrec.evaluation.intervals import PairedInterval, Verdict
from graphrec.evaluation.item_clusters import ItemInterval
from graphrec.evaluation.strata import Group

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ArmResult:
    """One arm in one pool: means over the evaluated users, and over the seeds where there are several."""

    arm: str
    metrics: dict[str, float]
    """Every metric at every cut-off: those per user averaged, then those of all lists together."""
    metrics_without_popularity: dict[str, float] | None
    """The same with the arm's popularity taken out; None for arms that are not shown so."""
    spread: dict[str, float] | None = None
    """Standard deviation over the seeds (divisor: seeds - 1); None for one seed."""
    spread_without_popularity: dict[str, float] | None = None


@dataclass(frozen=True)
class Difference:
    """One arm less another, over the same users, averaged over the seeds before anything is resampled."""

    arm: str
    reference: str
    metric: str
    popularity: bool
    """Whether both arms had their popularity (and the same popularity term at hand), or neither."""
    interval: PairedInterval
    """Over users."""
    items: ItemInterval | None
    """Over held-out items as clusters; None for a metric that is no sum over items, and in a stratum."""
    p_holm: float | None
    """The interval's p-value after Holm, in the family of all arms against the reference in this pool, metric and
    popularity; None outside such a family: for the headline where it is not against the reference, and in a stratum."""
    verdict: Verdict
    """What the interval over users says."""
    by_seed: list[float] = field(default_factory=list)
    """The difference with each seed."""

    @property
    def holds_among_arms(self) -> bool:
        """Whether it was shown although several arms were looked at: p after Holm below 1 - level."""
        return (
            self.verdict is not Verdict.NO_DIFFERENCE_SHOWN
            and self.p_holm is not None
            and self.p_holm < 1 - self.interval.level
        )

    @property
    def holds_over_items(self) -> bool | None:
        """Whether the interval over items lies on the same side of zero; None where there is none."""
        if self.items is None or self.verdict is Verdict.NO_DIFFERENCE_SHOWN:
            return None
        return self.items.low > 0 if self.verdict is Verdict.HELPS else self.items.high < 0


@dataclass(frozen=True)
class Stratum:
    """The comparison among some items or some users of a pool.

    Items: every list is still ranked in the whole pool, and only the relevant items of the stratum count as relevant:
    recall is the share of those that were found, nDCG their gain at the ranks they have there over that of an ideal
    list of them alone, so that where relevant items of other strata stand above them it cannot reach 1. A user without
    a relevant item in the stratum takes no part. Users: the metrics are the pool's own, over those users.
    """

    by: str
    label: str
    num_users: int
    num_items: int
    """Items that are relevant to one of these users."""
    num_pairs: int
    arms: list[ArmResult]
    differences: list[Difference]
    """Empty where there is too little to say anything: see `too_few`."""
    too_few: bool
    """Fewer than 30 users, or fewer than 5 items: an interval would promise more than there is."""


@dataclass(frozen=True)
class PoolResult:
    """All arms in one pool."""

    pool: str
    description: str
    coverage: str
    num_items: int
    num_users: int
    num_pairs: int
    """Held-out (user, item) pairs that there were to find."""
    arms: list[ArmResult]
    differences: list[Difference] = field(default_factory=list)
    """graph - content first, where both were compared; then every other arm less the reference."""
    strata: list[Stratum] = field(default_factory=list)

    def difference(
        self, metric: str, popularity: bool = True, arm: str = HEADLINE[0], reference: str = HEADLINE[1]
    ) -> Difference:
        """That of one metric, such as recall@20."""
        wanted = (arm, reference, metric, popularity)
        return next(d for d in self.differences if (d.arm, d.reference, d.metric, d.popularity) == wanted)

    @property
    def headline(self) -> list[Difference]:
        """graph - content."""
        return [d for d in self.differences if (d.arm, d.reference) == HEADLINE]

    @property
    def conclusion(self) -> str:
        """In one sentence: whether the graph helped here."""
        from graphrec.comparison.conclusion import conclude

        return conclude(self)


@dataclass(frozen=True)
class Comparison:
    """Arms side by side in each pool."""

    dataset: str
    ks: tuple[int, ...]
    metrics: tuple[str, ...]
    """Those that are compared, with cut-off."""
    reference: str
    seeds: tuple[int, ...]
    pools: list[PoolResult]
    leak_checks: tuple[str, ...]
    """Names of the checks that found nothing of the held-out data in training; see `graphrec.leaks.check`."""
    question: Question = field(repr=False, compare=False)
    evidence: list[PoolEvidence] = field(repr=False, compare=False)
    """What the results were made of, with `question` and `groups` all that `merge_seeds` needs; not in the JSON."""
    groups: list[Group] = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps; not-a-number becomes None."""
        plain = _plain({one.name: getattr(self, one.name) for one in fields(self) if one.repr})
        for pool, result in zip(plain["pools"], self.pools, strict=True):
            pool["conclusion"] = result.conclusion
        return plain

    def to_frame(self) -> "pd.DataFrame":
        """One row for each pool, stratum, arm, popularity and metric; see `frame.to_frame`."""
        from graphrec.comparison.frame import to_frame

        return to_frame(self)

    def __str__(self) -> str:
        """A plain-text table per pool."""
        from graphrec.comparison.text import as_text

        return as_text(self)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _plain({one.name: getattr(value, one.name) for one in fields(value)})
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value
