from dataclasses import dataclass

import numpy as np
import pytest
import torch

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.graph_model import ModelConfig, fit_graph_model
from graphrec.models.graphsage import GraphSAGE, GraphSAGEConfig
from graphrec.models.training import TrainingConfig
from graphrec.models.tuning import TuningConfig

NUM_USERS, NUM_ITEMS, NUM_FEATURES = 45, 30, 6


def dataset_of(interactions):
    """The interactions with a catalogue that has nothing but ids."""
    empty_I = np.full(interactions.num_items, "", dtype=object)
    return Dataset(
        name="planted",
        catalogue=Catalogue(
            item_ids=np.array([f"i{item}" for item in range(interactions.num_items)], dtype=object),
            title=empty_I,
            text=empty_I,
            image=empty_I,
            image_root=None,
            site=empty_I,
            attributes=Attributes(),
        ),
        user_ids=np.array([f"u{user}" for user in range(interactions.num_users)], dtype=object),
        site_names=("",),
        interactions=interactions,
    )


def unit_rows(rng, num_rows, num_features):
    x = rng.normal(size=(num_rows, num_features))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tensors are tiny here: handing them between threads would cost more than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def interactions():
    """45 × 30 weighted pairs, one hub item (0); users 43, 44 and items 28, 29 untouched, users 41, 42 with one item."""
    rng = np.random.default_rng(0)
    user = np.concatenate([rng.integers(0, 41, 260), np.arange(41), [41, 42]])
    item = np.concatenate([rng.integers(0, 28, 260), np.zeros(41, dtype=np.int64), [3, 5]])
    weight = rng.integers(1, 4, len(user)).astype(np.float32)
    time, site = np.full(len(user), np.nan), np.full(len(user), -1)
    return Interactions(NUM_USERS, NUM_ITEMS, user, item, weight, time, site)


@pytest.fixture
def graph(interactions):
    return InteractionGraph.from_interactions(interactions)


@pytest.fixture
def x_IF():
    return unit_rows(np.random.default_rng(1), NUM_ITEMS, NUM_FEATURES)


@pytest.fixture
def make_encoder():
    """An encoder none of whose parameters is zero, so that leaving one out shows."""

    def make(num_layers=1, residual=True, num_items=NUM_ITEMS):
        config = GraphSAGEConfig(dim=5, fanouts=(40,) * num_layers, residual=residual)
        encoder = GraphSAGE(num_items, NUM_FEATURES, config)
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        return encoder.eval()

    return make


@dataclass(frozen=True)
class TasteWorld:
    """130 users and 100 items of two tastes; the features tell an item's taste only in part."""

    split: Split
    blocks: FeatureBlocks
    same_taste_UI: np.ndarray
    cold: np.ndarray


@pytest.fixture(scope="session")
def taste_world():
    rng = np.random.default_rng(3)
    taste_U, taste_I = rng.integers(2, size=130), rng.integers(2, size=100)
    same_taste_UI = taste_U[:, None] == taste_I
    user, item = np.nonzero(rng.random((130, 100)) < np.where(same_taste_UI, 0.25, 0.02))
    is_cold_I = np.arange(100) % 5 == 2
    is_held = is_cold_I[item]
    hint_IF = rng.normal(size=(100, 6))
    hint_IF[:, 0] += 1.5 * (2 * taste_I - 1)
    hint_IF /= np.linalg.norm(hint_IF, axis=1, keepdims=True)
    x_IF = np.hstack([hint_IF, unit_rows(rng, 100, 5)]).astype(np.float32)
    return TasteWorld(
        split=Split(
            train=dataset_of(Interactions.from_pairs(user[~is_held], item[~is_held], 130, 100)),
            truth=Truth(user[is_held], item[is_held]),
        ),
        blocks=FeatureBlocks(x_IF, {"hint": slice(0, 6), "noise": slice(6, 11)}),
        same_taste_UI=same_taste_UI,
        cold=np.flatnonzero(is_cold_I),
    )


@pytest.fixture(scope="session")
def small_config():
    return ModelConfig(
        encoder=GraphSAGEConfig(dim=8, fanouts=(8,)),
        training=TrainingConfig(max_epochs=4, users_per_batch=32),
        tuning=TuningConfig(tries=8),
    )


@pytest.fixture(scope="session")
def taste_model(taste_world, small_config):
    return fit_graph_model(taste_world.split.train, taste_world.blocks, small_config)


@pytest.fixture(scope="session")
def as_dataset():
    return dataset_of
