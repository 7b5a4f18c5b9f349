"""`compare`: fit the arms on one split, rank the same pools with each, and say how sure the differences are."""

from collections.abc import Sequence

import numpy as np

from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.registry import BASELINES
from graphrec.comparison.evidence import PoolEvidence, gather, merged
from graphrec.comparison.measure import measure
from graphrec.comparison.question import DEFAULT_ARMS, DEFAULT_MEMORY_MB, DEFAULT_METRICS, By, Question
from graphrec.comparison.results import Comparison
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Split
from graphrec.device import resolve_device
from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import PoolName
from graphrec.evaluation.strata import Group, item_degree_groups, modality_groups, user_degree_groups
from graphrec.features.extract import ATTRIBUTE_PREFIX, ATTRIBUTES, ItemFeatures, extract_features
from graphrec.features.gate import item_blocks
from graphrec.leaks.check import check_leaks, require_no_leak
from graphrec.leaks.evidence import Evidence
from graphrec.progress import Progress, silent
from graphrec.recommender import Recommender
from graphrec.unseen_users import meet_users


def compare(
    split: Split,
    arms: Sequence[str] = DEFAULT_ARMS,
    pool: PoolName | Sequence[PoolName] = "cold",
    k: int | Sequence[int] = 20,
    config: GraphRecConfig | None = None,
    progress: Progress = silent,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    reference: str | None = None,
    by: Sequence[By] = (),
    seeds: Sequence[int] = (),
    memory_mb: int = DEFAULT_MEMORY_MB,
) -> Comparison:
    """Fit every arm on `split.train` and rank each pool with it: the graph arm is a fresh `Recommender`.

    Every arm is held against the `reference` (default: content, or the first arm where content is not among them), and
    graph against content always. `by` breaks all of it down. With several `seeds` every arm is fitted with each
    (default: the settings' own), and what is resampled is each user's difference averaged over the seeds. Ranking works
    in about `memory_mb`.

    Raises GraphRecError for an unknown arm, pool, metric or breakdown, a pool that cannot be evaluated on this split,
    an arm that cannot be fitted on it, and where a leak check finds something of the held-out data in training.
    """
    if isinstance(seeds, int):
        raise GraphRecError(f"Expected several seeds, such as (0, 1, 2), got {seeds}.")
    question = Question.of(split, arms, pool, k, metrics, reference, by, memory_mb)
    config = config or GraphRecConfig()
    seeds = tuple(dict.fromkeys(seeds or (config.seed,)))
    by_seed: list[list[PoolEvidence]] = []
    checks: tuple[str, ...] = ()
    groups: list[Group] = []
    for seed in seeds:
        seeded = config.model_copy(update={"seed": seed})
        model = None
        if "graph" in arms:
            model = Recommender(seeded).fit(split.train, progress)
            inputs, features, checks = _inputs_of(model), model.features_, check_leaks(model, split)
        else:
            inputs, features = _inputs_alone(split, seeded, progress)
            checks = require_no_leak(Evidence.of_inputs(split, features, inputs.blocks, seeded.features))
        by_seed.append(_gathered(model, inputs, split, question, progress))
        groups = _groups(split, features, by)
    return _comparison(split.train.name, question, seeds, by_seed, groups, checks, progress)


def compare_with(
    model: Recommender,
    split: Split,
    arms: Sequence[str] = DEFAULT_ARMS,
    pool: PoolName | Sequence[PoolName] = "cold",
    k: int | Sequence[int] = 20,
    progress: Progress = silent,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    reference: str | None = None,
    by: Sequence[By] = (),
    memory_mb: int = DEFAULT_MEMORY_MB,
) -> Comparison:
    """As `compare`, with a recommender already fitted on `split.train`; the other arms get its features and budget."""
    question = Question.of(split, arms, pool, k, metrics, reference, by, memory_mb)
    checks = check_leaks(model, split)
    evidence = _gathered(model, _inputs_of(model), split, question, progress)
    groups = _groups(split, model.features_, by)
    return _comparison(model.train_.name, question, (model.config.seed,), [evidence], groups, checks, progress)


def merge_seeds(comparisons: Sequence[Comparison]) -> Comparison:
    """One comparison of several, made on the same split with models of different seeds.

    Means are over the seeds, with their spread; an interval is that of each user's difference averaged over the seeds,
    so that it speaks of the users and the spread of the seeds. Raises ValueError where the comparisons differ in
    anything but the seed, or two have the same seed.
    """
    first = comparisons[0]
    for other in comparisons[1:]:
        if other.question != first.question or len(other.evidence) != len(first.evidence):
            raise ValueError("Expected comparisons of the same arms, pools, cut-offs, metrics and reference.")
    seeds = tuple(seed for one in comparisons for seed in one.seeds)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"Expected every seed once, got {', '.join(map(str, seeds))}.")
    return _comparison(
        first.dataset, first.question, seeds, [one.evidence for one in comparisons], first.groups, first.leak_checks
    )


def _inputs_alone(split: Split, config: GraphRecConfig, progress: Progress) -> tuple[TrainingInput, ItemFeatures]:
    """What the arms are fitted from where no recommender is trained."""
    is_warm_I = split.train.own_interactions.item_degree() > 0
    features = extract_features(split.train, is_warm_I, config.features, progress, resolve_device("auto"))
    blocks = item_blocks(features, is_warm_I)
    return TrainingInput(split.train, blocks, config.model.tuning, config.seed), features


def _inputs_of(model: Recommender) -> TrainingInput:
    return TrainingInput(model.train_, model.blocks, model.config.model.tuning, model.config.seed)


def _gathered(
    model: Recommender | None, inputs: TrainingInput, split: Split, question: Question, progress: Progress
) -> list[PoolEvidence]:
    fitted: dict[str, Arm] = {}
    for name in question.arms:
        arm = model if name == "graph" and model is not None else BASELINES[name]().fit(inputs, progress)
        fitted[name] = meet_users(arm, split)
    pools = progress(question.pools, "Ranking")
    return [gather(fitted, inputs, pool, question.ks, question.memory_mb) for pool in pools]


def _groups(split: Split, features: ItemFeatures, by: Sequence[By]) -> list[Group]:
    groups: list[Group] = []
    if "item-degree" in by:
        groups += item_degree_groups(split.train.own_interactions.item_degree())
    if "user-degree" in by:
        groups += user_degree_groups(np.diff(split.known.indptr))
    if "modality" in by:
        groups += modality_groups(_presence(features))
    return groups


def _presence(features: ItemFeatures) -> dict[str, np.ndarray]:
    """Which items have each modality; attributes are one, there where at least one of them is."""
    present_I: dict[str, np.ndarray] = {}
    for name, modality in features.modalities.items():
        kind = ATTRIBUTES if name.startswith(ATTRIBUTE_PREFIX) else name
        present_I[kind] = present_I.get(kind, False) | modality.present_I
    return present_I


def _comparison(
    dataset: str,
    question: Question,
    seeds: tuple[int, ...],
    by_seed: list[list[PoolEvidence]],
    groups: list[Group],
    leak_checks: tuple[str, ...],
    progress: Progress = silent,
) -> Comparison:
    evidence = [merged(list(pools)) for pools in zip(*by_seed, strict=True)]
    results = [
        measure(one, question.ks, question.metrics, question.reference, groups, seeds[0])
        for one in progress(evidence, "Resampling users and items")
    ]
    return Comparison(
        dataset=dataset,
        ks=question.ks,
        metrics=question.shown,
        reference=question.reference,
        seeds=seeds,
        pools=results,
        leak_checks=leak_checks,
        question=question,
        evidence=evidence,
        groups=groups,
    )
