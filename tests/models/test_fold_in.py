import numpy as np
import pytest

from graphrec.models.fold_in import fold_in, graph_vectors


@pytest.fixture
def matrix_UI(interactions):
    return interactions.user_item_matrix()


@pytest.fixture
def q_UD():
    q_UD = np.random.default_rng(1).normal(size=(45, 4))
    return (q_UD / np.linalg.norm(q_UD, axis=1, keepdims=True)).astype(np.float32)


def test_every_item_is_the_ridge_of_its_column_on_the_users(q_UD, matrix_UI):
    """One lstsq per item: rows are users with history, the target is a_ui / sqrt(degree of u)."""
    dense_UI = matrix_UI.toarray().astype(np.float64)
    degree_U = (dense_UI > 0).sum(axis=1)
    users = np.flatnonzero(degree_U)
    root_penalty = np.sqrt(1e-3 * len(users)) * np.eye(4)
    expected = []
    for item in range(30):
        target = np.concatenate([dense_UI[users, item] / np.sqrt(degree_U[users]), np.zeros(4)])
        expected.append(np.linalg.lstsq(np.vstack([q_UD[users], root_penalty]), target, rcond=None)[0])
    folded = fold_in(q_UD, matrix_UI)
    np.testing.assert_allclose(folded, expected, atol=1e-5)
    assert folded.dtype == np.float32


def test_an_item_without_an_edge_gets_zeros_and_only_such_an_item(q_UD, matrix_UI):
    np.testing.assert_array_equal(fold_in(q_UD, matrix_UI).any(axis=1), np.arange(30) < 28)


def test_users_without_history_have_no_say(q_UD, matrix_UI):
    changed = q_UD.copy()
    changed[[43, 44]] = 100
    np.testing.assert_array_equal(fold_in(changed, matrix_UI), fold_in(q_UD, matrix_UI))
    changed[0] = 100  # the check can fail
    assert not np.array_equal(fold_in(changed, matrix_UI), fold_in(q_UD, matrix_UI))


def score_deviation(vectors_ID, q_UD, rows):
    """The root of a user's variance of scores over the rows, averaged over users: plainly."""
    return np.sqrt((q_UD @ vectors_ID[rows].T).var(axis=1).mean())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_part_is_scaled_to_unit_scores_times_its_share(q_UD, share):
    rng = np.random.default_rng(2)
    z_ID, folded_ID = rng.normal(size=(30, 4)) * 7, rng.normal(size=(30, 4)) / 50
    rows = np.arange(3, 28)
    z_part = (1 - share) * z_ID / score_deviation(z_ID, q_UD, rows)
    folded_part = share * folded_ID / score_deviation(folded_ID, q_UD, rows)
    answer = graph_vectors(z_ID, folded_ID, q_UD, rows, share)
    np.testing.assert_allclose(answer, z_part + folded_part, rtol=1e-4, atol=1e-6)
    assert answer.dtype == np.float32


def test_the_size_of_a_part_does_not_matter(q_UD):
    rng = np.random.default_rng(3)
    z_ID, folded_ID = rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    rows = np.arange(30)
    answer = graph_vectors(z_ID, folded_ID, q_UD, rows, 0.5)
    np.testing.assert_allclose(graph_vectors(z_ID * 100, folded_ID / 8, q_UD, rows, 0.5), answer, rtol=1e-5)


def test_with_one_part_alone_the_other_is_not_looked_at(q_UD):
    z_ID, nothing = np.random.default_rng(4).normal(size=(30, 4)), np.full((30, 4), np.nan)
    rows = np.arange(30)
    assert np.isfinite(graph_vectors(z_ID, nothing, q_UD, rows, 0.0)).all()
    assert np.isfinite(graph_vectors(nothing, z_ID, q_UD, rows, 1.0)).all()
