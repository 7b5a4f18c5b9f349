"""Fitting the whole model: encoder, content head, popularity term, fallback. Everything is chosen inside train.

1. Mask whole items and some edges; train the encoder on the rest, epoch by epoch, until the masked items are no longer
   found better by a content head that the graph teaches.
2. Choose the teacher and tune the head on the same masked items; choose how fast items move from content to graph on
   the masked edges.
3. Train again on everything for as many epochs, and refit the head over all warm items: x → the graph's vector.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeInt

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.checkpoint import Checkpoint, StageCheckpoint, training_key
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE, GraphSAGEConfig
from graphrec.models.masked_search import SHARES, MaskedSearch, item_vectors
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import RawBlock, join_queries, join_vectors, sum_of_items
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale
from graphrec.models.training import TrainingConfig, new_encoder, train_encoder
from graphrec.models.tuning import MaskedSplit, TuningConfig, tune_head
from graphrec.progress import Progress, Say, silent, unsaid

_SEARCH, _FINAL = "the search", "the training on everything"


class ModelConfig(BaseModel, extra="forbid", frozen=True):
    """Everything that decides the fitted model, apart from the features."""

    encoder: GraphSAGEConfig = GraphSAGEConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()
    raw_dim: NonNegativeInt = 256
    """Most numbers of the raw block (see `models.raw_block`) in a vector; 0: none."""


@dataclass(frozen=True)
class FittedChoices:
    """What was chosen on the masked items, kept in the run so that nobody has to guess."""

    epochs: int
    head: HeadSettings
    popularity_weight: float
    fold_in_share: float
    """Share of the fold-in, against GraphSAGE's own z, in the vector that the head learns to predict."""
    half_degree: float
    masked_ndcg: float
    """NDCG@20 of the chosen settings on the masked items (a validation figure: it chose them)."""
    ndcg_by_epoch: list[float] = field(default_factory=list)
    raw_share: float = 0.0
    """How much the raw block counts, against the learned vector; runs from before there was one have none."""

    def to_json(self) -> dict[str, Any]:
        """As JSON data; `from_json` gives it back exactly."""
        return {**asdict(self), "head": self.head.model_dump()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**{**values, "head": HeadSettings(**values["head"])})


@dataclass(frozen=True)
class GraphModel:
    """The fitted model as arrays. Item vectors are (I, D + R + 1): learned, raw, and the popularity term last."""

    encoder: GraphSAGE
    encoded: Encoded
    scale: QueryScale
    """Of the learned vectors."""
    raw_scale: QueryScale
    choices: FittedChoices
    graph_ID: np.ndarray
    """Where the graph puts the items with edges: z and fold-in as chosen."""
    content_ID: np.ndarray
    """c: from the item's own features and nothing else."""
    served_ID: np.ndarray
    """v: c where the degree is 0, otherwise blended with z."""
    degree_I: np.ndarray

    def queries(self, q_BD: np.ndarray, items_BI: sp.csr_matrix, popularity: bool = True) -> np.ndarray:
        """What is searched with, (B, D + R + 1) float32, for users of these encodings and items.

        With `popularity` off the average user is taken out.
        """
        raw_IR = self.served_ID[:, q_BD.shape[1] : -1]
        raw_BR = self.raw_scale.search_query(sum_of_items(items_BI, raw_IR), 0, popularity)
        learned_BD = self.scale.search_query(q_BD, self.choices.popularity_weight, popularity)
        return join_queries(learned_BD, raw_BR, self.choices.raw_share)


def fit_graph_model(
    train: Dataset,
    blocks: FeatureBlocks,
    config: ModelConfig,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
    checkpoint_path: Path | None = None,
    say: Say = unsaid,
) -> GraphModel:
    """Fit on the training data of a split; items without an edge contribute nothing, and get their content vector.

    With `checkpoint_path`, a file that this fit writes while it works and that the same fit, killed and called again,
    goes on from, to the same model bit for bit; `say` gets a line about it. The file stays when the fit is done.
    Raises GraphRecError where the interactions are too few to learn anything from.
    """
    degree_I = train.interactions.item_degree()
    _check_enough(train, degree_I)
    checkpoint = (
        None
        if checkpoint_path is None
        else Checkpoint(checkpoint_path, training_key(train, blocks, config, seed, device), say)
    )
    choices = _choose(train, blocks, config, seed, device, progress, checkpoint)
    graph = InteractionGraph.from_interactions(train.interactions)
    encoder = train_encoder(
        graph, blocks.x_IF, config.encoder, config.training, choices.epochs, seed, device,
        progress=progress, description="Training GraphSAGE on everything",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _FINAL),
    )  # fmt: skip
    encoded = encoder.encode(graph, blocks.x_IF)
    system = RidgeSystem(blocks.x_IF, blocks.columns, np.flatnonzero(degree_I))
    has_history_U = graph.user_degree > 0
    folded_ID = fold_in(encoded.q_UD, graph.items_of_user.matrix())
    teacher_ID = graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[has_history_U], system.rows, choices.fold_in_share)
    graph_ID, content_ID = item_vectors(system, teacher_ID, Popularity.fit(system, degree_I), choices.head)
    matrix = train.interactions.user_item_matrix()
    raw = RawBlock.fit(system, matrix, choices.head, choices.raw_share, config.raw_dim, seed)
    graph_ID, content_ID = join_vectors(graph_ID, raw.vectors_IR), join_vectors(content_ID, raw.vectors_IR)
    return GraphModel(
        encoder=encoder,
        encoded=encoded,
        scale=QueryScale.fit(encoded.q_UD[has_history_U], teacher_ID[system.rows]),
        raw_scale=raw.scale,
        choices=choices,
        graph_ID=graph_ID,
        content_ID=content_ID,
        served_ID=serve(graph_ID, content_ID, degree_I, choices.half_degree),
        degree_I=degree_I,
    )


def _choose(
    train: Dataset,
    blocks: FeatureBlocks,
    config: ModelConfig,
    seed: int,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> FittedChoices:
    made_before = None if checkpoint is None else checkpoint.facts(_FINAL)
    if made_before is not None:
        return FittedChoices.from_json(made_before)
    masked = MaskedSplit.of(train, config.tuning, seed)
    search = MaskedSearch(
        masked,
        blocks,
        new_encoder(len(blocks.x_IF), blocks.x_IF.shape[1], config.encoder, seed, device),
        config.raw_dim,
    )
    train_encoder(
        search.graph, blocks.x_IF, config.encoder, config.training, config.training.max_epochs, seed, device,
        after_epoch=lambda epoch, encoder: search.judge(encoder, config.training.patience),
        progress=progress, description="Training GraphSAGE, whole items masked",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _SEARCH, {"search": search}),
    )  # fmt: skip
    shares = SHARES[: max(1, config.tuning.tries)]
    share = search.best_share(shares)
    tries = config.tuning.tries - len(shares)  # the shares are tries too
    raw_shares = search.raw_shares[: max(1, tries + 1)]
    raw_share = search.best_raw_share(share, raw_shares)
    tuned = tune_head(
        list(blocks.columns),
        lambda settings, weight: search.score(settings, weight, share, raw_share),
        max(0, tries + 1 - len(raw_shares)),  # the first one is what the best share was found with
        progress,
        "Tuning the content head",
    )
    choices = FittedChoices(
        epochs=search.best_epoch,
        head=tuned.settings,
        popularity_weight=tuned.popularity_weight,
        fold_in_share=share,
        half_degree=search.best_half_degree(tuned, share, raw_share),
        raw_share=raw_share,
        masked_ndcg=tuned.score,
        ndcg_by_epoch=search.ndcg_by_epoch,
    )
    if checkpoint is not None:
        checkpoint.begin(_FINAL, choices.to_json())
    return choices


def _check_enough(train: Dataset, degree_I: np.ndarray) -> None:
    num_warm, num_users = int((degree_I > 0).sum()), int((train.interactions.user_degree() > 1).sum())
    if num_warm < 10 or num_users < 10:
        raise GraphRecError(
            f"Too little to learn from: {num_warm} items with interactions and {num_users} users with at least two "
            "items; at least 10 of each are needed."
        )
