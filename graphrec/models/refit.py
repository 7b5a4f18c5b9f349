"""The fitted model on other training data, with the encoder's weights and every choice as they are."""

import copy
from dataclasses import replace

import numpy as np
import torch

from graphrec.data.dataset import Dataset
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in
from graphrec.models.graph_model import GraphModel
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.parts import Parts
from graphrec.models.popularity import Popularity


def refit(model: GraphModel, train: Dataset, blocks: FeatureBlocks, raw_dim: int, seed: int) -> GraphModel:
    """Degrees, encodings, head, popularity and served vectors anew, from what `train` still holds; nothing is trained.

    `train` has the items of the model's own training data, by the same indices. What the encoder learned for items that
    have no edge any more is set to zero, where it is for every item without an edge.
    """
    degree_I = train.interactions.item_degree()
    encoder = copy.deepcopy(model.encoder)
    if encoder.residual is not None:
        with torch.no_grad():
            encoder.residual.weight[torch.from_numpy(degree_I == 0)] = 0
    graph = InteractionGraph.from_interactions(train.interactions)
    encoded = encoder.encode(graph, blocks.x_IF)
    choices, mixture = model.choices, model.choices.mixture
    parts = Parts.fit(
        KernelRidge.of(blocks, np.flatnonzero(degree_I), choices.head, seed),
        encoded,
        fold_in(encoded.q_UD, graph.items_of_user.matrix()),
        train.interactions.user_item_matrix(),
        Popularity.fit(blocks, degree_I, choices.popularity_head, seed),
        raw_dim if mixture.raw_share else 0,
        seed,
    )
    graph_ID, content_ID = parts.graph(mixture), np.float32(choices.stretch) * parts.content(mixture)
    return replace(
        model,
        encoder=encoder,
        encoded=replace(encoded, length_U=None),
        scale=parts.scale(mixture),
        raw_scale=parts.raw_scale,
        graph_ID=graph_ID,
        content_ID=content_ID,
        served_ID=serve(graph_ID, content_ID, degree_I, choices.half_degree),
        degree_I=degree_I,
    )
