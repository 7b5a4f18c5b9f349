"""What the leak checks look at: a fitted recommender, its split, and a world in which cold items do not exist.

Shapes: I items, W of them warm.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from graphrec.data.catalogue import Attributes
from graphrec.data.dataset import Dataset, Split
from graphrec.features.attributes import AttributeEncoder
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import FeaturesConfig, ItemFeatures
from graphrec.features.modality import Modality
from graphrec.features.words import WordsEncoder
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.site_view import SiteView
from graphrec.models.graph_model import GraphModel
from graphrec.recommender import Recommender


@dataclass(frozen=True)
class Evidence:
    """What arms were fitted from, on one split. Statistics are fitted again where cold items do not exist."""

    split: Split
    train: Dataset
    """What was learned from: of the split, or so it should be."""
    features: ItemFeatures
    blocks: FeatureBlocks
    config: FeaturesConfig
    graph: InteractionGraph
    model: GraphModel | None = None
    """None where only arms without a graph were fitted."""
    seed: int = 0
    """That the model was fitted with."""
    site_dim: int = 0
    """As `seed`."""

    @classmethod
    def of_model(cls, model: Recommender, split: Split) -> Self:
        """From a fitted recommender, or one that was read from a run."""
        config, seed = model.config.features, model.config.seed
        return cls(
            split, model.train_, model.features_, model.blocks, config, model.graph, model.model_, seed,
            model.config.model.site_dim,
        )  # fmt: skip

    @classmethod
    def of_inputs(cls, split: Split, features: ItemFeatures, blocks: FeatureBlocks, config: FeaturesConfig) -> Self:
        """From what arms without a recommender are fitted from."""
        graph = SiteView.of(split.train).graph
        return cls(split, split.train, features, blocks, config, graph)

    def item_id(self, item: int) -> str:
        """For a reader."""
        return repr(str(self.train.catalogue.item_ids[item]))

    @cached_property
    def view(self) -> SiteView:
        """What the split leaves to learn from, as its target site sees it."""
        return SiteView.of(self.split.train)

    @cached_property
    def is_cold_I(self) -> np.ndarray:
        """Items that the split keeps out of training, or other sites' items: no statistic is fitted on them."""
        return self.view.degree_I == 0

    @cached_property
    def is_untouched_I(self) -> np.ndarray:
        """Items that nobody touched on any site: the graph must not know them."""
        return self.view.everywhere.item_degree() == 0

    @cached_property
    def warm(self) -> np.ndarray:
        """Indices of the other items, sorted."""
        return np.flatnonzero(~self.is_cold_I)

    @cached_property
    def everybody_W(self) -> np.ndarray:
        """True for each warm item: where cold ones are removed, there is nothing to mask."""
        return np.ones(len(self.warm), dtype=bool)

    @cached_property
    def warm_text_W(self) -> np.ndarray:
        """The texts of the warm items."""
        return self.train.catalogue.text[self.warm]

    @cached_property
    def warm_words(self) -> WordsEncoder | None:
        """Words as the warm items alone teach them."""
        return WordsEncoder.fit(self.warm_text_W, self.everybody_W, self.config.words)

    @cached_property
    def warm_attributes(self) -> AttributeEncoder:
        """Values and ranges as the warm items alone teach them, of the attributes that the model uses."""
        columns = _rows_of(self.train.catalogue.known_attributes, self.warm)
        names = self.features.encoders.attributes.names
        return AttributeEncoder.fit(columns, names, self.everybody_W, self.config.attributes)

    @cached_property
    def warm_features(self) -> ItemFeatures:
        """The features of the warm items alone."""
        features = self.features
        return replace(
            features,
            modalities={name: self.warm_modality(name) for name in features.modalities},
            signals={name: signal_IS[self.warm] for name, signal_IS in features.signals.items()},
        )

    def warm_modality(self, name: str) -> Modality:
        """One modality of the warm items alone, a copy."""
        modality = self.features.modalities[name]
        return Modality(modality.x_IF[self.warm], modality.present_I[self.warm])


def _rows_of(attributes: Attributes, rows: np.ndarray) -> Attributes:
    return Attributes(
        {name: values[rows] for name, values in attributes.categorical.items()},
        {name: [values[row] for row in rows.tolist()] for name, values in attributes.multi_valued.items()},
        {name: values[rows] for name, values in attributes.numeric.items()},
    )
