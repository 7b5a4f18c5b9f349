"""The fitted model on other training data, with the encoder's weights and every choice as they are."""

import copy

import torch

from graphrec.data.dataset import Dataset
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.graph_model import GraphModel, ModelConfig, assemble


def refit(model: GraphModel, train: Dataset, blocks: FeatureBlocks, config: ModelConfig, seed: int) -> GraphModel:
    """Degrees, encodings, heads, popularity and served vectors anew, from what `train` still holds; nothing is trained.

    `train` has the items of the model's own training data, by the same indices. What the encoder learned for items that
    have no edge any more is set to zero, where it is for every item without an edge.
    """
    view = SiteView.of(train)
    encoder = copy.deepcopy(model.encoder)
    if encoder.residual is not None:
        with torch.no_grad():
            encoder.residual.weight[torch.from_numpy(view.graph.item_degree == 0)] = 0
    return assemble(encoder, model.choices, view, blocks, config, seed)
