import numpy as np
import pytest

from graphrec.baselines.arm import TrainingInput
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.tuning import TuningConfig

NUM_USERS, NUM_ITEMS = 45, 30
COLD = np.array([4, 11, 19, 28, 29])


@pytest.fixture(scope="session")
def cold():
    return COLD


@pytest.fixture(scope="session")
def train():
    """45 × 30 weighted pairs, five items without any; user 43 has one item, user 44 none."""
    rng = np.random.default_rng(0)
    warm = np.setdiff1d(np.arange(NUM_ITEMS), COLD)
    user, item = rng.integers(0, 43, 330), rng.choice(warm, 330, p=np.arange(1, 26) / 325)
    user[0] = 43
    weight = rng.integers(1, 4, 330).astype(np.float32)
    empty_I = np.full(NUM_ITEMS, "", dtype=object)
    return Dataset(
        name="small",
        catalogue=Catalogue(
            item_ids=np.array([f"i{item:02}" for item in range(NUM_ITEMS)], dtype=object),
            title=empty_I,
            text=empty_I,
            image=empty_I,
            image_root=None,
            site=empty_I,
            attributes=Attributes(),
        ),
        user_ids=np.array([f"u{user:02}" for user in range(NUM_USERS)], dtype=object),
        site_names=("",),
        interactions=Interactions(NUM_USERS, NUM_ITEMS, user, item, weight, np.full(330, np.nan), np.full(330, -1)),
    )


@pytest.fixture(scope="session")
def blocks():
    """Two blocks of unit rows; item 3 lacks the second."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(NUM_ITEMS, width)) for width in (5, 3)]
    x_IF = np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]).astype(np.float32)
    x_IF[3, 5:] = 0
    return FeatureBlocks(x_IF, {"picture": slice(0, 5), "text": slice(5, 8)})


@pytest.fixture(scope="session")
def inputs(train, blocks):
    return TrainingInput(train, blocks, TuningConfig(tries=10), seed=3)
