"""Every arm that can ranks for users it was not trained on, as it would for a trained user with the same items."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.implicit_als import ALSSettings, user_factors
from graphrec.baselines.registry import BASELINES
from graphrec.comparison import compare, compare_with
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.models.tuning import TuningConfig
from graphrec.recommender import Recommender
from graphrec.unseen_users import meet_users

SETTINGS = ["model.encoder.dim=8", "model.training.max_epochs=1", "model.tuning.tries=1", "features.use=[attributes]"]
FROM_ITEMS = ["popularity", "content-untrained", "content", "item-knn", "ease", "ease-content", "two-tower"]
ONLY_TRAINED = ["two-tower-bce", "lightgcn"]


@pytest.fixture(scope="module")
def split(small_dataset):
    """Held-out users, of whom some items are shown; events weigh 1, as shown items do."""
    inter = small_dataset.interactions
    pairs = inter.user_item_matrix().nonzero()
    even = Interactions.from_pairs(*pairs, inter.num_users, inter.num_items)
    return replace(small_dataset, interactions=even).split_cold_users(0.2, 0.7, seed=1)


@pytest.fixture(scope="module")
def model(split):
    return Recommender(GraphRecConfig.load(None, SETTINGS), device="cpu").fit(split.train)


@pytest.fixture(scope="module")
def inputs(model):
    return TrainingInput(model.train_, model.blocks, TuningConfig(tries=1))


@pytest.fixture
def twins(split):
    """A split that shows of five unseen users what is known of five trained ones: (split, unseen, trained)."""
    matrix_UI = split.known
    unseen = np.unique(split.visible.user_index_E)[:5]
    trained = np.flatnonzero(split.train.interactions.user_degree() > 1)[:5]
    rows = [matrix_UI.indices[matrix_UI.indptr[user] : matrix_UI.indptr[user + 1]] for user in trained]
    shown = Interactions.from_pairs(np.repeat(unseen, [len(r) for r in rows]), np.concatenate(rows), *matrix_UI.shape)
    return replace(split, visible=shown), unseen, trained


def lists_of(arm, users, split):
    lists = arm.rank(users, np.arange(split.known.shape[1]), split.known[users], 10)
    return lists.items_UK, lists.scores_UK


@pytest.mark.parametrize("name", [*FROM_ITEMS, "graph"])
def test_an_unseen_user_gets_what_a_trained_twin_gets(name, twins, model, inputs):
    split, unseen, trained = twins
    fitted = model if name == "graph" else BASELINES[name]().fit(inputs)
    before = lists_of(fitted, trained, split)
    arm = meet_users(fitted, split)
    (items_UK, scores_UK), (expected_UK, expected_scores_UK) = (lists_of(arm, one, split) for one in (unseen, trained))
    np.testing.assert_allclose(scores_UK, expected_scores_UK, atol=1e-4)
    assert (items_UK == expected_UK).mean() > 0.95  # equal to rounding: two that tie may change places
    assert name == "popularity" or len(np.unique(items_UK, axis=0)) > 1
    for one in (fitted, arm):  # neither the arm as it was, nor its lists for trained users have changed
        now_UK, now_scores_UK = lists_of(one, trained, split)
        np.testing.assert_array_equal(now_UK, before[0])
        np.testing.assert_allclose(now_scores_UK, before[1], rtol=1e-6)


def test_a_random_arm_ranks_for_everybody(split, inputs):
    users = np.unique(split.truth.user_index_P)
    items_UK, _ = lists_of(meet_users(BASELINES["random"]().fit(inputs), split), users, split)
    assert (items_UK >= 0).all()


@pytest.mark.parametrize("name", ONLY_TRAINED)
def test_an_arm_whose_users_have_vectors_of_their_own_says_so_in_one_line(name, split):
    with pytest.raises(GraphRecError, match="only for users that it was trained on: leave it out") as caught:
        meet_users(BASELINES[name](), split)
    assert "\n" not in str(caught.value)


def test_where_training_knows_all_users_an_arm_stays_what_it_is(split, model):
    assert meet_users(model, Split(split.train, split.truth)) is model
    arm = BASELINES["lightgcn"]()
    assert meet_users(arm, Split(split.train, split.truth)) is arm


def test_an_unseen_user_gets_what_a_visitor_with_the_same_basket_gets(split, model):
    user = int(split.visible.user_index_E[0])
    items = split.known.indices[split.known.indptr[user] : split.known.indptr[user + 1]]
    expected = model.recommend_from_items(model.train_.catalogue.item_ids[items], k=10)
    items_UK, scores_UK = lists_of(meet_users(model, split), np.array([user]), split)
    assert list(model.train_.catalogue.item_ids[items_UK[0]]) == list(expected["item_id"])
    np.testing.assert_allclose(scores_UK[0], expected["score"], rtol=1e-5)


def test_a_user_step_is_the_one_of_the_library(split):
    als = pytest.importorskip("implicit.cpu.als")
    matrix_UI = split.train.interactions.user_item_matrix()
    settings = ALSSettings(factors=7, penalty=3.0, confidence=4.0)
    library = als.AlternatingLeastSquares(factors=7, regularization=3.0, alpha=4.0, iterations=2, random_state=0)
    library.fit(matrix_UI, show_progress=False)
    users = np.flatnonzero(split.train.interactions.user_degree())[:9]
    found_BD = user_factors(matrix_UI[users], np.array(library.item_factors), settings)
    expected_BD = np.stack([library.recalculate_user(0, matrix_UI[[user]]) for user in users]).reshape(9, 7)
    np.testing.assert_allclose(found_BD, expected_BD, atol=2e-3)


@pytest.mark.parametrize("name", ["als", "mf-content"])
def test_unseen_users_get_factors_and_the_others_keep_theirs(name, split, inputs):
    pytest.importorskip("implicit")
    fitted = BASELINES[name]().fit(inputs)
    arm = meet_users(fitted, split)
    unseen = np.unique(split.visible.user_index_E)
    trained = np.flatnonzero(split.train.interactions.user_degree())
    assert not fitted.user_UD_[unseen].any()
    known = split.known[unseen]
    items_ID = fitted.vectors_[:, :-1] if name == "als" else fitted.item_ID_
    np.testing.assert_allclose(arm.user_UD_[unseen], user_factors(known, items_ID, fitted.settings_), atol=1e-6)
    assert arm.user_UD_[unseen].any(axis=1).mean() > 0.9  # but those who were shown nothing that training knows
    np.testing.assert_array_equal(arm.user_UD_[trained], fitted.user_UD_[trained])


def test_held_out_users_are_compared_like_others(split):
    config = GraphRecConfig.load(None, SETTINGS)
    compared = compare(split, ["popularity", "content", "item-knn", "graph"], ["warm", "full"], 5, config=config)
    warm = compared.pools[0]
    relevant = (split.known > 0).tocsr()[split.truth.user_index_P, split.truth.item_index_P]
    assert not np.asarray(relevant).any()  # what is shown is not asked for again
    assert warm.num_users <= len(np.unique(split.truth.user_index_P))
    assert warm.num_users > 0.9 * len(np.unique(split.truth.user_index_P))
    assert "0 without a training edge" in warm.coverage
    arms = {one.arm: one.metrics["recall@5"] for one in warm.arms}
    assert arms["graph"] > 0
    assert "training pairs" in compared.leak_checks


def test_a_model_that_saw_the_held_out_users_is_refused(split, small_dataset):
    model = Recommender(GraphRecConfig.load(None, SETTINGS), device="cpu").fit(small_dataset)
    with pytest.raises(GraphRecError, match="Leak check failed: training pairs: training knows"):
        compare_with(model, split, ["graph"], "warm")


def test_without_what_is_shown_of_them_held_out_users_cannot_be_evaluated(split, model):
    hidden = Split(split.train, Truth(split.truth.user_index_P, split.truth.item_index_P))
    with pytest.raises(GraphRecError, match="No user can be evaluated"):
        compare(hidden, ["graph"], "warm")
