from dataclasses import replace

import numpy as np
import pytest

from graphrec.baselines.content import Content, ContentUntrained
from graphrec.baselines.judge import Judge
from graphrec.baselines.modalities import even_modalities
from graphrec.baselines.popularity import Popularity
from graphrec.baselines.random import Random
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel import Kernel, terms_of
from graphrec.models.leave_one_out import TunedKernel, TuningItems
from graphrec.models.parts import Mixture
from graphrec.models.popularity import Popularity as LearnedPopularity
from graphrec.models.popularity import tune_popularity
from graphrec.models.tuning import MaskedSplit

USERS, ITEMS = np.arange(45), np.arange(30)


def dense_scores(lists):
    """Scores as users × items; nan where an item is not in the list."""
    score_UI = np.full((len(lists), 30), np.nan)
    rows, ranks = np.nonzero(lists.items_UK >= 0)
    score_UI[rows, lists.items_UK[rows, ranks]] = lists.scores_UK[rows, ranks]
    return score_UI


def test_random_gives_everybody_another_order_and_another_seed_others(inputs):
    lists = Random().fit(inputs).rank(USERS, ITEMS, None, 30)
    assert len(np.unique(lists.items_UK, axis=0)) == 45
    other = Random().fit(replace(inputs, seed=4)).rank(USERS, ITEMS, None, 30)
    assert (lists.items_UK != other.items_UK).any(axis=1).all()


def test_random_puts_every_item_first_equally_often(inputs, train):
    crowd = replace(inputs, train=train)
    lists = Random().fit(crowd).rank(np.arange(6000), np.arange(0, 30, 3), None, 1)
    share = np.bincount(lists.items_UK[:, 0], minlength=30)[::3] / 6000
    np.testing.assert_allclose(share, 0.1, atol=0.02)


def test_popularity_is_the_order_of_degrees_for_everybody(inputs):
    lists = Popularity().fit(inputs).rank(USERS, ITEMS, None, 30)
    assert (lists.items_UK == lists.items_UK[0]).all()
    degree_I = inputs.train.interactions.item_degree()
    assert (np.diff(degree_I[lists.items_UK[0]]) <= 0).all()


def test_popularity_counts_users_and_not_events(train, inputs):
    """By hand: item 0 has three users, item 1 two, item 2 one user with nine events."""
    events = train.interactions
    rows = np.arange(14)
    few = replace(
        events.take(rows),
        user_index_E=np.array([0, 1, 2, 0, 3] + [5] * 9),
        item_index_E=np.array([0, 0, 0, 1, 1] + [2] * 9),
    )
    lists = Popularity().fit(replace(inputs, train=replace(train, interactions=few))).rank(USERS[:1], ITEMS, None, 3)
    assert lists.items_UK.tolist() == [[0, 1, 2]]


def test_equally_popular_items_stand_in_a_random_order_of_the_seed(inputs, cold):
    orders = {
        tuple(Popularity().fit(replace(inputs, seed=seed)).rank(USERS[:1], cold, None, 5).items_UK[0])
        for seed in range(20)
    }
    assert len(orders) > 10
    assert len({order[0] for order in orders}) == 5  # not the catalogue's order: that would be a hint


def test_popularity_without_popularity_is_refused(inputs):
    with pytest.raises(ValueError, match="nothing but popularity"):
        Popularity().fit(inputs).rank(USERS, ITEMS, None, 5, popularity=False)


def test_untrained_content_is_the_cosine_to_the_mean_profile(inputs, cold):
    """Item by item: features less the warm mean, unit length, weighted mean over the user's items, cosine."""
    x_IF = inputs.blocks.x_IF.astype(np.float64)
    x_IF -= np.delete(x_IF, cold, axis=0).mean(axis=0)
    unit_IF = x_IF / np.linalg.norm(x_IF, axis=1, keepdims=True)
    weight_UI = inputs.train.interactions.user_item_matrix().toarray()
    score_UI = dense_scores(ContentUntrained().fit(inputs).rank(USERS, ITEMS, None, 30))
    for user in range(44):
        profile_F = np.average(unit_IF, axis=0, weights=weight_UI[user])
        cosine_I = unit_IF @ profile_F / np.linalg.norm(profile_F)
        np.testing.assert_array_equal(np.argsort(-score_UI[user]), np.argsort(-cosine_I))
        np.testing.assert_allclose(
            score_UI[user], cosine_I * (score_UI[user] @ cosine_I) / (cosine_I @ cosine_I), atol=1e-4
        )


def test_ten_attributes_together_count_as_much_as_the_text():
    blocks = FeatureBlocks(
        np.ones((2, 12), dtype=np.float32),
        {"text": slice(0, 2), **{f"attribute:{one}": slice(2 + one, 3 + one) for one in range(10)}},
    )
    x_IF = even_modalities(blocks)
    assert (x_IF[:, :2] == 1).all()
    np.testing.assert_allclose((x_IF[:, 2:] ** 2).sum(axis=1), 1, rtol=1e-6)


def test_untrained_content_takes_an_item_without_features(inputs):
    x_IF = inputs.blocks.x_IF.copy()
    x_IF[11] = 0
    fitted = ContentUntrained().fit(replace(inputs, blocks=replace(inputs.blocks, x_IF=x_IF)))
    np.testing.assert_array_equal(dense_scores(fitted.rank(USERS, ITEMS, None, 30))[:, 11], 0)


def naive_ridge(inputs, settings):
    """K (K + λI)⁻¹ of the warm items for every user's column, in float64; the warm items."""
    blocks = inputs.blocks
    k_II = Kernel(blocks.columns, terms_of(blocks), settings.weights).values(blocks.x_IF, blocks.x_IF)
    touched_UI = (inputs.train.interactions.user_item_matrix().toarray() > 0).astype(np.float64)
    warm = np.flatnonzero(touched_UI.any(axis=0))
    k_IW = k_II[:, warm].astype(np.float64)
    coefficients_WU = np.linalg.solve(k_IW[warm] + settings.penalty * np.eye(len(warm)), touched_UI[:, warm].T)
    return (k_IW @ coefficients_WU).T, warm


@pytest.mark.parametrize("steps", [1, 40])
def test_content_is_the_kernel_ridge_from_features_to_interaction_columns(inputs, steps):
    inputs = replace(inputs, tuning=inputs.tuning.model_copy(update={"steps": steps}))
    arm = Content().fit(inputs)
    prediction_UI, warm = naive_ridge(inputs, arm.settings_)
    spread_U = prediction_UI[:, warm].std(axis=1, keepdims=True)
    scaled_UI = prediction_UI / np.where(spread_U > 0, spread_U, 1)
    on = dense_scores(arm.rank(USERS, ITEMS, None, 30))
    term_I = arm.vectors_[:, -1]
    np.testing.assert_allclose(on, scaled_UI + arm.popularity_weight_ * term_I, atol=1e-3)
    off = dense_scores(arm.rank(USERS, ITEMS, None, 30, popularity=False))
    np.testing.assert_allclose(off, scaled_UI - scaled_UI[:44].mean(axis=0), atol=1e-3)


def test_contents_popularity_term_is_observed_where_items_are_touched_and_predicted_where_new(inputs, cold):
    term_I = Content().fit(inputs).vectors_[:, -1]
    log_degree_I = np.log1p(inputs.train.interactions.item_degree())
    warm = np.setdiff1d(ITEMS, cold)
    expected = (log_degree_I[warm] - log_degree_I[warm].mean()) / log_degree_I[warm].std()
    np.testing.assert_allclose(term_I[warm], expected, rtol=1e-4, atol=1e-6)
    assert np.abs(term_I[cold]).max() < np.abs(term_I[warm]).max()


def with_pairs(inputs, users, items):
    """The same users and items, with these pairs and no other."""
    count = len(users)
    events = replace(inputs.train.interactions.take(np.arange(count)), user_index_E=users, item_index_E=items)
    return replace(inputs, train=replace(inputs.train, interactions=events))


def untuned(inputs):
    """Where tuning starts, over the items with a user."""
    warm = np.flatnonzero(inputs.train.interactions.item_degree())
    return TunedKernel(TuningItems.of(inputs.blocks, warm, inputs.seed)).settings()


def test_where_nobody_has_two_items_content_is_not_tuned_and_still_answers(inputs):
    lonely = with_pairs(inputs, np.arange(10), np.arange(10))
    arm = Content().fit(lonely)
    assert np.isfinite(arm.rank(USERS, ITEMS, None, 30).scores_UK).all()
    assert (arm.settings_, arm.popularity_weight_) == (untuned(lonely), Mixture().popularity_weight)


def test_where_no_item_can_be_masked_content_is_not_tuned_and_still_answers(inputs):
    """A fifth of two items is none."""
    tiny = with_pairs(inputs, np.array([0, 1, 2]), np.array([5, 5, 6]))
    with pytest.raises(GraphRecError):
        MaskedSplit.of(tiny.train, tiny.tuning, tiny.seed)
    arm = Content().fit(tiny)
    assert np.isfinite(arm.rank(USERS, ITEMS, None, 30).scores_UK).all()
    assert (arm.settings_, arm.popularity_weight_) == (untuned(tiny), Mixture().popularity_weight)


def test_contents_popularity_weight_is_the_one_that_finds_masked_items_best(inputs):
    """The whole arm fitted on what is not masked, in float64, and every weight tried on the masked items."""
    arm, judge = Content().fit(inputs), Judge.of(inputs, "cold")
    masked = replace(inputs, train=judge.masked.split.train)
    prediction_UI, warm = naive_ridge(masked, arm.settings_)
    spread_U1 = prediction_UI[:, warm].std(axis=1, keepdims=True)
    items = TuningItems.of(inputs.blocks, warm, inputs.seed)
    degree_I = judge.masked.degree_I
    popularity_head, _ = tune_popularity(items, degree_I)
    term_I = LearnedPopularity.fit(inputs.blocks, degree_I, popularity_head, inputs.seed).predicted_I
    scaled_UI = prediction_UI / np.where(spread_U1 > 0, spread_U1, 1)
    weights = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6)
    worth = [
        judge.by_scores(lambda users, pool, w=weight: (scaled_UI + w * term_I)[np.ix_(users, pool)])
        for weight in weights
    ]
    assert len(set(worth)) > 3  # the check can fail
    assert arm.popularity_weight_ == weights[int(np.argmax(worth))]


@pytest.mark.parametrize("arm", [Content, ContentUntrained])
def test_a_user_is_what_their_items_are_and_no_more(inputs, arm):
    """The rows of two users exchanged exchange their lists; what the arm learned stays."""
    fitted = arm().fit(inputs)
    rows = np.arange(45)
    rows[[3, 8]] = 8, 3
    exchanged = fitted.knowing(inputs.train.interactions.user_item_matrix()[rows])
    one, other = (each.rank(USERS, ITEMS, None, 30).scores_UK for each in (fitted, exchanged))
    np.testing.assert_array_equal(other, one[rows])
    assert not np.array_equal(one[3], one[8])
    np.testing.assert_array_equal(fitted.rank(USERS, ITEMS, None, 30).scores_UK, one)
