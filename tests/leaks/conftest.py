"""A shop in which cold items have words, values, prices, vectors and users of their own: whatever leaks, shows."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from graphrec.comparison import compare
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors, Split
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.leaks.check import LEAK_CHECKS

NUM_USERS, NUM_ITEMS, DAY = 60, 90, 86_400.0
SETTINGS = (
    "model.encoder.dim=8",
    "model.encoder.fanouts=[4]",
    "model.training.max_epochs=1",
    "model.tuning.tries=1",
    "features.words.max_dim=3",  # fewer than there are words: directions are a choice
)


@dataclass(frozen=True)
class Shop:
    """A dataset, its split, and which items the split keeps cold."""

    dataset: Dataset
    split: Split

    @property
    def is_cold_I(self):
        return np.isin(np.arange(NUM_ITEMS), self.split.cold_items)

    @property
    def cold_pairs(self):
        """(user, item) indices of held-out pairs of cold items whose users are known to training."""
        truth = self.split.truth
        is_known_P = self.split.train.interactions.user_degree()[truth.user_index_P] > 0
        keep = is_known_P & self.is_cold_I[truth.item_index_P]
        return truth.user_index_P[keep], truth.item_index_P[keep]


def shop(rng):
    user_E, item_E = rng.integers(NUM_USERS, size=900), rng.integers(NUM_ITEMS, size=900)
    # Items of the last quarter are born late; pairs that come back keep their first day.
    time_E = np.where(item_E >= 3 * NUM_ITEMS // 4, 60 + rng.integers(30, size=900), rng.integers(90, size=900)) * DAY
    is_young_I = np.arange(NUM_ITEMS) >= 3 * NUM_ITEMS // 4
    words = np.array(["linen", "denim", "wool", "silk", "felt", "tweed", "velvet", "cotton"])
    text = [" ".join(rng.choice(words, 3)) + (" neon mesh" if young else "") for young in is_young_I]
    colour = np.where(is_young_I, rng.choice(["neon", "red"], NUM_ITEMS), rng.choice(["red", "blue"], NUM_ITEMS))
    ids = np.array([f"i{item}" for item in range(NUM_ITEMS)], dtype=object)
    nothing = np.full(NUM_ITEMS, "", dtype=object)
    style_ID = rng.normal(size=(NUM_ITEMS, 6)) + 3 * is_young_I[:, None]
    return Dataset(
        name="shop",
        catalogue=Catalogue(
            ids, np.array(text, dtype=object), np.array(text, dtype=object), nothing, None, nothing,
            Attributes(
                categorical={"colour": colour.astype(object)},
                numeric={"price": rng.uniform(10, 20, NUM_ITEMS) * (1 + is_young_I)},
            ),
        ),
        user_ids=np.array([f"u{user}" for user in range(NUM_USERS)], dtype=object),
        site_names=(),
        interactions=Interactions(
            NUM_USERS, NUM_ITEMS, user_E, item_E, np.ones(900, dtype=np.float32), time_E, np.full(900, -1)
        ),
        own_vectors={"style": OwnVectors(ids, style_ID.astype(np.float32))},
    )  # fmt: skip


@pytest.fixture(scope="session")
def young_shop():
    """Cold are the items of the last quarter, which are unlike the others."""
    dataset = shop(np.random.default_rng(0))
    return Shop(dataset, dataset.split_by_time(date="1970-03-02"))


@pytest.fixture
def quick_settings():
    """Of a small model, trained for an epoch."""
    return SETTINGS


@pytest.fixture
def fired(young_shop):
    """The checks that `compare` says have failed; none where it compares."""

    def run(*settings: str):
        config = GraphRecConfig.load(None, ["features.use=[words, attributes, style]", *SETTINGS, *settings])
        try:
            compared = compare(young_shop.split, ["graph"], "cold", 5, config=config)
        except GraphRecError as error:
            message = str(error)
        else:
            idle = set() if config.features.gate else {"feature gate"}
            assert compared.leak_checks == tuple(name for name in LEAK_CHECKS if name not in idle)
            return set()
        assert "\n" not in message
        return {name for name in LEAK_CHECKS if re.search(f"[:;] {name}: ", message)}

    return run
