"""Fitting the whole model: encoder, content head, popularity term, fallback. Everything is chosen inside train.

1. Mask whole items and some edges; train the encoder on the rest, epoch by epoch, until the masked items are no longer
   found better by a content head that the graph teaches. On the masked edges, choose how fast items move from content
   to graph.
2. Train again on everything for as many epochs.
3. Tune the head x → the graph's vector with every warm item left out in turn (see `leave_one_out`), together with what
   it is taught (z, fold-in) and how much the raw block counts; then fit it over all warm items.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
from graphrec.models.fold_in import alike_scaled, fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE, GraphSAGEConfig
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.leave_one_out import LearnedTeacher, TuningItems, tune_kernel_head
from graphrec.models.masked_search import MaskedSearch
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import RawBlock, join_queries, join_vectors, sum_of_items
from graphrec.models.ridge import HeadSettings
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.training import TrainingConfig, new_encoder, train_encoder
from graphrec.models.tuning import MaskedSplit, TuningConfig
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
    """What was chosen inside the training data, kept in the run so that nobody has to guess."""

    epochs: int
    half_degree: float
    masked_ndcg: float
    """NDCG@20 of the best epoch on the masked items, with an untuned head (a validation figure: it chose the epoch)."""
    ndcg_by_epoch: list[float] = field(default_factory=list)
    head: HeadSettings = HeadSettings(weights={})  # noqa: RUF009 (frozen)
    popularity_weight: float = 0.0
    fold_in_share: float = 0.0
    """Share of the fold-in, against GraphSAGE's own z, in the vector that the head learns to predict."""
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
    epochs = _choose_epochs(train, blocks, config, seed, device, progress, checkpoint)
    graph = InteractionGraph.from_interactions(train.interactions)
    encoder = train_encoder(
        graph, blocks.x_IF, config.encoder, config.training, epochs.epochs, seed, device,
        progress=progress, description="Training GraphSAGE on everything",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _FINAL),
    )  # fmt: skip
    encoded = encoder.encode(graph, blocks.x_IF)
    folded_ID = fold_in(encoded.q_UD, graph.items_of_user.matrix())
    warm, has_history_U = np.flatnonzero(degree_I), graph.user_degree > 0
    matrix = train.interactions.user_item_matrix()

    items = TuningItems.of(blocks, warm, seed)
    popularity = Popularity.fit(blocks, items, degree_I, seed)
    tuned = tune_kernel_head(
        items, matrix, popularity.left_out_R, _teacher(encoder, encoded, folded_ID, graph, warm),
        config.tuning.steps, seed, config.raw_dim > 0, progress,
    )  # fmt: skip
    choices = replace(
        epochs,
        head=tuned.settings,
        popularity_weight=tuned.popularity_weight,
        fold_in_share=tuned.fold_in_share,
        raw_share=tuned.raw_share,
    )
    head = KernelRidge.of(blocks, warm, tuned.settings, seed)
    teacher_ID = graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[has_history_U], warm, choices.fold_in_share)
    raw = RawBlock.fit(head, matrix, choices.raw_share, config.raw_dim, seed)
    content_ID = head.predict(head.coefficients(teacher_ID[warm]))
    graph_ID = join_vectors(with_popularity(teacher_ID, popularity.observed_I), raw.vectors_IR)
    content_ID = join_vectors(with_popularity(content_ID, popularity.predicted_I), raw.vectors_IR)
    return GraphModel(
        encoder=encoder,
        encoded=replace(encoded, length_U=None),
        scale=QueryScale.fit(encoded.q_UD[has_history_U], teacher_ID[warm]),
        raw_scale=raw.scale,
        choices=choices,
        graph_ID=graph_ID,
        content_ID=content_ID,
        served_ID=serve(graph_ID, content_ID, degree_I, choices.half_degree),
        degree_I=degree_I,
    )


def _teacher(
    encoder: GraphSAGE, encoded: Encoded, folded_ID: np.ndarray, graph: InteractionGraph, warm: np.ndarray
) -> LearnedTeacher:
    z_ID, folded_ID = alike_scaled(encoded.z_ID, folded_ID, encoded.q_UD[graph.user_degree > 0], warm)
    message_ID = encoder.messages(encoded)
    adjacency = graph.items_of_user.matrix(weighted=False)  # as GraphSAGE's mean
    mean_UD = (adjacency @ message_ID) / np.maximum(np.diff(adjacency.indptr), 1)[:, None]
    assert encoded.length_U is not None  # it was encoded just now
    return LearnedTeacher(encoded.q_UD, encoded.length_U, message_ID, mean_UD.astype(np.float32), z_ID, folded_ID)


def _choose_epochs(
    train: Dataset,
    blocks: FeatureBlocks,
    config: ModelConfig,
    seed: int,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> FittedChoices:
    """The choices that need masked items; the head's are still to be made."""
    made_before = None if checkpoint is None else checkpoint.facts(_FINAL)
    if made_before is not None:
        return FittedChoices.from_json(made_before)
    masked = MaskedSplit.of(train, config.tuning, seed)
    search = MaskedSearch(
        masked,
        blocks,
        new_encoder(len(blocks.x_IF), blocks.x_IF.shape[1], config.encoder, seed, device),
    )
    train_encoder(
        search.graph, blocks.x_IF, config.encoder, config.training, config.training.max_epochs, seed, device,
        after_epoch=lambda epoch, encoder: search.judge(encoder, config.training.patience),
        progress=progress, description="Training GraphSAGE, whole items masked",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _SEARCH, {"search": search}),
    )  # fmt: skip
    choices = FittedChoices(
        epochs=search.best_epoch,
        half_degree=search.best_half_degree(),
        masked_ndcg=max(search.ndcg_by_epoch),
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
