"""What a trial is judged by: items masked inside the training data, with the features extracted once for all trials."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.evaluation.metrics import ndcg
from graphrec.evaluation.protocol import Pool, PoolName
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.models.checkpoint import training_key
from graphrec.models.graph_model import GraphModel, ModelConfig, fit_graph_model
from graphrec.models.tuning import CUTOFF, MaskedSplit, TuningConfig
from graphrec.progress import Progress, Say, silent, unsaid

Measure = Literal["cold", "cold+warm"]


class TuneConfig(BaseModel, extra="forbid", frozen=True):
    """How long is searched, and what for."""

    trials: PositiveInt = 30
    """Trainings, the first with the settings that the search starts from; those of an earlier call count."""
    minutes: PositiveFloat | None = None
    """No trial but the first begins that would not end within so many minutes of the start of the command, loading and
    encoding included, going by the trials before; None: no limit."""
    measure: Measure = "cold"
    """cold: NDCG@20 among the masked items, the mean of with and without popularity. cold+warm: the mean of that and
    the same for masked pairs among the other items."""
    masked_items: float = Field(default=0.2, gt=0, lt=1)
    """Share of the warm items that are masked whole; each training masks a share of the rest once more."""
    masked_pairs: float = Field(default=0.05, gt=0, lt=1)
    """Share of the other pairs that are hidden too."""
    max_users: PositiveInt = 10_000
    """Users that a trial is judged by, per pool."""


@dataclass(frozen=True)
class MaskedItems:
    """A split of the training data once more, and its features: nothing of them is fitted on masked items."""

    split: MaskedSplit
    blocks: FeatureBlocks
    judges: dict[PoolName, tuple[Pool, np.ndarray]]
    """Pool → its items with their truth, and the users that are judged by it."""
    seed: int
    device: str

    @classmethod
    def of(
        cls,
        train: Dataset,
        config: GraphRecConfig,
        tune: TuneConfig,
        device: str = "cpu",
        cache: Path | None = None,
        progress: Progress = silent,
        say: Say = unsaid,
    ) -> "MaskedItems":
        """Mask items and extract the features; raises GraphRecError where too little would be left or nobody judges."""
        masking = TuningConfig(masked_items=tune.masked_items, masked_edges=tune.masked_pairs, max_users=tune.max_users)
        split = MaskedSplit.of(train, masking, config.seed)
        names: list[PoolName] = ["cold", "warm"] if tune.measure == "cold+warm" else ["cold"]
        judges = {}
        for name in names:
            judged = split.judges(name)
            if judged is None or len(judged[1]) < 2:
                raise GraphRecError(
                    f"Too little to tune by: fewer than two users keep a history and touched {name} items that are "
                    "masked."
                )
            judges[name] = judged
        inner = split.split.train
        is_warm_I = inner.own_interactions.item_degree() > 0
        features = extract_features(inner, is_warm_I, config.features, progress, device, cache)
        return cls(split, item_blocks(features, is_warm_I, say), judges, config.seed, device)

    def key(self, config: ModelConfig) -> str:
        """Stands for the data, the features, the settings, the seed, the device and the versions."""
        return training_key(self.split.split.train, self.blocks, config, self.seed, self.device)

    def fit(self, config: ModelConfig) -> GraphModel:
        """The model with these settings, from what is not masked."""
        return fit_graph_model(self.split.split.train, self.blocks, config, self.seed, self.device)

    def judge(self, model: GraphModel) -> dict[str, np.ndarray]:
        """Pool → NDCG@20 per user, the mean of with and without popularity; float64, no nan."""
        return {
            str(name): (_ndcg(model, *judge, popularity=True) + _ndcg(model, *judge, popularity=False)) / 2
            for name, judge in self.judges.items()
        }


def _ndcg(model: GraphModel, pool: Pool, users: np.ndarray, popularity: bool) -> np.ndarray:
    query_UD = model.queries(model.encoded.q_UD[users], pool.seen[users], popularity)
    lists = rank_by_vectors(query_UD, model.served_ID, pool.items, pool.seen[users], CUTOFF)
    return ndcg(*hits(lists, pool.truth[users]), CUTOFF)
