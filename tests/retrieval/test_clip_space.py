"""The clip space's one inner product is the sum that its docstring promises, also where a block is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.features.modality import Modality
from graphrec.retrieval.clip_space import ClipSpace, Part
from graphrec.retrieval.pair_weights import PAIRS, PairWeights

NUM_ITEMS, DIM = 120, 5


def modality_of(x_IF, present_I):
    return Modality(np.where(present_I[:, None], x_IF, 0).astype(np.float32), present_I)


def world(seed=0, text_dim=DIM, num_both=80):
    """`num_both` items with both, then picture or text alone, at the end three with neither; texts follow pictures."""
    rng = np.random.default_rng(seed)
    number = np.arange(NUM_ITEMS)
    has_image = (number < num_both) | ((number % 2 == 0) & (number < NUM_ITEMS - 3))
    has_text = (number < num_both) | ((number % 2 == 1) & (number < NUM_ITEMS - 3))
    image_IF = rng.normal(size=(NUM_ITEMS, DIM)) * [3, 2, 1, 1, 1] + 4
    text_IF = image_IF @ rng.normal(size=(DIM, text_dim)) + 0.1 * rng.normal(size=(NUM_ITEMS, text_dim)) - 7
    return {"image": modality_of(image_IF, has_image), "text": modality_of(text_IF, has_text)}


def naive_score(modalities, parts, weights, item):
    """Item by item, part by part, block by block, from the docstring's formula; for items that have both blocks."""
    total, weight_sum = 0.0, 0.0
    for part in parts:
        own = modalities[part.kind]
        for block in ("image", "text"):
            present = modalities[block].x_IF[modalities[block].present_I].astype(np.float64)
            mean, covariance = present.mean(axis=0), np.cov(present, rowvar=False, bias=True)
            queries = own.x_IF[own.present_I].astype(np.float64)
            sigma = np.sqrt(np.mean([query @ covariance @ query for query in queries]))
            if part.is_direction:
                sigma = np.sqrt(part.vector_D @ covariance @ part.vector_D)
            weight = part.share * weights.weight[part.kind, block]
            weight_sum += weight
            total += weight * (part.vector_D @ (modalities[block].x_IF[item] - mean)) / sigma
    return total / weight_sum


WEIGHTS = PairWeights(dict(zip(PAIRS, (0.5, 0.2, 0.0, 0.3), strict=True)))
NUMBERS = st.lists(st.floats(-5, 5), min_size=DIM, max_size=DIM).map(np.array).filter(np.any)


@settings(max_examples=40, deadline=None)
@given(
    image=NUMBERS,
    text=NUMBERS,
    change=NUMBERS,
    share=st.floats(0.1, 3),
    weights=st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
)
def test_one_inner_product_is_the_weighted_sum_of_all_pairs(image, text, change, share, weights):
    modalities = world()
    space = ClipSpace.build(modalities, is_shared=True)
    parts = [Part("image", image), Part("text", text), Part("text", change, share, is_direction=True)]
    pair_weights = PairWeights(dict(zip(PAIRS, weights, strict=True)))
    scores = space.vectors_IE @ space.query(parts, pair_weights)
    for item in (0, 17, 79):
        expected = naive_score(modalities, parts, pair_weights, item)
        assert scores[item] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_scores_have_mean_zero_and_the_catalogues_own_queries_spread_one():
    modalities = world(num_both=NUM_ITEMS - 3)
    space = ClipSpace.build(modalities, is_shared=True)
    has = space.route_I == "both"
    for asked, block in PAIRS:
        only = PairWeights({pair: float(pair == (asked, block)) for pair in PAIRS})
        queries = np.stack([space.query([Part(asked, x)], only) for x in modalities[asked].x_IF[has]])
        score_NI = queries @ space.vectors_IE[has].T
        np.testing.assert_allclose(score_NI.mean(axis=1), 0, atol=1e-4)
        assert np.sqrt((score_NI**2).mean()) == pytest.approx(1, rel=1e-4)


def test_items_are_routed_by_what_they_have():
    space = ClipSpace.build(world(), is_shared=True)
    assert space.route_I[[0, 79, 80, 81, 116, 117, 118, 119]].tolist() == [
        "both", "both", "image", "text", "image", "neither", "neither", "neither",
    ]  # fmt: skip
    assert not space.vectors_IE[-3:].any()


def test_a_missing_block_is_what_a_ridge_predicts_from_the_other():
    modalities = world()
    space = ClipSpace.build(modalities, is_shared=True)
    image_IF, text_IF = (modalities[kind].x_IF.astype(np.float64) for kind in ("image", "text"))
    has_image, has_text = (modalities[kind].present_I for kind in ("image", "text"))
    centred_image, centred_text = image_IF - image_IF[has_image].mean(0), text_IF - text_IF[has_text].mean(0)
    both = has_image & has_text
    gram = centred_image[both].T @ centred_image[both]
    ridge = np.linalg.inv(gram + 0.1 * np.trace(gram) / DIM * np.eye(DIM)) @ centred_image[both].T @ centred_text[both]
    np.testing.assert_allclose(space.vectors_IE[80, DIM:], centred_image[80] @ ridge, rtol=1e-4, atol=1e-4)
    # Texts follow pictures here, so the prediction is close to the text that was taken away.
    truth = modality_of(world(num_both=NUM_ITEMS - 3)["text"].x_IF, np.ones(NUM_ITEMS, bool)).x_IF[80]
    assert np.corrcoef(space.vectors_IE[80, DIM:] + text_IF[has_text].mean(0), truth)[0, 1] > 0.95


def test_with_few_items_that_have_both_the_own_block_stands_for_the_other_in_a_shared_space():
    modalities = world(num_both=30)
    space = ClipSpace.build(modalities, is_shared=True)
    mean = modalities["image"].x_IF[modalities["image"].present_I].astype(np.float64).mean(axis=0)
    for block in (space.vectors_IE[40, :DIM], space.vectors_IE[40, DIM:]):
        np.testing.assert_allclose(block, modalities["image"].x_IF[40] - mean, rtol=1e-5)
    np.testing.assert_allclose(space.item_vector(40, "image"), modalities["image"].x_IF[40], rtol=1e-5)
    assert not ClipSpace.build(modalities, is_shared=False).vectors_IE[40, DIM:].any()


def test_a_score_is_shared_out_among_what_the_item_really_has():
    space = ClipSpace.build(world(), is_shared=True)
    query_E = space.query([Part("image", np.arange(5.0)), Part("text", np.ones(5))], WEIGHTS)
    items = np.arange(NUM_ITEMS)
    share = space.shares(query_E, items)
    np.testing.assert_allclose(share["image"] + share["text"], space.vectors_IE @ query_E, atol=1e-5)
    assert not share["text"][space.route_I == "image"].any()
    assert not share["image"][space.route_I == "text"].any()
    both = space.route_I == "both"
    np.testing.assert_allclose(share["image"][both], space.vectors_IE[both, :DIM] @ query_E[:DIM], atol=1e-5)


def test_spaces_that_are_not_shared_answer_their_own_kind_only():
    modalities = world(text_dim=3)
    space = ClipSpace.build(modalities, is_shared=False)
    query_E = space.query([Part("text", np.ones(3))], WEIGHTS)
    assert not query_E[:DIM].any()
    assert query_E[DIM:].any()
    with pytest.raises(ValueError, match="shape"):
        space.query([Part("text", np.ones(DIM))], WEIGHTS)


def test_one_block_answers_both_kinds_where_the_space_is_shared():
    space = ClipSpace.build({"image": world()["image"]}, is_shared=True)
    assert set(space.route_I) == {"image", "neither"}
    text_E = space.query([Part("text", np.ones(DIM))], WEIGHTS)
    scores = space.vectors_IE[space.route_I == "image"] @ text_E
    assert scores.std() == pytest.approx(1, rel=1e-4)  # no texts to take the usual spread from: its own
    alone = ClipSpace.build({"image": world()["image"]}, is_shared=False)
    with pytest.raises(ValueError, match="Expected a query part"):
        alone.query([Part("text", np.ones(DIM))], WEIGHTS)


def test_an_items_own_vector_comes_back_as_it_went_in():
    modalities = world()
    space = ClipSpace.build(modalities, is_shared=True)
    np.testing.assert_allclose(space.item_vector(81, "text"), modalities["text"].x_IF[81], rtol=1e-5)
    assert space.item_vector(81, "image") is None


def test_a_query_that_sets_no_two_items_apart_scores_nothing():
    flat = Modality(np.ones((4, 2), dtype=np.float32), np.ones(4, dtype=bool))
    space = ClipSpace.build({"image": flat}, is_shared=True)
    assert not space.query([Part("image", np.array([1.0, 2.0]))], WEIGHTS).any()


def test_a_space_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        ClipSpace.build({"image": Modality(np.zeros((4, 2), np.float32), np.zeros(4, bool))}, is_shared=True)
