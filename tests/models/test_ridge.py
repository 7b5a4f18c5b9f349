import numpy as np
import pytest
from sklearn.linear_model import Ridge

from graphrec.models.ridge import HeadSettings, RidgeSystem

COLUMNS = {"picture": slice(0, 4), "text": slice(4, 6), "colour": slice(6, 9)}
ROWS = np.array([0, 2, 3, 7, 8, 11, 12, 17, 20, 21, 25, 28])


@pytest.fixture
def x_IF():
    return np.random.default_rng(0).normal(size=(30, 9)).astype(np.float32)


@pytest.fixture
def y_RT():
    return np.random.default_rng(1).normal(size=(len(ROWS), 3)).astype(np.float32) + 2


def weighted(x_IF, picture, text, colour):
    """The features as a plain ridge takes them: scaled, with a constant of 0.3."""
    scale_F = np.sqrt(np.repeat([picture, text, colour], [4, 2, 3]))
    return np.hstack([x_IF * scale_F, np.full((len(x_IF), 1), 0.3)])


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.25, 3, 1), (9, 0, 0.5), (0, 0, 0)])
@pytest.mark.parametrize("penalty", [0.1, 5.0, 45.0])
def test_predictions_are_those_of_sklearns_ridge_on_weighted_features(x_IF, y_RT, weights, penalty):
    system = RidgeSystem(x_IF, COLUMNS, ROWS)
    settings = HeadSettings(weights=dict(zip(COLUMNS, weights, strict=True)), penalty=penalty)
    design = weighted(x_IF, *weights)
    expected = Ridge(alpha=penalty, fit_intercept=False).fit(design[ROWS], y_RT).predict(design)
    coefficients = system.coefficients(y_RT, settings)
    np.testing.assert_allclose(system.predict(coefficients), expected, atol=2e-5)
    np.testing.assert_allclose(system.design(np.arange(30)) @ coefficients, expected, atol=2e-5)


def test_a_block_of_weight_zero_is_left_out(x_IF, y_RT):
    settings = HeadSettings(weights={"picture": 1, "text": 0, "colour": 2})
    one = RidgeSystem(x_IF, COLUMNS, ROWS)
    coefficients = one.coefficients(y_RT, settings)
    np.testing.assert_array_equal(coefficients[4:6], 0)
    other_IF = x_IF.copy()
    other_IF[:, 4:6] = 100
    other = RidgeSystem(other_IF, COLUMNS, ROWS)
    np.testing.assert_allclose(other.predict(other.coefficients(y_RT, settings)), one.predict(coefficients), atol=1e-6)


def test_only_the_fitted_rows_decide_the_coefficients(x_IF, y_RT):
    settings = HeadSettings(weights=dict.fromkeys(COLUMNS, 1.0))
    changed_IF = x_IF.copy()
    changed_IF[np.setdiff1d(np.arange(30), ROWS)] = 7
    one, other = RidgeSystem(x_IF, COLUMNS, ROWS), RidgeSystem(changed_IF, COLUMNS, ROWS)
    np.testing.assert_array_equal(other.coefficients(y_RT, settings), one.coefficients(y_RT, settings))
    changed_IF[ROWS[3]] = 7  # the check can fail
    other = RidgeSystem(changed_IF, COLUMNS, ROWS)
    assert not np.array_equal(other.coefficients(y_RT, settings), one.coefficients(y_RT, settings))


def test_an_items_prediction_does_not_depend_on_the_others(x_IF, y_RT):
    system = RidgeSystem(x_IF, COLUMNS, ROWS)
    coefficients = system.coefficients(y_RT, HeadSettings(weights=dict.fromkeys(COLUMNS, 1.0)))
    np.testing.assert_allclose(system.predict(coefficients, block_rows=7), system.predict(coefficients), atol=1e-6)
    changed_IF = x_IF.copy()
    changed_IF[5] = -3
    changed = RidgeSystem(changed_IF, COLUMNS, ROWS).predict(coefficients)
    others = np.arange(30) != 5
    np.testing.assert_array_equal(changed[others], system.predict(coefficients)[others])


def test_settings_of_penalty_zero_are_refused():
    with pytest.raises(ValueError, match="penalty"):
        HeadSettings(weights={}, penalty=0)
