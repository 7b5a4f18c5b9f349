from dataclasses import replace

import numpy as np
import pytest

from graphrec.features.attributes import AttributeEncoder
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.clip import ClipConfig
from graphrec.features.extract import FeatureEncoders, FeaturesConfig, ItemFeatures, extract_features
from graphrec.features.gate import GATED, FeatureGate, item_blocks
from graphrec.features.modality import Modality
from graphrec.features.storage import read_features, write_features

NUM_ITEMS = 600
COLUMNS = {"image": slice(0, 12), "text": slice(12, 22), "words": slice(22, 28), "attribute:kind": slice(28, 40)}


ENCODERS = FeatureEncoders({}, ClipConfig(), (), None, AttributeEncoder({}, {}))


def unit(x_IF):
    return x_IF / np.linalg.norm(x_IF, axis=1, keepdims=True)


def world(rng):
    """Items whose every block is a noisy look at the same hidden taste; 500 warm, 100 cold."""
    hidden_IT = rng.normal(size=(NUM_ITEMS, 5))
    parts = [
        unit(hidden_IT @ rng.normal(size=(5, where.stop - where.start)) + 0.6 * rng.normal(size=(NUM_ITEMS, 1)))
        for where in COLUMNS.values()
    ]
    return hidden_IT, FeatureBlocks(np.hstack(parts).astype(np.float32), COLUMNS)


def with_others_pictures(blocks, rng, share=0.5):
    """Blocks in which this share of the pictures is another item's, and which items those are."""
    x_IF = blocks.x_IF.copy()
    swapped = rng.choice(NUM_ITEMS, round(share * NUM_ITEMS), replace=False)
    x_IF[swapped, COLUMNS["image"]] = x_IF[np.roll(swapped, 1), COLUMNS["image"]]
    return FeatureBlocks(x_IF, COLUMNS), np.isin(np.arange(NUM_ITEMS), swapped)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def signals():
    rng = np.random.default_rng(9)
    return {name: rng.normal(size=(NUM_ITEMS, 2)).astype(np.float32) for name in GATED}


def fit(blocks, signals):
    return FeatureGate.fit(blocks, np.arange(500), signals, GATED)


def share_in_order(high, low):
    return (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()


def test_pictures_of_other_items_are_found_among_warm_and_cold_items(rng, signals):
    _, blocks = world(rng)
    bad_blocks, is_bad_I = with_others_pictures(blocks, rng)
    gate = fit(bad_blocks, signals)
    trust_I = gate.trust(bad_blocks, signals)["image"]
    for items in (np.arange(500), np.arange(500, 600)):
        bad_I = is_bad_I[items]
        assert share_in_order(trust_I[items][~bad_I], trust_I[items][bad_I]) > 0.9
    assert 0.35 < gate.gates["image"].bad_share < 0.6
    assert gate.gates["text"].bad_share < 0.1


def test_neighbours_by_gated_features_are_nearer_in_taste_than_by_plain_ones(rng, signals):
    hidden_IT, blocks = world(rng)
    bad_blocks, is_bad_I = with_others_pictures(blocks, rng)

    def mean_taste_of_neighbours(x_IF):
        score_II = x_IF @ x_IF.T
        np.fill_diagonal(score_II, -np.inf)
        nearest = np.argsort(-score_II, axis=1)[is_bad_I, :5]
        taste_IT = unit(hidden_IT)
        return np.einsum("it,ikt->ik", taste_IT[is_bad_I], taste_IT[nearest]).mean()

    gated = fit(bad_blocks, signals).apply(bad_blocks, signals)
    plain, clean = mean_taste_of_neighbours(bad_blocks.x_IF), mean_taste_of_neighbours(blocks.x_IF)
    assert mean_taste_of_neighbours(gated.x_IF) > plain + 0.5 * (clean - plain) > plain


def test_a_clean_catalogue_is_left_as_it_is(rng, signals):
    _, blocks = world(rng)
    gate = fit(blocks, signals)
    for trust_I in gate.trust(blocks, signals).values():
        assert trust_I.mean() > 0.97
    moved_I = np.linalg.norm(gate.apply(blocks, signals).x_IF - blocks.x_IF, axis=1)
    assert moved_I.mean() < 0.03


def test_signals_that_never_vary_or_are_not_known_harm_nothing(rng, signals):
    _, blocks = world(rng)
    constant = np.column_stack([np.ones(NUM_ITEMS), np.full(NUM_ITEMS, np.nan)]).astype(np.float32)
    gate = fit(blocks, {**signals, "image": constant})
    trust_I = gate.trust(blocks, {**signals, "image": constant})["image"]
    assert np.isfinite(trust_I).all()
    assert trust_I.mean() > 0.97


def test_an_absent_block_becomes_what_the_others_predict_and_nothing_stays_nothing(rng, signals):
    _, blocks = world(rng)
    x_IF = blocks.x_IF.copy()
    x_IF[510, COLUMNS["image"]] = 0
    x_IF[520] = 0
    missing = FeatureBlocks(x_IF, COLUMNS)
    without = {name: np.where(np.arange(NUM_ITEMS)[:, None] == 510, np.nan, values) for name, values in signals.items()}
    gated = fit(blocks, signals).apply(missing, without).x_IF
    assert np.isfinite(gated).all()
    assert not gated[520].any()
    made, true = gated[510, COLUMNS["image"]], blocks.x_IF[510, COLUMNS["image"]]
    assert made @ true / np.linalg.norm(made) > 0.8


def test_an_items_answer_depends_on_nobody_else(rng, signals):
    _, blocks = world(rng)
    bad_blocks, _ = with_others_pictures(blocks, rng)
    gate = fit(bad_blocks, signals)
    some = np.array([3, 77, 598])
    alone = gate.apply(
        FeatureBlocks(bad_blocks.x_IF[some], COLUMNS), {name: values[some] for name, values in signals.items()}
    )
    np.testing.assert_allclose(alone.x_IF, gate.apply(bad_blocks, signals).x_IF[some], atol=1e-5)


def as_features(blocks, signals):
    """The blocks as features with a gate; the attribute stands for what nobody doubts."""
    modalities = {
        name: Modality(blocks.x_IF[:, where], blocks.x_IF[:, where].any(axis=1)) for name, where in COLUMNS.items()
    }
    return ItemFeatures(modalities, (), ENCODERS, signals)


def test_features_with_signals_are_gated_alike_before_and_after_the_disk(rng, signals, tmp_path):
    _, blocks = world(rng)
    bad_blocks, is_bad_I = with_others_pictures(blocks, rng)
    features, is_warm_I, said = as_features(bad_blocks, signals), np.arange(NUM_ITEMS) < 500, []
    plain = item_blocks(replace(features, signals={}), is_warm_I).x_IF
    gated = item_blocks(features, is_warm_I, said.append).x_IF
    moved_I = np.linalg.norm(gated - plain, axis=1)
    assert moved_I[is_bad_I].mean() > 3 * moved_I[~is_bad_I].mean()
    assert [line.split(" of ")[0][:12] for line in said] == ["Gate: about "] * 2
    write_features(features, tmp_path)
    np.testing.assert_array_equal(item_blocks(read_features(tmp_path), is_warm_I).x_IF, gated)


def test_signals_are_extracted_where_a_gate_is_asked_for(dataset, is_warm_I):
    assert extract_features(dataset, is_warm_I).signals == {}
    features = extract_features(dataset, is_warm_I, FeaturesConfig(gate=True))
    assert {name: len(one) for name, one in features.signals.items()} == dict.fromkeys(GATED, len(dataset.catalogue))
    assert np.isfinite(item_blocks(features, is_warm_I).x_IF).all()


def test_with_too_few_items_or_nothing_to_compare_with_the_gate_stays_open(rng, signals):
    _, blocks = world(rng)
    assert not FeatureGate.fit(blocks, np.arange(20), signals, GATED).gates
    alone = FeatureBlocks(blocks.x_IF[:, :12], {"image": slice(0, 12)})
    gate = fit(alone, signals)
    assert not gate.gates
    np.testing.assert_array_equal(gate.apply(alone, signals).x_IF, alone.x_IF)
