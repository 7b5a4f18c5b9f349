"""Two shops: what the first's new products are liked by shows in nothing but what people of the second did."""

from dataclasses import dataclass

import numpy as np
import pytest

from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset, OwnVectors, Split
from graphrec.recommender import Recommender

HERE, LINKED, THERE = 90, 60, 80
NUM_ITEMS = HERE + THERE
USERS_HERE, USERS_BOTH, USERS_THERE = 120, 20, 150
NUM_USERS = USERS_HERE + USERS_BOTH + USERS_THERE
KINDS = 3
SETTINGS = (
    "features.use=[style]",
    "model.encoder.dim=8",
    "model.encoder.fanouts=[8]",
    "model.training.max_epochs=3",
    "model.training.users_per_batch=64",
    "model.tuning.steps=30",
)


@dataclass(frozen=True)
class TwoShops:
    """Items 0 to 89 are sold here, the others there; item 90 + i there is item i here, for i up to 59."""

    dataset: Dataset
    split: Split
    """Of this shop's touched items a quarter is cold: some of them are sold there, some are not."""
    likes_UI: np.ndarray
    """Whether the item is of the user's kind."""

    @property
    def cold_known(self) -> np.ndarray:
        """Cold here, touched there."""
        return np.flatnonzero(np.isin(np.arange(NUM_ITEMS), self.split.cold_items[self.split.cold_items < LINKED]))

    @property
    def cold_unknown(self) -> np.ndarray:
        """Sold here, touched nowhere."""
        cold = self.split.cold_items
        return cold[(cold >= LINKED) & (cold < HERE)]

    @property
    def visitors(self) -> np.ndarray:
        """Users who never did anything here."""
        return np.arange(USERS_HERE + USERS_BOTH, NUM_USERS)


@pytest.fixture(scope="session")
def two_shops(dataset_of_sites):
    rng = np.random.default_rng(0)
    kind_U, kind_I = rng.integers(KINDS, size=NUM_USERS), rng.integers(KINDS, size=NUM_ITEMS)
    kind_I[HERE : HERE + LINKED] = kind_I[:LINKED]
    likes_UI = kind_U[:, None] == kind_I
    is_open_UI = np.zeros((NUM_USERS, NUM_ITEMS), dtype=bool)
    is_open_UI[: USERS_HERE + USERS_BOTH, :HERE] = is_open_UI[USERS_HERE:, HERE:] = True
    touched_UI = is_open_UI & (rng.random(likes_UI.shape) < np.where(likes_UI, 0.35, 0.03))
    site_I = ["here"] * HERE + ["there"] * THERE
    ids = np.array([f"{site}-{item}" for item, site in enumerate(site_I)], dtype=object)
    style_IF = rng.normal(size=(NUM_ITEMS, 6)).astype(np.float32)  # says nothing of the kind
    dataset = dataset_of_sites(
        site_I,
        np.argwhere(touched_UI),
        [(item, HERE + item, 1.0) for item in range(LINKED)],
        "here",
        NUM_USERS,
        {"style": OwnVectors(ids, style_IF)},
    )
    return TwoShops(dataset, dataset.split_cold_items(0.25, seed=0), likes_UI)


@pytest.fixture(scope="session")
def cross_settings():
    """Of a small model."""
    return SETTINGS


@pytest.fixture(scope="session")
def cross_model(two_shops):
    """Fitted with what people of the other shop did."""
    return Recommender(GraphRecConfig.load(None, SETTINGS), "cpu").fit(two_shops.split.train)


@pytest.fixture(scope="session")
def lonely_model(two_shops):
    """The same, without their blocks."""
    config = GraphRecConfig.load(None, [*SETTINGS, "model.site_dim=0"])
    return Recommender(config, "cpu").fit(two_shops.split.train)
