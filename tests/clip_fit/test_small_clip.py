"""The small CLIP that comes with the package, on products that neither its training nor the default store has."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from graphrec.clip_fit.fit import load_pictures, measure
from graphrec.clip_fit.pairs import find_pairs
from graphrec.data.dataset import Dataset
from graphrec.data.sample_store.store import SampleStoreConfig, make_sample_world
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.clip_loading import SMALL_FOLDER, load_clip

DRAWING = Path(__file__).resolve().parents[2] / "experiments" / "003-small-clip" / "drawing.py"


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("small_clip_drawing", DRAWING)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_it_ships_in_at_most_12_megabytes():
    assert sum(path.stat().st_size for path in SMALL_FOLDER.iterdir()) <= 12_000_000


def test_no_product_that_it_was_trained_on_is_in_the_default_store(drawing):
    sold = {tuple(row) for row in make_sample_world(SampleStoreConfig()).products.trait_PT.tolist()}
    assert len(sold) > 1000
    for seed in (0, 1):
        drawn = drawing.other_products(np.random.default_rng(seed), 5_000)
        assert len(drawn) == 5_000
        assert sold.isdisjoint(map(tuple, drawn.trait_PT.tolist()))
    rng = np.random.default_rng(1)
    naive = np.stack([rng.integers(size, size=400_000) for size in (12, 12, 13, 7, 12, 8)], axis=1)
    assert not sold.isdisjoint(map(tuple, naive.tolist()))  # without the check some would be drawn


def test_it_matches_drawn_pictures_and_texts_far_better_than_chance(small_store):
    pairs = find_pairs([Dataset.load(small_store)])
    clip = load_clip("small", None, "cpu")
    quality = measure(clip, pairs, load_pictures(clip, pairs, ClipConfig(), 1e9))["text"]
    for way in (quality.image_to_text, quality.text_to_image):
        assert way.pool > 100
        assert way.recall[5] > 5 * way.chance[5]


def test_it_knows_what_is_on_a_picture(small_store):
    data = Dataset.load(small_store)
    clip = ClipEncoder(ClipConfig())
    kind_I = data.catalogue.attributes.categorical["category"]
    names = sorted(set(kind_I) - {""})
    x_ID, present_I, _ = clip.encode_images(
        [data.catalogue.image_root / (one or "none") for one in data.catalogue.image]
    )
    found_I = np.array(names, dtype=object)[np.argmax(x_ID @ clip.encode_texts(names).T, axis=1)]
    known_I = present_I & (kind_I != "")
    assert (found_I == kind_I)[known_I].mean() > 0.7
