from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.data.interactions import Interactions

NUM_ITEMS, NUM_WARM = 45, 30
COLOURS = ("red", "green", "blue", "black", "white")
KINDS = ("dress", "shirt", "shoes")


@pytest.fixture
def is_warm_I():
    """Every third item is cold, so that warm is not a prefix."""
    return np.arange(NUM_ITEMS) % 3 != 2


@pytest.fixture
def catalogue(tmp_path):
    """45 items with texts, pictures (three broken ones) and all kinds of attributes, each sometimes missing."""
    rng = np.random.default_rng(5)
    colour = np.array([COLOURS[c] for c in rng.integers(5, size=NUM_ITEMS)], dtype=object)
    kind = np.array([KINDS[k] for k in rng.integers(3, size=NUM_ITEMS)], dtype=object)
    text = np.array([f"{c} {k} for item{i % 7}" for i, (c, k) in enumerate(zip(colour, kind, strict=True))], object)
    text[7] = "  "
    image = np.array([f"images/{i}.png" for i in range(NUM_ITEMS)], dtype=object)
    (tmp_path / "images").mkdir()
    for path in image:
        pixels = rng.integers(0, 256, size=(80, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / path)
    image[3] = ""
    (tmp_path / image[4]).unlink()
    (tmp_path / image[5]).write_bytes((tmp_path / image[5]).read_bytes()[:3000])
    colour[9] = ""
    price = rng.uniform(5, 90, size=NUM_ITEMS)
    price[11] = np.nan
    return Catalogue(
        item_ids=np.array([f"sku-{i:03}" for i in rng.permutation(NUM_ITEMS)], dtype=object),
        title=text,
        text=text,
        image=image,
        image_root=tmp_path,
        site=np.full(NUM_ITEMS, "", dtype=object),
        attributes=Attributes(
            categorical={"colour": colour},
            multi_valued={"tags": [(c, "new") if c else () for c in colour]},
            numeric={"price": price},
        ),
    )


@pytest.fixture
def dataset(catalogue):
    empty = np.zeros(0, dtype=np.int64)
    return Dataset(
        name="little shop",
        catalogue=catalogue,
        user_ids=np.array(["u1"], dtype=object),
        site_names=("",),
        interactions=Interactions(1, NUM_ITEMS, empty, empty, np.zeros(0, np.float32), empty, empty),
    )


@pytest.fixture
def changed_when_cold(catalogue, is_warm_I):
    """The same items; everything about the cold ones is another."""

    def change(column, value):
        return np.where(is_warm_I, column, value)

    attributes = catalogue.attributes
    tags = attributes.multi_valued["tags"]
    return replace(
        catalogue,
        text=change(catalogue.text, "purple trousers purple trousers shirt"),
        attributes=Attributes(
            categorical={"colour": change(attributes.categorical["colour"], "purple")},
            multi_valued={"tags": [t if warm else ("sale",) for t, warm in zip(tags, is_warm_I, strict=True)]},
            numeric={"price": change(attributes.numeric["price"], 1e6)},
        ),
    )


@pytest.fixture
def shuffled_vectors(catalogue):
    """A vector for each item but two, in another order than the catalogue's, and one for a stranger."""
    rng = np.random.default_rng(8)
    order = rng.permutation(NUM_ITEMS)[2:]
    ids = np.append(catalogue.item_ids[order], "stranger").astype(object)
    return OwnVectors(ids=ids, x_RF=rng.normal(size=(len(ids), 6)).astype(np.float32))
