import numpy as np
import pytest
from sklearn.linear_model import Ridge

from graphrec.models.popularity import Popularity
from graphrec.models.ridge import RidgeSystem

COLUMNS = {"a": slice(0, 3), "b": slice(3, 12)}
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


def world(seed, noise, size=45):
    """Every third item is cold; the others' degree follows the first feature, more or less."""
    rng = np.random.default_rng(seed)
    x_IF = rng.normal(size=(size, 12)).astype(np.float32)
    degree_I = np.maximum(1, np.exp(2 + 0.8 * x_IF[:, 0] + noise * rng.normal(size=size))).astype(np.int64)
    degree_I[::3] = 0
    return x_IF, degree_I


def fit(x_IF, degree_I):
    return Popularity.fit(RidgeSystem(x_IF, COLUMNS, np.flatnonzero(degree_I)), degree_I)


def standardised(degree_I):
    log_degree_R = np.log1p(degree_I[degree_I > 0])
    return (log_degree_R - log_degree_R.mean()) / log_degree_R.std()


def brute_force(x_IF, degree_I):
    """Refit without each item in turn; (the best penalty, its prediction for all items)."""
    design = np.hstack([x_IF, np.full((len(x_IF), 1), 0.3)]).astype(np.float64)
    x, y = design[degree_I > 0], standardised(degree_I)

    def left_out_error(penalty):
        model = Ridge(alpha=penalty, fit_intercept=False)
        errors = [
            y[out] - model.fit(np.delete(x, out, axis=0), np.delete(y, out)).predict(x[[out]])[0]
            for out in range(len(y))
        ]
        return np.mean(np.square(errors))

    best = min(PENALTIES, key=left_out_error)
    return best, Ridge(alpha=best, fit_intercept=False).fit(x, y).predict(design)


def test_the_prediction_is_that_of_the_penalty_which_refits_without_each_item_find_best():
    chosen = set()
    for seed, noise in enumerate((0.05, 0.3, 1.0, 2.0, 4.0)):
        x_IF, degree_I = world(seed, noise)
        penalty, expected_I = brute_force(x_IF, degree_I)
        chosen.add(penalty)
        np.testing.assert_allclose(fit(x_IF, degree_I).predicted_I, expected_I, atol=1e-5, err_msg=f"world {seed}")
    assert len(chosen) >= 3  # a fixed penalty would not pass


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
