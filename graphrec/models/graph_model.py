"""Fitting the whole model: encoder, content head, popularity term, fallback. Everything is chosen inside train.

1. Mask whole items and some edges; train the encoder on the rest, epoch by epoch, until the masked items are no longer
   found better by a content head that the graph teaches. Tune the head's kernel (see `leave_one_out`), and choose on
   the masked items how the parts of the score are mixed, how fast items move from content to graph, and how much new
   items are shown (see `masked_search`).
2. Train again on everything for as many epochs, and fit the head, x → the graph's vector, over all warm items.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeInt

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.checkpoint import Checkpoint, StageCheckpoint, training_key
from graphrec.models.choices import FittedChoices
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in
from graphrec.models.graphsage import Encoded, GraphSAGE, GraphSAGEConfig
from graphrec.models.masked_search import MaskedSearch
from graphrec.models.other_sites import with_other_sites
from graphrec.models.parts import Parts, Placer, mixed_queries
from graphrec.models.placement import Placement
from graphrec.models.raw_block import sum_of_items
from graphrec.models.scoring import QueryScale
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
    site_dim: NonNegativeInt = 256
    """Most numbers that stand for what people of one other site do (see `models.other_sites`); 0: that is not used."""


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
    """c: from the item's own features and nothing else, stretched as chosen."""
    unseen_ID: np.ndarray
    """As served without an edge on the site: c itself, but where people of other sites say more."""
    served_ID: np.ndarray
    """v: c where nobody touched the item anywhere, otherwise blended with z.

    An item that only people of other sites touched is where its features and what they did place it.
    """
    degree_I: np.ndarray
    """Users on the site."""
    degree_elsewhere_I: np.ndarray
    """Users of the same product on other sites."""
    placement: Placement
    """For items that arrive later."""

    @cached_property
    def by_popularity(self) -> np.ndarray:
        """All items by their popularity term as it is served, the most popular first; int64 (I,)."""
        return np.argsort(-self.served_ID[:, -1], kind="stable")

    def queries(self, q_BD: np.ndarray, items_BI: sp.csr_matrix, popularity: bool = True) -> np.ndarray:
        """What is searched with, (B, D + R + 1) float32, for users of these encodings and items.

        With `popularity` off the average user is taken out.
        """
        sum_BR = sum_of_items(items_BI, self.graph_ID[:, q_BD.shape[1] : -1])
        return mixed_queries(q_BD, sum_BR, self.scale, self.raw_scale, self.choices.mixture, popularity)


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
    view = SiteView.of(train)
    _check_enough(view)
    checkpoint = (
        None
        if checkpoint_path is None
        else Checkpoint(checkpoint_path, training_key(train, blocks, config, seed, device), say)
    )
    choices = _choose(train, blocks, config, seed, device, progress, checkpoint)
    encoder = train_encoder(
        view.graph, blocks.x_IF, config.encoder, config.training, choices.epochs, seed, device,
        progress=progress, description="Training GraphSAGE on everything",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _FINAL),
    )  # fmt: skip
    return assemble(encoder, choices, view, blocks, config, seed)


def assemble(
    encoder: GraphSAGE, choices: FittedChoices, view: SiteView, blocks: FeatureBlocks, config: ModelConfig, seed: int
) -> GraphModel:
    """The model that a trained encoder and these choices make of the data: heads are fitted, nothing else learned."""
    encoded, mixture, degree_I = encoder.encode(view.graph, blocks.x_IF), choices.mixture, view.degree_I
    parts = Parts.fit(
        Placer.of(blocks, degree_I, choices.head, choices.popularity_head, seed),
        elsewhere_placer(choices, view, blocks, config.site_dim, seed),
        encoded,
        fold_in(encoded.q_UD, view.own_UI),
        view,
        config.raw_dim if mixture.raw_share else 0,
        seed,
    )
    graph_ID, stretch = parts.graph(mixture), np.float32(choices.stretch)
    content_ID = stretch * parts.without_edges(mixture, own_features=True)
    unseen_ID = content_ID if parts.unseen is parts.content else stretch * parts.without_edges(mixture)
    return GraphModel(
        encoder=encoder,
        encoded=replace(encoded, length_U=None),
        scale=parts.scale(mixture),
        raw_scale=parts.raw_scale,
        choices=choices,
        graph_ID=graph_ID,
        content_ID=content_ID,
        unseen_ID=unseen_ID,
        served_ID=serve(graph_ID, unseen_ID, degree_I, choices.half_degree),
        degree_I=degree_I,
        degree_elsewhere_I=view.degree_elsewhere_I,
        placement=parts.placement,
    )


def elsewhere_placer(
    choices: FittedChoices, view: SiteView, blocks: FeatureBlocks, site_dim: int, seed: int
) -> Placer | None:
    """What places items that people of other sites know; None where none are, or were when the choices were made."""
    if choices.elsewhere_head is None or choices.elsewhere_popularity_head is None or not view.has_elsewhere:
        return None
    wide = with_other_sites(blocks, view, site_dim, seed)
    return Placer.of(wide, view.degree_I, choices.elsewhere_head, choices.elsewhere_popularity_head, seed)


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
        return FittedChoices.model_validate(made_before)
    search = MaskedSearch(
        MaskedSplit.of(train, config.tuning, seed),
        blocks,
        new_encoder(len(blocks.x_IF), blocks.x_IF.shape[1], config.encoder, seed, device),
        config.site_dim,
    )
    train_encoder(
        search.view.graph, blocks.x_IF, config.encoder, config.training, config.training.max_epochs, seed, device,
        after_epoch=lambda epoch, encoder: search.judge(encoder, config.training.patience),
        progress=progress, description="Training GraphSAGE, whole items masked",
        checkpoint=None if checkpoint is None else StageCheckpoint(checkpoint, _SEARCH, {"search": search}),
    )  # fmt: skip
    choices = search.choose(config.tuning, config.raw_dim, progress)
    if checkpoint is not None:
        checkpoint.begin(_FINAL, choices.model_dump(mode="json"))
    return choices


def _check_enough(view: SiteView) -> None:
    num_warm, num_users = int((view.degree_I > 0).sum()), int((view.own.user_degree() > 1).sum())
    if num_warm < 10 or num_users < 10:
        raise GraphRecError(
            f"Too little to learn from: {num_warm} items with interactions and {num_users} users with at least two "
            "items; at least 10 of each are needed."
        )
