import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.raw_block import join_queries, join_vectors, raw_coefficients, raw_scale, sum_of_items
from graphrec.models.ridge import HeadSettings

SETTINGS = HeadSettings(weights={"a": 2.0, "b": 0.5, "exp(a)": 0.4, "exp(b)": 0.0, "constant": 0.1}, penalty=3.0)
COLUMNS = {"a": slice(0, 4), "b": slice(4, 7)}


@pytest.fixture
def system():
    """40 items with two blocks of 4 and 3 features; the last ten are cold."""
    x_IF = np.random.default_rng(0).normal(size=(40, 7))
    for block in COLUMNS.values():
        x_IF[:, block] /= np.linalg.norm(x_IF[:, block], axis=1, keepdims=True)
    return KernelRidge.of(FeatureBlocks(x_IF.astype(np.float32), COLUMNS), np.arange(30), SETTINGS, seed=0)


@pytest.fixture
def matrix():
    """25 users with weighted events on the warm items; the last user has none."""
    dense_UI = np.random.default_rng(1).integers(0, 4, size=(25, 40)).astype(np.float32)
    dense_UI[:, 30:] = 0
    dense_UI[24] = 0
    return sp.csr_matrix(dense_UI)


def ridge_scores(system, matrix_UI):
    """The kernel ridge's prediction of every item for every user, from the textbook: K (K + λI)⁻¹ y."""
    x_IF = system.blocks.x_IF.astype(np.float64)
    a_II, b_II = (x_IF[:, block] @ x_IF[:, block].T for block in COLUMNS.values())
    k_II = 2.0 * a_II + 0.5 * b_II + 0.4 * np.exp(3 * (a_II - 1)) + 0.1
    seen_UR = (matrix_UI[:, :30].toarray() > 0).astype(np.float64)
    return (k_II[:, :30] @ np.linalg.solve(k_II[:30, :30] + 3.0 * np.eye(30), seen_UR.T)).T


def raw_vectors(system, matrix_UI, dim):
    return system.predict(raw_coefficients(system, matrix_UI, dim, seed=0))


def test_the_sum_of_raw_vectors_scores_as_the_ridge_on_raw_interactions(system, matrix):
    vectors_IR = raw_vectors(system, matrix, dim=100)
    assert vectors_IR.shape == (40, 30)
    score_UI = sum_of_items(matrix, vectors_IR) @ vectors_IR.T
    np.testing.assert_allclose(score_UI, ridge_scores(system, matrix), atol=1e-4)


def test_fewer_numbers_lose_nothing_where_the_users_span_no_more(system, matrix):
    """Users with the same three items span one direction: one number per item says all about them."""
    alike = sp.csr_matrix(np.tile(matrix[0].toarray(), (25, 1)))
    vectors_IR = raw_vectors(system, alike, dim=1)
    assert vectors_IR.shape == (40, 1)
    score_UI = sum_of_items(alike, vectors_IR) @ vectors_IR.T
    np.testing.assert_allclose(score_UI, ridge_scores(system, alike), atol=1e-4)


@pytest.mark.parametrize("dim", [1, 4, 29])
def test_fewer_numbers_are_the_singular_directions_of_the_users_unit_sums(system, matrix, dim):
    """A numerical twin: the whole singular value decomposition, up to the sign of each direction."""
    full_LL = raw_coefficients(system, matrix, 100, seed=0)
    sum_UL = sum_of_items(matrix, system.predict(full_LL)).astype(np.float64)[:24]
    _, singular_L, directions_LL = np.linalg.svd(sum_UL / np.linalg.norm(sum_UL, axis=1, keepdims=True))
    np.testing.assert_array_less(singular_L[1:] + 1e-3, singular_L[:-1])  # so that directions are unique
    kept = min(dim, 24)  # no more users, no more directions
    found_LR, expected_LR = raw_coefficients(system, matrix, dim, seed=0)[:, :kept], full_LL @ directions_LL[:kept].T
    sign_R = np.sign((found_LR * expected_LR).sum(axis=0))
    np.testing.assert_allclose(found_LR, expected_LR * sign_R, atol=2e-3)


def test_raw_vectors_of_cold_items_change_no_others(system, matrix):
    changed_IF = system.blocks.x_IF.copy()
    changed_IF[35] *= -1
    other = KernelRidge.of(FeatureBlocks(changed_IF, COLUMNS), system.rows, SETTINGS, seed=0)
    one, two = (raw_vectors(each, matrix, 5) for each in (system, other))
    assert one.shape == (40, 5)
    np.testing.assert_array_equal(np.delete(one, 35, axis=0), np.delete(two, 35, axis=0))
    assert not np.array_equal(one[35], two[35])


def test_an_item_counts_once_however_often_it_was_touched(matrix):
    vectors_IR = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    once = sp.csr_matrix((matrix.toarray() > 0).astype(np.float32))
    np.testing.assert_array_equal(sum_of_items(matrix, vectors_IR), sum_of_items(once, vectors_IR))


def test_no_raw_block_leaves_no_trace(matrix):
    nothing_IR = np.zeros((40, 0), dtype=np.float32)
    scale = raw_scale(matrix, nothing_IR, np.arange(30), seed=0)
    learned_BD = np.random.default_rng(3).normal(size=(25, 5)).astype(np.float32)
    raw_BR = scale.search_query(sum_of_items(matrix, nothing_IR), 0, True)
    np.testing.assert_array_equal(join_queries(learned_BD, raw_BR, 0.0), learned_BD)
    np.testing.assert_array_equal(join_vectors(learned_BD, nothing_IR[:25]), learned_BD)


def test_raw_scores_have_unit_deviation_over_the_warm_items(system, matrix):
    vectors_IR = raw_vectors(system, matrix, dim=5)
    query_UR = raw_scale(matrix, vectors_IR, np.arange(30), seed=0).query(sum_of_items(matrix, vectors_IR), 0)
    score_UR = query_UR[:24, :-1] @ vectors_IR[:30].T
    np.testing.assert_allclose(score_UR.std(axis=1), 1, rtol=1e-4)


def test_a_joined_score_is_the_sum_of_its_parts():
    rng = np.random.default_rng(4)
    query_BD, raw_query_BR = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    item_ID, raw_IR = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    score_BI = join_queries(query_BD, raw_query_BR, 0.3) @ join_vectors(item_ID, raw_IR).T
    learned_BI, popularity_BI = query_BD[:, :3] @ item_ID[:, :3].T, np.outer(query_BD[:, 3], item_ID[:, 3])
    expected_BI = 0.7 * learned_BI + 0.3 * raw_query_BR[:, :2] @ raw_IR.T + popularity_BI
    np.testing.assert_allclose(score_BI, expected_BI, atol=1e-5)


def test_a_user_without_items_has_no_raw_query(system, matrix):
    vectors_IR = raw_vectors(system, matrix, dim=100)
    query_UR = raw_scale(matrix, vectors_IR, np.arange(30), seed=0).query(sum_of_items(matrix, vectors_IR), 0)
    assert not query_UR[24].any()
    assert query_UR[:24, :-1].any(axis=1).all()
