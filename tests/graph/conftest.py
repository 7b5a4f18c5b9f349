import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.graph.interaction_graph import InteractionGraph

NUM_USERS, NUM_ITEMS = 45, 30


@pytest.fixture
def events():
    """45 × 30, repeated events, one hub item (0), users 43, 44 and items 28, 29 untouched."""
    rng = np.random.default_rng(0)
    user = np.concatenate([rng.integers(0, 43, 260), np.arange(40)])
    item = np.concatenate([rng.integers(0, 28, 260), np.zeros(40, dtype=np.int64)])
    weight = rng.integers(1, 4, len(user)).astype(np.float32)
    time, site = np.full(len(user), np.nan), np.full(len(user), -1)
    return Interactions(NUM_USERS, NUM_ITEMS, user, item, weight, time, site)


@pytest.fixture
def graph(events):
    return InteractionGraph.from_interactions(events)


@pytest.fixture
def pairs(graph):
    """Every edge as (user, item), 2 × E."""
    return np.stack([graph.items_of_user.rows, graph.items_of_user.indices_E])
