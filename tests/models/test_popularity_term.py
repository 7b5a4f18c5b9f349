import numpy as np
import pytest

from graphrec.features.blocks import FeatureBlocks
from graphrec.models import leave_one_out
from graphrec.models.kernel import terms_of
from graphrec.models.leave_one_out import TuningItems
from graphrec.models.popularity import Popularity, tune_popularity

COLUMNS = {"a": slice(0, 3), "b": slice(3, 12)}


def world(seed, noise, size=45):
    """Every third item is cold; the others' degree follows the first feature, more or less."""
    rng = np.random.default_rng(seed)
    x_IF = rng.normal(size=(size, 12))
    for block in COLUMNS.values():
        x_IF[:, block] /= np.linalg.norm(x_IF[:, block], axis=1, keepdims=True)
    x_IF = x_IF.astype(np.float32)
    degree_I = np.maximum(1, np.exp(2 + 1.5 * x_IF[:, 0] + noise * rng.normal(size=size))).astype(np.int64)
    degree_I[::3] = 0
    return x_IF, degree_I


def fit(x_IF, degree_I, seed=0):
    settings, _ = tuned(x_IF, degree_I, seed)
    return Popularity.fit(FeatureBlocks(x_IF, COLUMNS), degree_I, settings, seed)


def tuned(x_IF, degree_I, seed=0):
    """The kernel's settings, and what it predicts of each item without it."""
    items = TuningItems.of(FeatureBlocks(x_IF, COLUMNS), np.flatnonzero(degree_I), seed)
    return tune_popularity(items, degree_I)


def standardised(degree_I):
    log_degree_R = np.log1p(degree_I[degree_I > 0])
    return (log_degree_R - log_degree_R.mean()) / log_degree_R.std()


def kernel_II(x_IF, settings):
    """The formula of every term, in float64."""
    weights, inner = settings.weights, {name: x_IF[:, c].astype(float) @ x_IF[:, c].T for name, c in COLUMNS.items()}
    k_II = np.full((len(x_IF), len(x_IF)), weights["constant"])
    for name, inner_II in inner.items():
        k_II += weights[name] * inner_II + weights[f"exp({name})"] * np.exp(3 * (inner_II - 1))
    return k_II


def refitted_without_each(k_RR, y_R, penalty):
    answers = []
    for out in range(len(y_R)):
        rest = np.delete(np.arange(len(y_R)), out)
        answers.append(
            k_RR[out, rest] @ np.linalg.solve(k_RR[np.ix_(rest, rest)] + penalty * np.eye(len(rest)), y_R[rest])
        )
    return np.array(answers)


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.05), (1, 0.5), (2, 3.0)])
def test_the_left_out_prediction_is_that_of_refits_without_each_item(seed, noise):
    x_IF, degree_I = world(seed, noise)
    warm = np.flatnonzero(degree_I)
    y_R = standardised(degree_I)
    settings, left_out_R = tuned(x_IF, degree_I)
    assert set(settings.weights) == {term.name for term in terms_of(FeatureBlocks(x_IF, COLUMNS))}
    assert left_out_R.dtype == np.float32
    k_II = kernel_II(x_IF, settings)
    k_RR = k_II[np.ix_(warm, warm)]
    popularity = fit(x_IF, degree_I)
    np.testing.assert_allclose(left_out_R, refitted_without_each(k_RR, y_R, settings.penalty), atol=1e-3)
    alpha_R = np.linalg.solve(k_RR + settings.penalty * np.eye(len(warm)), y_R)
    np.testing.assert_allclose(popularity.predicted_I, k_II[:, warm] @ alpha_R, atol=2e-3)


def test_tuning_makes_the_left_out_error_smaller():
    x_IF, degree_I = world(1, 0.1, size=90)
    items = TuningItems.of(FeatureBlocks(x_IF, COLUMNS), np.flatnonzero(degree_I), 0)
    y_R = standardised(degree_I)
    start = leave_one_out.TunedKernel(items).settings()
    warm = np.flatnonzero(degree_I)
    before_R = refitted_without_each(kernel_II(x_IF, start)[np.ix_(warm, warm)], y_R, start.penalty)
    _, after_R = tuned(x_IF, degree_I)
    assert np.mean((after_R - y_R) ** 2) < 0.8 * np.mean((before_R - y_R) ** 2)


def test_a_large_catalogue_is_tuned_on_some_items_and_fitted_on_all(monkeypatch):
    monkeypatch.setattr(leave_one_out, "MOST_ITEMS", 25)
    x_IF, degree_I = world(1, 0.05, size=120)
    assert len(tuned(x_IF, degree_I)[1]) == 25
    popularity = fit(x_IF, degree_I)
    assert np.corrcoef(popularity.predicted_I[::3], x_IF[::3, 0])[0, 1] > 0.9


def test_touched_items_have_the_observed_term_and_new_ones_the_predicted_one():
    x_IF, degree_I = world(0, 0.3)
    popularity = fit(x_IF, degree_I)
    np.testing.assert_allclose(popularity.observed_I[degree_I > 0], standardised(degree_I), rtol=1e-5)
    np.testing.assert_array_equal(popularity.observed_I[::3], popularity.predicted_I[::3])
    assert popularity.observed_I.dtype == popularity.predicted_I.dtype == np.float32


def test_a_new_item_like_the_popular_ones_is_predicted_popular():
    x_IF, degree_I = world(1, 0.05, size=90)
    predicted_I = fit(x_IF, degree_I).predicted_I
    assert np.corrcoef(predicted_I[::3], x_IF[::3, 0])[0, 1] > 0.9


def test_features_of_new_items_do_not_influence_the_term_of_others():
    x_IF, degree_I = world(2, 0.3)
    changed_IF = x_IF.copy()
    changed_IF[::3] = np.random.default_rng(0).normal(size=(15, 12)) * 10
    one, other = fit(x_IF, degree_I), fit(changed_IF, degree_I)
    warm = degree_I > 0
    np.testing.assert_array_equal(other.observed_I[warm], one.observed_I[warm])
    np.testing.assert_array_equal(other.predicted_I[warm], one.predicted_I[warm])
    assert not np.array_equal(other.predicted_I[~warm], one.predicted_I[~warm])


@pytest.mark.parametrize("degree", [1, 4])
def test_where_all_items_are_equally_popular_the_term_is_zero(degree):
    x_IF, degree_I = world(3, 0.3)
    popularity = fit(x_IF, np.where(degree_I > 0, degree, 0))
    np.testing.assert_allclose(popularity.observed_I, 0, atol=1e-6)
