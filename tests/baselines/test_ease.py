"""EASE against the textbook formula and against one ridge per item; with content, the rows of features are seen."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.baselines import ease
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.ease import EASE, ease_weights, gram
from graphrec.baselines.ease_content import ColdSettings, EASEContent, WarmSettings, cold_coefficients, warm_weights
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.ridge import RidgeSystem
from graphrec.models.tuning import TuningConfig

USERS, ITEMS = np.arange(45), np.arange(30)


@pytest.fixture
def x_UI():
    rng = np.random.default_rng(0)
    return (rng.random((40, 12)) < 0.3).astype(float)


def ridge_column_by_column(rows, penalty):
    """Each column predicted from all others: argmin ‖y - Xb‖² + λ‖b‖², by least squares on stacked rows."""
    size = rows.shape[1]
    weights = np.zeros((size, size))
    for item in range(size):
        others = np.delete(np.arange(size), item)
        stacked = np.vstack([rows[:, others], np.sqrt(penalty) * np.eye(size - 1)])
        target = np.concatenate([rows[:, item], np.zeros(size - 1)])
        weights[others, item] = np.linalg.lstsq(stacked, target, rcond=None)[0]
    return weights


def test_weights_are_the_textbook_formula_and_one_ridge_per_item(x_UI):
    inverse = np.linalg.inv(x_UI.T @ x_UI + 3.0 * np.eye(12))
    textbook = np.eye(12) - inverse / np.diag(inverse)
    found = ease_weights(gram(sp.csr_matrix(x_UI)), 3.0)
    np.testing.assert_allclose(found, textbook, atol=1e-12)
    np.testing.assert_allclose(found, ridge_column_by_column(x_UI, 3.0), atol=1e-10)
    assert (np.diag(found) == 0).all()


def test_scores_count_an_item_once_and_give_cold_items_nothing(inputs, cold):
    arm = EASE().fit(inputs)
    touched_UI = (inputs.train.interactions.user_item_matrix().toarray() > 0).astype(float)
    warm = np.setdiff1d(ITEMS, cold)
    expected_UI = np.zeros((45, 30))
    expected_UI[:, warm] = touched_UI[:, warm] @ ridge_column_by_column(touched_UI[:, warm], arm.settings_.penalty)
    lists = arm.rank(USERS, ITEMS, None, 30)
    np.testing.assert_allclose(lists.scores_UK, np.take_along_axis(expected_UI, lists.items_UK, 1), atol=1e-6)


@pytest.mark.parametrize("arm", [EASE, EASEContent])
def test_too_many_items_are_refused_in_one_line_before_anything_is_fitted(inputs, arm, monkeypatch):
    monkeypatch.setattr(ease, "MOST_ITEMS", 20)
    with pytest.raises(GraphRecError, match="more than the 20 that it takes") as caught:
        arm().fit(inputs)
    assert "\n" not in str(caught.value)


def test_warm_items_with_content_are_ease_on_users_and_feature_rows_together(x_UI):
    x_RF = np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32)
    settings = WarmSettings(penalty=2.0, feature_weight=7.0)
    stacked = np.vstack([x_UI, np.sqrt(7.0) * x_RF.T])
    np.testing.assert_allclose(
        warm_weights(sp.csr_matrix(x_UI), x_RF, settings), ridge_column_by_column(stacked, 2.0), atol=1e-6
    )


def test_a_cold_items_weights_are_the_ridge_of_its_features_on_those_of_warm_items(blocks, cold):
    """The F × F algebra against least squares on stacked rows, with weighted blocks and the constant."""
    warm = np.setdiff1d(ITEMS, cold)
    settings = ColdSettings(weights={"picture": 2.0, "text": 0.5}, penalty=1.5)
    system = RidgeSystem(blocks.x_IF, blocks.columns, warm)
    found_RC = system.design_RF @ cold_coefficients(system, cold, settings)
    scaled_IF = np.hstack([blocks.x_IF[:, :5] * np.sqrt(2.0), blocks.x_IF[:, 5:] * np.sqrt(0.5)])
    constant = system.design(ITEMS)[:, -1:]
    rows_FI = np.hstack([scaled_IF, constant]).T.astype(float)
    stacked = np.vstack([rows_FI[:, warm], np.sqrt(1.5) * np.eye(len(warm))])
    target = np.vstack([rows_FI[:, cold], np.zeros((len(warm), len(cold)))])
    np.testing.assert_allclose(found_RC, np.linalg.lstsq(stacked, target, rcond=None)[0], atol=1e-5)


def planted(train, num_styles=6, items_per_style=10, num_users=150):
    """Users like one style; features show it; the last two items of each style are cold."""
    rng = np.random.default_rng(0)
    style_I = np.repeat(np.arange(num_styles), items_per_style)
    num_items = len(style_I)
    cold = np.flatnonzero(np.arange(num_items) % items_per_style >= items_per_style - 2)
    style_U = rng.integers(num_styles, size=num_users)
    pairs = [
        (user, item)
        for user in range(num_users)
        for item in rng.choice(np.setdiff1d(np.flatnonzero(style_I == style_U[user]), cold), 4, replace=False)
    ]
    user, item = np.array(pairs).T
    ids = np.array([f"i{number}" for number in range(num_items)], dtype=object)
    nothing = np.full(num_items, "", dtype=object)
    catalogue = replace(train.catalogue, item_ids=ids, title=nothing, text=nothing, image=nothing, site=nothing)
    interactions = Interactions.from_pairs(user, item, num_users, num_items)
    user_ids = np.array([f"u{number}" for number in range(num_users)], dtype=object)
    x_IF = rng.normal(size=(num_styles, 8))[style_I] + 0.1 * rng.normal(size=(num_items, 8))
    x_IF /= np.linalg.norm(x_IF, axis=1, keepdims=True)
    world = replace(train, catalogue=catalogue, interactions=interactions, user_ids=user_ids)
    return world, FeatureBlocks(x_IF.astype(np.float32), {"text": slice(0, 8)}), style_I, style_U, cold


def test_with_content_the_cold_items_of_a_users_style_come_first(train):
    world, blocks, style_I, style_U, cold = planted(train)
    arm = EASEContent().fit(TrainingInput(world, blocks, TuningConfig(tries=4)))
    users = np.arange(len(style_U))
    for popularity in (True, False):
        lists = arm.rank(users, cold, None, 2, popularity)
        assert (style_I[lists.items_UK] == style_U[:, None]).mean() > 0.98
    warm = np.setdiff1d(np.arange(len(style_I)), cold)
    seen = world.interactions.user_item_matrix()
    lists = arm.rank(users, warm, seen, 4)
    assert (style_I[lists.items_UK] == style_U[:, None]).mean() > 0.98
