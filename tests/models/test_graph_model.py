from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphrec.data.dataset import Truth
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.site_view import SiteView
from graphrec.models import graph_model, masked_search
from graphrec.models.fallback import gate
from graphrec.models.graph_model import fit_graph_model
from graphrec.models.leave_one_out import LearnedTeacher
from graphrec.models.masked_search import MaskedSearch
from graphrec.models.training import new_encoder
from graphrec.models.tuning import MaskedSplit

ARRAYS = ("graph_ID", "content_ID", "served_ID", "degree_I")


def queries(model, train, popularity=True):
    return model.queries(model.encoded.q_UD, train.interactions.user_item_matrix(), popularity)


def assert_same_model(one, other, train, items=slice(None)):
    """Bit for bit: the vectors of these items, every query of the users of `train`, every choice."""
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name)[items], getattr(other, name)[items], err_msg=name)
    for popularity in (True, False):
        np.testing.assert_array_equal(queries(one, train, popularity), queries(other, train, popularity))
    assert one.choices == other.choices


@pytest.fixture
def train(taste_world):
    return taste_world.split.train


def share_in_order(score_UI, same_taste_UI):
    """How often an item of the user's taste scores above one of the other taste; 0.5 by chance."""
    shares = []
    for score_I, same_I in zip(score_UI, same_taste_UI, strict=True):
        shares.append((score_I[same_I][:, None] > score_I[~same_I]).mean())
    return np.mean(shares)


@pytest.fixture(scope="module")
def fit(taste_world, small_config):
    def fitted(train=taste_world.split.train, blocks=taste_world.blocks, config=small_config, seed=0):
        return fit_graph_model(train, blocks, config, seed)

    return fitted


@pytest.fixture
def make_judge(taste_world, train, small_config, monkeypatch):
    """A search whose epochs, each of another encoder, were worth so much."""

    def make(ndcg_by_epoch):
        worth = iter(ndcg_by_epoch)
        monkeypatch.setattr(MaskedSearch, "_ndcg", lambda *_: next(worth))
        x_IF = taste_world.blocks.x_IF
        new = lambda seed: new_encoder(*x_IF.shape, small_config.encoder, seed, "cpu")  # noqa: E731
        search = MaskedSearch(MaskedSplit.of(train, small_config.tuning, 0), taste_world.blocks, new(99), site_dim=256)
        encoders = [new(seed) for seed in range(len(ndcg_by_epoch))]
        search.encodings = [encoder.encode(search.view.graph, x_IF) for encoder in encoders]
        for encoder in encoders:
            search.judge(encoder, patience=100)
        return search

    return make


def test_new_items_rank_by_taste_far_better_than_chance(taste_world, taste_model, train):
    cold = taste_world.cold
    score_UI = queries(taste_model, train) @ taste_model.served_ID[cold].T
    same = taste_world.same_taste_UI[:, cold]
    assert share_in_order(score_UI, same) > 0.85
    assert share_in_order(queries(taste_model, train, popularity=False) @ taste_model.served_ID[cold].T, same) > 0.85
    shuffled = np.random.default_rng(0).permutation(score_UI.T).T  # the check can fail
    assert share_in_order(shuffled, same) < 0.7


def test_touched_items_rank_by_taste_too(taste_world, taste_model, train):
    warm = np.setdiff1d(np.arange(100), taste_world.cold)
    score_UI = queries(taste_model, train) @ taste_model.served_ID[warm].T
    assert share_in_order(score_UI, taste_world.same_taste_UI[:, warm]) > 0.85


def test_new_items_are_served_their_content_bit_for_bit(taste_world, taste_model):
    served_ID, content_ID = taste_model.served_ID, taste_model.content_ID
    is_content_I = (served_ID.view(np.uint32) == content_ID.view(np.uint32)).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(is_content_I), taste_world.cold)


def test_touched_items_are_served_the_blend_of_their_degree(taste_model):
    g_I1 = gate(taste_model.degree_I, taste_model.choices.half_degree)[:, None]
    blend_ID = g_I1 * taste_model.graph_ID + (1 - g_I1) * taste_model.content_ID
    np.testing.assert_allclose(taste_model.served_ID, blend_ID, atol=1e-5)


def test_the_served_queries_are_the_encoders_own(taste_world, taste_model):
    graph = InteractionGraph.from_interactions(taste_world.split.train.interactions)
    encoded = taste_model.encoder.encode(graph, taste_world.blocks.x_IF)
    np.testing.assert_array_equal(taste_model.encoded.q_UD, encoded.q_UD)
    np.testing.assert_array_equal(taste_model.encoded.z_ID, encoded.z_ID)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(fit, taste_model, train):
    assert_same_model(fit(), taste_model, train)
    assert not np.array_equal(fit(seed=1).served_ID, taste_model.served_ID)


def test_a_new_items_features_change_its_own_vector_and_nothing_else(taste_world, taste_model, fit):
    item = taste_world.cold[7]
    x_IF = taste_world.blocks.x_IF.copy()
    x_IF[item] = -x_IF[item] * 2
    changed = fit(blocks=FeatureBlocks(x_IF, taste_world.blocks.columns))
    assert_same_model(changed, taste_model, taste_world.split.train, np.arange(100) != item)
    assert not np.array_equal(changed.served_ID[item], taste_model.served_ID[item])


def test_exchanging_new_items_exchanges_their_vectors_and_nothing_else(taste_world, taste_model, fit):
    cold = taste_world.cold
    shuffled = np.random.default_rng(0).permutation(cold)
    x_IF = taste_world.blocks.x_IF.copy()
    x_IF[cold] = x_IF[shuffled]
    changed = fit(blocks=FeatureBlocks(x_IF, taste_world.blocks.columns))
    assert_same_model(changed, taste_model, taste_world.split.train, np.setdiff1d(np.arange(100), cold))
    np.testing.assert_allclose(changed.served_ID[cold], taste_model.served_ID[shuffled], atol=1e-5)


def test_a_touched_items_features_change_others(taste_world, taste_model, fit):
    """The two tests above can fail."""
    x_IF = taste_world.blocks.x_IF.copy()
    x_IF[0] = -x_IF[0]
    changed = fit(blocks=FeatureBlocks(x_IF, taste_world.blocks.columns))
    assert not np.array_equal(changed.served_ID[50], taste_model.served_ID[50])


def test_the_held_out_truth_is_never_read(taste_world, taste_model, fit):
    train, truth = taste_world.split.train, taste_world.split.truth
    shuffled = Truth(truth.user_index_P, np.random.default_rng(0).permutation(truth.item_index_P), np.arange(5))
    for truths in ({"valid": truth, "test": truth}, {"test": shuffled}):
        assert_same_model(fit(train=replace(train, truths=truths)), taste_model, train)


def test_one_held_out_edge_in_training_changes_the_model(taste_world, taste_model, fit):
    """The test above can fail: what it forbids would show."""
    train, truth = taste_world.split.train, taste_world.split.truth
    events = train.interactions
    planted = Interactions.from_pairs(
        np.append(events.user_index_E, truth.user_index_P[0]),
        np.append(events.item_index_E, truth.item_index_P[0]),
        130, 100,
    )  # fmt: skip
    model = fit(train=replace(train, interactions=planted))
    warm = np.setdiff1d(np.arange(100), taste_world.cold)
    assert not np.array_equal(model.served_ID[warm], taste_model.served_ID[warm])
    assert not np.array_equal(queries(model, train), queries(taste_model, train))


def test_a_user_without_history_changes_nothing(taste_world, taste_model, fit):
    train = taste_world.split.train
    larger = replace(
        train,
        user_ids=np.append(train.user_ids, "stranger").astype(object),
        interactions=replace(train.interactions, num_users=131),
    )
    model = fit(train=larger)
    np.testing.assert_array_equal(model.served_ID, taste_model.served_ID)
    for popularity in (True, False):
        query_UD = queries(model, larger, popularity)
        np.testing.assert_array_equal(query_UD[:130], queries(taste_model, train, popularity))
        assert np.isfinite(query_UD).all()


def test_the_choices_say_which_epoch_was_best(taste_model, small_config):
    choices = taste_model.choices
    best = max(choices.ndcg_by_epoch)
    assert choices.epochs == [epoch for epoch, ndcg in enumerate(choices.ndcg_by_epoch, 1) if ndcg >= 0.995 * best][-1]
    assert len(choices.ndcg_by_epoch) <= small_config.training.max_epochs
    assert choices.masked_ndcg == choices.ndcg_by_epoch[choices.epochs - 1]


def test_the_choices_say_what_was_tuned(taste_model):
    choices = taste_model.choices
    assert set(choices.head.weights) == {"hint", "noise", "exp(hint)", "exp(noise)", "constant"}
    assert choices.head.weights["hint"] > choices.head.weights["noise"] > 0
    assert set(choices.popularity_head.weights) == set(choices.head.weights)
    assert type(choices).of(choices.model_dump_json()) == choices


def test_a_stretch_makes_content_vectors_longer_and_changes_neither_their_order_nor_the_graphs(
    taste_world, fit, train, monkeypatch
):
    models = []
    for stretch in (1.0, 1.5):
        monkeypatch.setattr(masked_search, "choose_stretch", lambda *_, stretch=stretch: stretch)
        models.append(fit())
    plain, stretched = models
    np.testing.assert_allclose(stretched.content_ID, 1.5 * plain.content_ID, rtol=1e-6)
    np.testing.assert_array_equal(stretched.graph_ID, plain.graph_ID)
    score_UI, stretched_UI = (queries(model, train) @ model.served_ID.T for model in models)
    cold, known = taste_world.cold, train.interactions.user_degree() > 0
    np.testing.assert_allclose(stretched_UI[:, cold], 1.5 * score_UI[:, cold], rtol=1e-3, atol=1e-4)
    shown = [(-scores).argsort(axis=1)[known, :20] for scores in (score_UI, stretched_UI)]
    assert np.isin(shown[1], cold).sum() > np.isin(shown[0], cold).sum()


@pytest.mark.parametrize(
    ("ndcg_by_epoch", "best"),
    [
        ([0.3], 1),
        ([0.3, 0.4, 0.2], 2),
        ([0.4, 0.3981], 2),  # within half a percent: the later
        ([0.4, 0.3979], 1),
        ([0.4, 0.3985, 0.3985, 0.41, 0.3], 4),
        ([0.4, 0.4019, 0.3999, 0.398], 3),  # the last is near the second, but not near the best
        ([0.0, 0.0, 0.0], 3),
    ],
)
def test_the_best_epoch_is_the_last_that_is_as_good_as_any(make_judge, ndcg_by_epoch, best):
    """And its encoding is what is kept, whatever came after."""
    search = make_judge(ndcg_by_epoch)
    assert search.best_epoch == best
    np.testing.assert_array_equal(search.best.q_UD, search.encodings[best - 1].q_UD)
    kept = search.best_encoder.encode(search.view.graph, search.x_IF)
    np.testing.assert_array_equal(kept.q_UD, search.best.q_UD)


def test_patience_ends_the_search_and_the_best_epoch_is_what_counts(fit, taste_world, small_config, monkeypatch):
    """Every epoch is worse than the one before: the first is kept, and all data is trained on for one epoch."""
    falling = iter(1 - np.arange(100) / 100)
    monkeypatch.setattr(graph_model.MaskedSearch, "_ndcg", lambda *arguments: next(falling))
    judged, kept, epochs = [], [], []
    search, train = graph_model.MaskedSearch, graph_model.train_encoder
    judge, choose = search.judge, search.choose

    def spy_judge(self, encoder, patience):
        judged.append(encoder.encode(self.view.graph, self.x_IF))
        return judge(self, encoder, patience)

    def spy_choose(self, *arguments: Any):
        kept.append(self.best)
        return choose(self, *arguments)

    def spy_train(graph, x_IF, shape, training, num_epochs, *arguments: Any, **more: Any):
        epochs.append(num_epochs)
        return train(graph, x_IF, shape, training, num_epochs, *arguments, **more)

    monkeypatch.setattr(search, "judge", spy_judge)
    monkeypatch.setattr(search, "choose", spy_choose)
    monkeypatch.setattr(graph_model, "train_encoder", spy_train)
    training = small_config.training.model_copy(update={"max_epochs": 30, "patience": 3})
    choices = fit(config=small_config.model_copy(update={"training": training})).choices
    assert choices.epochs == 1
    assert len(choices.ndcg_by_epoch) == len(judged) == 4
    assert epochs == [30, 1]
    (encoded,) = kept
    np.testing.assert_array_equal(encoded.q_UD, judged[0].q_UD)
    assert not np.array_equal(judged[0].q_UD, judged[3].q_UD)


@pytest.mark.parametrize(("num_users", "num_items"), [(9, 40), (40, 9)])
def test_too_few_interactions_are_refused_in_one_line(as_dataset, num_users, num_items, small_config):
    user, item = np.divmod(np.arange(num_users * num_items), num_items)
    train = as_dataset(Interactions.from_pairs(user, item, num_users, num_items))
    blocks = FeatureBlocks(np.ones((num_items, 2), dtype=np.float32), {"x": slice(0, 2)})
    with pytest.raises(GraphRecError, match=f"{num_items} items.*{num_users} users") as caught:
        fit_graph_model(train, blocks, small_config)
    assert "\n" not in str(caught.value)


def test_what_the_head_is_told_of_users_is_what_graphsage_made_of_their_items(
    as_dataset, interactions, x_IF, make_encoder
):
    """With one layer a user's vector before normalising is the mean of their items' messages and a constant."""
    encoder = make_encoder()
    view = SiteView.of(as_dataset(interactions))
    encoded = encoder.encode(view.graph, x_IF)
    teacher = LearnedTeacher.of(encoder, encoded, encoded.z_ID, view)
    known_U = view.graph.user_degree > 0
    constant_UD = (encoded.q_UD * encoded.length_U[:, None] - teacher.mean_UD)[known_U]
    np.testing.assert_allclose(constant_UD, np.broadcast_to(constant_UD[0], constant_UD.shape), atol=1e-4)


def test_the_warm_loss_that_is_set_is_the_one_that_is_kept_to(fit, small_config, monkeypatch):
    asked = []

    def spy(*given: Any):
        asked.append(given[-1])
        return 1.25

    monkeypatch.setattr(masked_search, "choose_stretch", spy)
    tuning = small_config.tuning.model_copy(update={"warm_loss": 0.11})
    assert fit(config=small_config.model_copy(update={"tuning": tuning})).choices.stretch == 1.25
    assert asked == [0.11]


@pytest.mark.parametrize(
    ("values", "place"), [([0.5, 0.4, 0.3], 0), ([0.5, 0.4976, 0.3], 1), ([0.497, 0.5, 0.4974], 1), ([0.0, 0.0], 1)]
)
def test_the_last_value_within_half_a_percent_of_the_best_is_as_good(values, place):
    assert masked_search._last_as_good(values) == place
