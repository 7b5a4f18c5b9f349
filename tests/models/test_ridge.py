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


def coefficients(system, y_RT, settings):
    """(F, T): what the features of an item, with the constant, are multiplied by to predict its targets."""
    return system.inverse_times(system.design_RF.T.astype(np.float64) @ y_RT, settings)


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.25, 3, 1), (9, 0, 0.5), (0, 0, 0)])
@pytest.mark.parametrize("penalty", [0.1, 5.0, 45.0])
def test_predictions_are_those_of_sklearns_ridge_on_weighted_features(x_IF, y_RT, weights, penalty):
    system = RidgeSystem(x_IF, COLUMNS, ROWS)
    settings = HeadSettings(weights=dict(zip(COLUMNS, weights, strict=True)), penalty=penalty)
    design = weighted(x_IF, *weights)
    expected = Ridge(alpha=penalty, fit_intercept=False).fit(design[ROWS], y_RT).predict(design)
    np.testing.assert_allclose(system.design(np.arange(30)) @ coefficients(system, y_RT, settings), expected, atol=2e-5)


def test_a_block_of_weight_zero_is_left_out(x_IF, y_RT):
    settings = HeadSettings(weights={"picture": 1, "text": 0, "colour": 2})
    one = RidgeSystem(x_IF, COLUMNS, ROWS)
    found_FT = coefficients(one, y_RT, settings)
    np.testing.assert_array_equal(found_FT[4:6], 0)
    other_IF = x_IF.copy()
    other_IF[:, 4:6] = 100
    other = RidgeSystem(other_IF, COLUMNS, ROWS)
    np.testing.assert_allclose(coefficients(other, y_RT, settings), found_FT, atol=1e-9)


def test_only_the_fitted_rows_decide_the_coefficients(x_IF, y_RT):
    settings = HeadSettings(weights=dict.fromkeys(COLUMNS, 1.0))
    changed_IF = x_IF.copy()
    changed_IF[np.setdiff1d(np.arange(30), ROWS)] = 7
    one, other = RidgeSystem(x_IF, COLUMNS, ROWS), RidgeSystem(changed_IF, COLUMNS, ROWS)
    np.testing.assert_array_equal(coefficients(other, y_RT, settings), coefficients(one, y_RT, settings))
    changed_IF[ROWS[3]] = 7  # the check can fail
    other = RidgeSystem(changed_IF, COLUMNS, ROWS)
    assert not np.array_equal(coefficients(other, y_RT, settings), coefficients(one, y_RT, settings))


def test_settings_of_penalty_zero_are_refused():
    with pytest.raises(ValueError, match="penalty"):
        HeadSettings(weights={}, penalty=0)
