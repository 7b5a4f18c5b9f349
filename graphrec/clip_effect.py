"""What another CLIP does to cold recall: content arms on image and text alone, with the one and with the other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from graphrec.baselines.arm import Baseline, TrainingInput
from graphrec.baselines.content import Content, ContentUntrained
from graphrec.data.dataset import Dataset, Split
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import PairedInterval, paired_bootstrap
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.features.blocks import standardise
from graphrec.features.clip import ClipConfig
from graphrec.features.extract import IMAGE, TEXT, FeaturesConfig, extract_features
from graphrec.models.tuning import TuningConfig
from graphrec.progress import Progress, silent

ARMS: dict[str, Callable[[], Baseline]] = {"content-untrained": ContentUntrained, "content": Content}
METRICS = ("recall", "ndcg")


@dataclass(frozen=True)
class ArmEffect:
    """One arm with both CLIPs: metric name → mean over the users, and the interval of the difference."""

    arm: str
    before: dict[str, float]
    after: dict[str, float]
    difference: dict[str, PairedInterval]
    """after - before, over the same users."""


@dataclass(frozen=True)
class ColdRecallEffect:
    """Every arm in the cold pool of one dataset."""

    dataset: str
    before: str
    after: str
    pool: str
    coverage: str
    arms: list[ArmEffect]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return asdict(self)


def cold_split(dataset: Dataset, seed: int = 0) -> Split:
    """The dataset's own `valid` split, or a fifth of its items held out whole."""
    return dataset.fixed_split("valid") if "valid" in dataset.truths else dataset.split_cold_items(0.2, seed)


def cold_item_ids(split: Split) -> list[str]:
    """Ids of the held-out items that training does not know: a fit that is to be judged on them must not see them."""
    cold = np.intersect1d(split.cold_items, split.truth.item_index_P)
    return list(split.train.catalogue.item_ids[cold])


def cold_recall_effect(
    split: Split,
    before: ClipConfig,
    after: ClipConfig,
    k: int = 20,
    seed: int = 0,
    tuning: TuningConfig = TuningConfig(),  # noqa: B008 (frozen)
    device: str = "cpu",
    progress: Progress = silent,
) -> ColdRecallEffect:
    """Recall@k and NDCG@k in the cold pool with image and text vectors of two CLIPs, everything else the same.

    The dataset's own vectors for image and text, if it has any, are set aside for this. Raises GraphRecError where the
    dataset has neither pictures nor texts or nothing cold is held out.
    """
    pool = build_pool(split, "cold")
    one, other = (_per_user(split, pool, clip, k, seed, tuning, device, progress) for clip in (before, after))
    arms = [_effect(name, one[name], other[name], seed) for name in ARMS]
    return ColdRecallEffect(split.train.name, str(before), str(after), pool.description, pool.coverage, arms)


def _per_user(
    split: Split,
    pool: Pool,
    clip: ClipConfig,
    k: int,
    seed: int,
    tuning: TuningConfig,
    device: str,
    progress: Progress,
) -> dict[str, dict[str, np.ndarray]]:
    """Arm → metric → one value per evaluated user."""
    own = {name: vectors for name, vectors in split.train.own_vectors.items() if name not in (IMAGE, TEXT)}
    train = replace(split.train, own_vectors=own)
    is_warm_I = train.interactions.item_degree() > 0
    features = extract_features(train, is_warm_I, FeaturesConfig(clip=clip, use=(IMAGE, TEXT)), progress, device)
    inputs = TrainingInput(train, standardise(features, is_warm_I), tuning, seed)
    found = {}
    for name, arm in ARMS.items():
        lists = arm().fit(inputs, progress).rank(pool.users, pool.items, pool.seen[pool.users], k)
        values = evaluate(lists, pool, pool.users, [k]).values
        found[name] = {f"{metric}@{k}": values[f"{metric}@{k}"] for metric in METRICS}
    return found


def _effect(arm: str, before: dict[str, np.ndarray], after: dict[str, np.ndarray], seed: int) -> ArmEffect:
    return ArmEffect(
        arm=arm,
        before={metric: float(np.nanmean(values)) for metric, values in before.items()},
        after={metric: float(np.nanmean(values)) for metric, values in after.items()},
        difference={
            metric: paired_bootstrap(after[metric], before[metric], np.random.default_rng(seed)) for metric in before
        },
    )
