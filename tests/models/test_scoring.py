import tracemalloc

import numpy as np
import pytest

from graphrec.models.scoring import QueryScale, covariance, with_popularity


@pytest.fixture
def vectors_RD():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4)) + 5).astype(np.float32)


@pytest.fixture
def query_UD():
    return (np.random.default_rng(1).normal(size=(45, 4)) * np.arange(1, 46)[:, None] + 1).astype(np.float32)


def test_every_users_scores_have_unit_variance_over_the_warm_items(query_UD, vectors_RD):
    query = QueryScale.fit(query_UD, vectors_RD).query(query_UD, 0.4)
    scores = query @ with_popularity(vectors_RD, np.zeros(30)).T
    np.testing.assert_allclose(scores.std(axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("num_rows", [1, 30, 1024, 2500])
def test_covariance_and_average_are_those_of_all_rows_at_once(num_rows):
    rng = np.random.default_rng(2)
    vectors_RD = (rng.normal(size=(num_rows, 7)) * 3 + 50).astype(np.float32)
    query_UD = rng.normal(size=(2 * num_rows, 7)).astype(np.float32)
    expected_DD = np.cov(vectors_RD.astype(np.float64), rowvar=False, bias=True)
    np.testing.assert_allclose(covariance(vectors_RD), expected_DD, rtol=1e-9, atol=1e-9)
    scale = QueryScale.fit(query_UD, vectors_RD)
    np.testing.assert_array_equal(scale.covariance_DD, covariance(vectors_RD))
    np.testing.assert_allclose(scale.average_D, scale.scaled(query_UD).mean(axis=0), rtol=1e-9, atol=1e-12)


def test_wide_vectors_are_not_copied_as_a_whole():
    """8 MB of vectors and 8 MB of queries in float32: in float64 alone each would be 16 MB, and centred 16 more."""
    wide_ND = np.random.default_rng(3).normal(size=(32_768, 64)).astype(np.float32)
    tracemalloc.start()
    QueryScale.fit(wide_ND, wide_ND)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_scaling_keeps_each_users_order(query_UD, vectors_RD):
    scaled = QueryScale.fit(query_UD, vectors_RD).scaled(query_UD)
    ratio = scaled / query_UD
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
    assert (ratio > 0).all()


def test_a_score_is_the_inner_product_plus_the_weighted_popularity(query_UD, vectors_RD):
    scale = QueryScale.fit(query_UD, vectors_RD)
    term = np.linspace(-1, 2, 30)
    scores = scale.query(query_UD, 0.4) @ with_popularity(vectors_RD, term).T
    np.testing.assert_allclose(scores, scale.scaled(query_UD) @ vectors_RD.T + 0.4 * term, atol=1e-4)


def test_personal_queries_of_the_fitted_users_cancel_out(query_UD, vectors_RD):
    """The mean user is gone, and so is every item's mean score: what is left is what sets users apart."""
    scale = QueryScale.fit(query_UD, vectors_RD)
    personal = scale.personal_query(query_UD)
    np.testing.assert_allclose(personal.mean(axis=0), 0, atol=1e-6)
    assert np.abs(scale.query(query_UD, 0.0).mean(axis=0)).max() > 0.01
    scores = personal @ with_popularity(vectors_RD, np.full(30, 1e3)).T
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-5)


def test_a_query_does_not_depend_on_who_else_asks(query_UD, vectors_RD):
    scale = QueryScale.fit(query_UD, vectors_RD)
    for ask in (lambda q: scale.query(q, 0.2), scale.personal_query):
        alone = np.concatenate([ask(query_UD[[user]]) for user in range(45)])
        np.testing.assert_allclose(alone, ask(query_UD), rtol=1e-6, atol=1e-7)


def test_a_query_of_nothing_stays_nothing(query_UD, vectors_RD):
    scale = QueryScale.fit(query_UD, vectors_RD)
    np.testing.assert_array_equal(scale.scaled(np.zeros((2, 4))), 0)
    assert scale.query(np.zeros((0, 4)), 1.0).shape == (0, 5)


def test_one_dimension_is_enough():
    scale = QueryScale.fit(np.array([[2.0], [-1.0]]), np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(scale.scaled(np.array([[2.0], [-4.0]])), [[1], [-1]])


def test_the_popularity_term_is_the_last_component():
    np.testing.assert_array_equal(with_popularity(np.ones((2, 3)), np.array([5, 6])), [[1, 1, 1, 5], [1, 1, 1, 6]])
