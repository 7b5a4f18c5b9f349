"""Training the encoder: batches of users, sampled neighbourhoods, sampled softmax."""

from collections.abc import Callable

import numpy as np
import torch
from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch_geometric.data import HeteroData
from torch_geometric.loader import LinkLoader
from torch_geometric.sampler import NegativeSampling

from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, InteractionGraph
from graphrec.graph.sampler import NeighborSampler
from graphrec.models.batches import UserBatches
from graphrec.models.checkpoint import StageCheckpoint, TrainingState
from graphrec.models.graphsage import GraphSAGE, GraphSAGEConfig
from graphrec.models.losses import BatchInclusion, sampled_softmax
from graphrec.progress import Progress, silent


class TrainingConfig(BaseModel, extra="forbid", frozen=True):
    """How the encoder is trained."""

    max_epochs: PositiveInt = 20
    """The learning rate falls to zero along half a cosine over so many epochs, also where training stops before."""
    patience: PositiveInt = 5
    """Epochs in a row that find the masked items worse than the best, by half a percent, before the search stops."""
    users_per_batch: PositiveInt = 256
    target_rate: float = Field(default=0.5, gt=0, lt=1)
    """Share of a user's items that a step predicts from the others."""
    max_targets: PositiveInt = 128
    """Most items of one user that a step predicts."""
    uniform_negatives: NonNegativeInt = 0
    """Items drawn uniformly as further softmax classes, per predicted edge; 0: the batch's own items alone."""
    temperature: PositiveFloat = 0.15
    popularity_share: float = Field(default=0.5, ge=0, le=1)
    """Share of an item's log-degree that stands in the scores from the start, so that the vectors need not learn it."""
    learning_rate: PositiveFloat = 2e-3
    """At the start; see `max_epochs`."""
    weight_decay: NonNegativeFloat = 1e-5
    workers: NonNegativeInt = 0
    """Processes that sample ahead of training; 0 samples in between."""


def train_encoder(
    graph: InteractionGraph,
    x_IF: np.ndarray,
    encoder_config: GraphSAGEConfig,
    config: TrainingConfig,
    num_epochs: int,
    seed: int,
    device: str = "cpu",
    after_epoch: Callable[[int, GraphSAGE], bool] | None = None,
    progress: Progress = silent,
    description: str = "Training GraphSAGE",
    checkpoint: StageCheckpoint | None = None,
) -> GraphSAGE:
    """Train for `num_epochs`, or until `after_epoch(epoch, encoder)` (epochs from 1) says True.

    The edge being predicted is never in its own neighbourhood, in either direction; items without an edge in `graph`
    appear neither as positives nor as negatives. A step costs what its sampled neighbourhoods cost, whatever the size
    of the catalogue. The same seed gives the same encoder on the same machine, also where `checkpoint` resumes a
    training that was stopped.
    """
    encoder = new_encoder(graph.num_items, x_IF.shape[1], encoder_config, seed, device)
    encoder.start_from(x_IF, graph.item_degree, seed)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    loader = _loader(graph, encoder_config, config, rng, generator)
    optimizers = _optimizers(encoder, config)
    state = TrainingState(encoder, optimizers, rng, generator)
    done, is_over = (0, False) if checkpoint is None else checkpoint.resume(state)
    if is_over:
        return encoder.eval()
    x = torch.from_numpy(x_IF)
    weight_E = torch.from_numpy(graph.items_of_user.weight_E)
    inclusion = BatchInclusion.of(torch.from_numpy(graph.item_degree))
    for epoch in progress(range(done + 1, num_epochs + 1), description):
        encoder.train()
        for number, batch in enumerate(loader):
            encoder.zero_grad()
            _loss(encoder, batch, x, weight_E, inclusion, config, device).backward()
            share_done = (epoch - 1 + number / max(1, len(loader))) / config.max_epochs
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] = config.learning_rate * (1 + np.cos(np.pi * min(1.0, share_done))) / 2
                optimizer.step()
        encoder.eval()
        is_over = after_epoch is not None and after_epoch(epoch, encoder)
        if checkpoint is not None:
            checkpoint.keep(epoch, is_over or epoch == num_epochs, state)
        if is_over:
            break
    return encoder.eval()


def new_encoder(num_items: int, num_features: int, config: GraphSAGEConfig, seed: int, device: str) -> GraphSAGE:
    """An encoder before its first step; torch's own randomness is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphSAGE(num_items, num_features, config).to(device)


def _optimizers(encoder: GraphSAGE, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    sparse = [] if encoder.residual is None else list(encoder.residual.parameters())
    dense = [one for one in encoder.parameters() if all(one is not other for other in sparse)]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Adam(dense, lr=config.learning_rate, weight_decay=config.weight_decay)
    ]
    return [*optimizers, torch.optim.SparseAdam(sparse, lr=config.learning_rate)] if sparse else optimizers


def _loader(
    graph: InteractionGraph,
    encoder_config: GraphSAGEConfig,
    config: TrainingConfig,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> LinkLoader:
    edges = graph.items_of_user
    batches = UserBatches(edges, config.users_per_batch, config.target_rate, config.max_targets, rng)
    negatives = NegativeSampling("triplet", config.uniform_negatives) if config.uniform_negatives else None
    return LinkLoader(
        graph.to_hetero_data(),
        NeighborSampler(graph, encoder_config.fanouts, rng, users_start_alike=True),
        edge_label_index=(INTERACTS, torch.from_numpy(np.stack([edges.rows, edges.indices_E]))),
        neg_sampling=negatives,
        batch_sampler=batches,
        num_workers=config.workers,
        generator=generator,  # seeds the workers; torch's global one is nobody's to draw from
    )


def _loss(
    encoder: GraphSAGE,
    batch: HeteroData,
    x_IF: torch.Tensor,
    weight_E: torch.Tensor,
    inclusion: BatchInclusion,
    config: TrainingConfig,
    device: str,
) -> torch.Tensor:
    if "dst_pos_index" in batch["item"]:
        user_P, item_P = batch["user"].src_index, batch["item"].dst_pos_index
        negative_N = batch["item"].dst_neg_index.flatten()
    else:
        user_P, item_P = batch[INTERACTS].edge_label_index
        negative_N = item_P.new_empty(0)
    item_m = batch["item"].n_id
    edge_index = {kind: batch[kind].edge_index.to(device) for kind in (INTERACTS, INTERACTED_BY)}
    q_nD, z_mD = encoder(item_m.to(device), x_IF[item_m].to(device), batch["user"].num_nodes, edge_index)
    user_B, row_P = torch.unique(user_P, return_inverse=True)
    class_C, place = torch.unique(torch.cat([item_P, negative_N]), return_inverse=True)
    item_C = item_m[class_C]
    offset_C = config.popularity_share * inclusion.log_popularity(item_C)
    offset_C -= inclusion.log_q(item_C, len(item_P), len(negative_N))
    return sampled_softmax(
        q_nD[user_B.to(device)],
        z_mD[class_C.to(device)],
        row_P.to(device),
        place[: len(item_P)].to(device),
        weight_E[batch[INTERACTS].input_id].to(device),
        offset_C.to(device),
        config.temperature,
    )
