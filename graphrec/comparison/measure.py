"""From what every arm found to means, differences with their intervals, and strata."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from graphrec.comparison.evidence import ArmEvidence, PoolEvidence
from graphrec.comparison.question import HEADLINE
from graphrec.comparison.results import ArmResult, Difference, PoolResult, Stratum
from graphrec.evaluation.evaluation import mean_of_defined
from graphrec.evaluation.findings import Findings
from graphrec.evaluation.intervals import holm, paired_bootstraps, verdict
from graphrec.evaluation.item_clusters import ADDITIVE, ItemInterval, credits, item_clustered_bootstrap
from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.strata import Group

MIN_USERS, MIN_ITEMS = 30, 5
"""A stratum with fewer gets no interval."""


def measure(
    evidence: PoolEvidence,
    ks: Sequence[int],
    metrics: Sequence[str],
    reference: str,
    groups: Sequence[Group],
    seed: int,
) -> PoolResult:
    """Every metric of every arm; differences of the named metrics, in the pool and in every stratum."""
    pool = evidence.pool
    arms = list(dict.fromkeys(name for name, _ in evidence.arms))
    differences = _differences(evidence, ks, metrics, reference, seed)
    return PoolResult(
        pool=pool.name,
        description=pool.description,
        coverage=pool.coverage,
        num_items=len(pool.items),
        num_users=len(pool.users),
        num_pairs=int(evidence.relevant_UI.nnz),
        arms=[_arm_result(evidence, name, ks, list(METRICS)) for name in arms],
        differences=_with_items(_with_holm(differences, reference), evidence, seed),
        strata=[
            one for group in groups if (one := _stratum(evidence, group, ks, metrics, reference, seed)) is not None
        ],
    )


def _arm_result(evidence: PoolEvidence, name: str, ks: Sequence[int], metrics: Sequence[str]) -> ArmResult:
    shown = {}
    for popularity in (True, False):
        if evidence.has(name, popularity):
            by_seed = [_means(one, ks, metrics) for one in evidence.arms[name, popularity]]
            shown[popularity] = (
                {key: float(np.mean([one[key] for one in by_seed])) for key in by_seed[0]},
                {key: float(np.std([one[key] for one in by_seed], ddof=1)) for key in by_seed[0]}
                if len(by_seed) > 1
                else None,
            )
    without = shown.get(False, (None, None))
    return ArmResult(name, shown[True][0], without[0], shown[True][1], without[1])


def _means(evidence: ArmEvidence, ks: Sequence[int], metrics: Sequence[str]) -> dict[str, float]:
    values = evidence.findings.per_user(metrics, ks)
    return {name: mean_of_defined(value_U) for name, value_U in values.items()} | evidence.lists


def _pairs(evidence: PoolEvidence, reference: str) -> Iterable[tuple[str, str, bool]]:
    """(arm, what it is held against, popularity), the headline first."""
    arms = list(dict.fromkeys(name for name, _ in evidence.arms))
    against = [(name, reference) for name in arms if name != reference]
    pairs = ([HEADLINE] if set(HEADLINE) <= set(arms) else []) + [pair for pair in against if pair != HEADLINE]
    for popularity in (True, False):
        for first, second in pairs:
            if evidence.has(first, popularity) and evidence.has(second, popularity):
                yield first, second, popularity


def _differences(
    evidence: PoolEvidence, ks: Sequence[int], metrics: Sequence[str], reference: str, seed: int
) -> list[Difference]:
    """All of them from the same resamples of users; empty where there are fewer than two users with a value."""
    values = {key: [one.findings.per_user(metrics, ks) for one in by_seed] for key, by_seed in evidence.arms.items()}
    asked = [(*pair, f"{metric}@{k}") for pair in _pairs(evidence, reference) for k in ks for metric in metrics]
    has_relevant_U = np.diff(evidence.relevant_UI.indptr) > 0
    if has_relevant_U.sum() < 2:
        return []
    sides = [
        ([one[metric] for one in values[first, popularity]], [one[metric] for one in values[second, popularity]])
        for first, second, popularity, metric in asked
    ]
    intervals = paired_bootstraps(
        [(np.mean(a_SU, axis=0), np.mean(b_SU, axis=0)) for a_SU, b_SU in sides], np.random.default_rng(seed)
    )
    return [
        Difference(
            arm=first,
            reference=second,
            metric=metric,
            popularity=popularity,
            interval=interval,
            items=None,
            p_holm=None,
            verdict=verdict(interval),
            by_seed=[mean_of_defined(a_U - b_U) for a_U, b_U in zip(a_SU, b_SU, strict=True)],
        )
        for (first, second, popularity, metric), interval, (a_SU, b_SU) in zip(asked, intervals, sides, strict=True)
    ]


def _with_holm(differences: list[Difference], reference: str) -> list[Difference]:
    """A family: all arms against the reference in one metric, with popularity or without."""
    families: dict[tuple[str, bool], list[int]] = {}
    for number, one in enumerate(differences):
        if one.reference == reference:
            families.setdefault((one.metric, one.popularity), []).append(number)
    adjusted = list(differences)
    for family in families.values():
        for number, p in zip(family, holm([differences[n].interval.p_value for n in family]), strict=True):
            adjusted[number] = replace(differences[number], p_holm=p)
    return adjusted


def _with_items(differences: list[Difference], evidence: PoolEvidence, seed: int) -> list[Difference]:
    """The interval over held-out items, where there are at least two of them and the metric is a sum over items."""
    additive = [n for n, one in enumerate(differences) if one.metric.split("@")[0] in ADDITIVE]
    if not additive or len(np.unique(evidence.relevant_UI.indices)) < 2:
        return differences
    memory: dict[tuple[str, bool, str], sp.csr_matrix] = {}

    def credit(arm: str, one: Difference) -> sp.csr_matrix:
        key = (arm, one.popularity, one.metric)
        if key not in memory:
            memory[key] = _mean_credits([e.findings for e in evidence.arms[arm, one.popularity]], one.metric)
        return memory[key]

    found = item_clustered_bootstrap(
        [
            credit(differences[n].arm, differences[n]) - credit(differences[n].reference, differences[n])
            for n in additive
        ],
        evidence.relevant_UI,
        np.random.default_rng(seed),
    )
    over_items: dict[int, ItemInterval] = dict(zip(additive, found, strict=True))
    return [replace(one, items=over_items.get(number)) for number, one in enumerate(differences)]


def _mean_credits(by_seed: list[Findings], metric: str) -> sp.csr_matrix:
    name, k = metric.split("@")
    total = credits(by_seed[0], name, int(k))
    for findings in by_seed[1:]:
        total = total + credits(findings, name, int(k))
    return total / len(by_seed)


def _stratum(
    evidence: PoolEvidence, group: Group, ks: Sequence[int], metrics: Sequence[str], reference: str, seed: int
) -> Stratum | None:
    """None where nothing in the group was there to be found."""
    part = PoolEvidence(
        evidence.pool,
        {key: [_restricted(one, group, evidence) for one in by_seed] for key, by_seed in evidence.arms.items()},
    )
    relevant_UI = part.relevant_UI
    if not relevant_UI.nnz:
        return None
    num_users, num_items = int((np.diff(relevant_UI.indptr) > 0).sum()), len(np.unique(relevant_UI.indices))
    too_few = num_users < MIN_USERS or num_items < MIN_ITEMS
    arms = dict.fromkeys(name for name, _ in evidence.arms)
    return Stratum(
        by=group.by,
        label=group.label,
        num_users=num_users,
        num_items=num_items,
        num_pairs=int(relevant_UI.nnz),
        arms=[_arm_result(part, name, ks, metrics) for name in arms],
        differences=[] if too_few else _differences(part, ks, metrics, reference, seed),
        too_few=too_few,
    )


def _restricted(one: ArmEvidence, group: Group, evidence: PoolEvidence) -> ArmEvidence:
    if group.axis == "items":
        return ArmEvidence(one.findings.of_items(group.is_member), {})
    return ArmEvidence(one.findings.of_users(group.is_member[evidence.pool.users]), {})
