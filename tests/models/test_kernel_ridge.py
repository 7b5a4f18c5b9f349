import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.features.attributes import BumpEncoder
from graphrec.features.blocks import FeatureBlocks
from graphrec.models import kernel_ridge
from graphrec.models.kernel import terms_of
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.ridge import HeadSettings

COLUMNS = {"text": slice(0, 4), "attribute:genre": slice(4, 7)}
ROWS = np.array([0, 2, 3, 5, 7, 8, 9, 11, 12, 13, 17, 20, 21, 22, 25, 28])
PENALTY = 1.5


def unit_rows(rng, num_rows, num_features):
    x_IF = rng.normal(size=(num_rows, num_features))
    return x_IF / np.linalg.norm(x_IF, axis=1, keepdims=True)


@pytest.fixture
def blocks():
    rng = np.random.default_rng(0)
    return FeatureBlocks(np.hstack([unit_rows(rng, 30, 4), unit_rows(rng, 30, 3)]).astype(np.float32), COLUMNS)


@pytest.fixture
def settings(blocks):
    names = [term.name for term in terms_of(blocks)]
    return HeadSettings(
        weights=dict(zip(names, np.linspace(0.2, 1.4, len(names)).tolist(), strict=True)), penalty=PENALTY
    )


@pytest.fixture
def y_RT():
    return np.random.default_rng(1).normal(size=(len(ROWS), 3))


@pytest.fixture
def few_landmarks(monkeypatch):
    monkeypatch.setattr(kernel_ridge, "MAX_LANDMARKS", 6)


def kernel_II(blocks, settings):
    """Every term from its formula, in float64."""
    x_IF, weights = blocks.x_IF.astype(np.float64), settings.weights
    text_II = x_IF[:, :4] @ x_IF[:, :4].T
    genre_II = x_IF[:, 4:] @ x_IF[:, 4:].T
    return (
        weights["text"] * text_II
        + weights["attribute:genre"] * genre_II
        + weights["exp(text)"] * np.exp(3 * (text_II - 1))
        + weights["exp(attribute:genre)"] * np.exp(3 * (genre_II - 1))
        + weights["text*attribute:genre"] * text_II * genre_II
        + weights["constant"]
    )


def test_with_every_row_a_landmark_it_is_textbook_kernel_ridge(blocks, settings, y_RT):
    system = KernelRidge.of(blocks, ROWS, settings, seed=0)
    np.testing.assert_array_equal(system.landmarks, ROWS)
    k_II = kernel_II(blocks, settings)
    alpha_RT = np.linalg.solve(k_II[np.ix_(ROWS, ROWS)] + PENALTY * np.eye(len(ROWS)), y_RT)
    coefficients_LT = system.coefficients(y_RT)
    predicted_IT = system.predict(coefficients_LT)
    assert predicted_IT.dtype == coefficients_LT.dtype == np.float32
    np.testing.assert_allclose(coefficients_LT, alpha_RT, atol=1e-3)
    np.testing.assert_allclose(predicted_IT, k_II[:, ROWS] @ alpha_RT, atol=1e-4)


def test_with_fewer_landmarks_it_is_the_subset_of_regressors(blocks, settings, y_RT, few_landmarks):
    system = KernelRidge.of(blocks, ROWS, settings, seed=3)
    landmarks = system.landmarks
    assert len(set(landmarks)) == 6
    assert set(landmarks) <= set(ROWS)
    assert (np.diff(landmarks) > 0).all()
    k_II = kernel_II(blocks, settings)
    k_LR, k_LL = k_II[np.ix_(landmarks, ROWS)], k_II[np.ix_(landmarks, landmarks)]
    alpha_LT = np.linalg.solve(k_LR @ k_LR.T + PENALTY * k_LL, k_LR @ y_RT)
    np.testing.assert_allclose(system.predict(system.coefficients(y_RT)), k_II[:, landmarks] @ alpha_LT, atol=1e-4)


def test_the_seed_draws_the_landmarks(blocks, settings, few_landmarks):
    drawn = [KernelRidge.of(blocks, ROWS, settings, seed).landmarks.tolist() for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len({tuple(one) for one in drawn}) > 1


@pytest.mark.parametrize("max_landmarks", [2048, 6])
def test_what_an_item_gets_depends_on_its_own_features_alone(blocks, settings, y_RT, monkeypatch, max_landmarks):
    monkeypatch.setattr(kernel_ridge, "MAX_LANDMARKS", max_landmarks)
    one = KernelRidge.of(blocks, ROWS, settings, seed=0)
    changed_IF = blocks.x_IF.copy()
    outside = np.setdiff1d(np.arange(30), ROWS)
    changed_IF[outside[2]] = -changed_IF[outside[2]]
    other = KernelRidge.of(FeatureBlocks(changed_IF, COLUMNS), ROWS, settings, seed=0)
    predicted_IT, changed_IT = (system.predict(system.coefficients(y_RT)) for system in (one, other))
    others = np.arange(30) != outside[2]
    np.testing.assert_array_equal(changed_IT[others], predicted_IT[others])
    assert not np.allclose(changed_IT[outside[2]], predicted_IT[outside[2]])


def test_blocks_of_rows_add_up_to_the_same(blocks, settings, y_RT, monkeypatch):
    whole = KernelRidge.of(blocks, ROWS, settings, seed=0)
    items_BI = sp.csr_matrix(np.random.default_rng(3).integers(0, 2, (4, 30)).astype(np.float32))
    expected = whole.predict(whole.coefficients(y_RT)), whole.sums(items_BI)
    monkeypatch.setattr(kernel_ridge, "_BLOCK_ROWS", 5)
    parts = KernelRidge.of(blocks, ROWS, settings, seed=0)
    np.testing.assert_allclose(parts.predict(parts.coefficients(y_RT)), expected[0], atol=1e-5)
    np.testing.assert_allclose(parts.sums(items_BI), expected[1], atol=1e-6)
    k_II = kernel_II(blocks, settings)
    np.testing.assert_allclose(expected[1], items_BI[:, ROWS] @ k_II[np.ix_(ROWS, ROWS)], atol=1e-5)


def test_a_kernel_that_is_too_large_to_be_kept_gives_the_same_bits(blocks, settings, y_RT, monkeypatch, few_landmarks):
    monkeypatch.setattr(kernel_ridge, "_BLOCK_ROWS", 5)
    kept = KernelRidge.of(blocks, ROWS, settings, seed=0).coefficients(y_RT)
    asked = []
    values = kernel_ridge.Kernel.values
    monkeypatch.setattr(kernel_ridge.Kernel, "values", lambda self, x, y: asked.append(len(x)) or values(self, x, y))
    monkeypatch.setattr(kernel_ridge, "_KEPT_ROWS", len(ROWS) - 1)
    np.testing.assert_array_equal(KernelRidge.of(blocks, ROWS, settings, seed=0).coefficients(y_RT), kept)
    assert sorted(asked) == sorted([5, 5, 5, 1] * 2 + [6])


@pytest.mark.parametrize("max_landmarks", [2048, 6])
def test_the_sum_of_whitened_vectors_scores_as_the_ridge_on_raw_columns(blocks, settings, monkeypatch, max_landmarks):
    """y_R = 1 where the user touched the item: predictions of a user's column, for all items."""
    monkeypatch.setattr(kernel_ridge, "MAX_LANDMARKS", max_landmarks)
    system = KernelRidge.of(blocks, ROWS, settings, seed=0)
    seen_BR = (np.random.default_rng(4).random((5, len(ROWS))) < 0.4).astype(np.float64)
    vectors_IL = system.predict(system.whitener_LL.astype(np.float32))
    score_BI = seen_BR @ vectors_IL[ROWS] @ vectors_IL.T
    np.testing.assert_allclose(score_BI, system.predict(system.coefficients(seen_BR.T)).T, atol=1e-4)
    k_II, landmarks = kernel_II(blocks, settings), system.landmarks
    k_LR, k_LL = k_II[np.ix_(landmarks, ROWS)], k_II[np.ix_(landmarks, landmarks)]
    expected_BI = (k_II[:, landmarks] @ np.linalg.solve(k_LR @ k_LR.T + PENALTY * k_LL, k_LR @ seen_BR.T)).T
    np.testing.assert_allclose(score_BI, expected_BI, atol=1e-4)


def test_only_the_rows_decide(blocks, settings, y_RT):
    changed_IF = blocks.x_IF.copy()
    changed_IF[np.setdiff1d(np.arange(30), ROWS)] = 5
    one, other = (KernelRidge.of(FeatureBlocks(x, COLUMNS), ROWS, settings, 0) for x in (blocks.x_IF, changed_IF))
    np.testing.assert_array_equal(other.coefficients(y_RT), one.coefficients(y_RT))


@pytest.mark.parametrize("penalty", [0.01, 2.0, 50.0])
@pytest.mark.parametrize("kind", ["one direction", "the same item throughout", "nothing known", "a constant alone"])
def test_kernels_that_are_far_from_regular_do_not_break_it(kind, penalty):
    num_rows = 60
    x_IF = np.zeros((num_rows, 3), dtype=np.float32)
    if kind == "one direction":
        x_IF[:, 0] = np.where(np.arange(num_rows) % 2, 1, -1)
    elif kind == "the same item throughout":
        x_IF[:] = np.sqrt(1 / 3)
    blocks = FeatureBlocks(x_IF, {"text": slice(0, 3)})
    weights = {"text": 1.0, "exp(text)": 1.0, "constant": 0.5}
    if kind == "a constant alone":
        weights |= {"text": 0.0, "exp(text)": 0.0}
    system = KernelRidge.of(blocks, np.arange(num_rows), HeadSettings(weights=weights, penalty=penalty), 0)
    y_RT = np.random.default_rng(5).normal(size=(num_rows, 2)) + 1
    k_RR = system.kernel.values(x_IF, x_IF).astype(np.float64)
    expected_RT = k_RR @ np.linalg.solve(k_RR + penalty * np.eye(num_rows), y_RT)
    np.testing.assert_allclose(system.predict(system.coefficients(y_RT)), expected_RT, atol=5e-3)
    assert np.isfinite(system.predict(system.whitener_LL.astype(np.float32))).all()


@pytest.mark.parametrize("penalty", [0.3, 2.7, 20.0])
def test_a_kernel_that_is_indefinite_by_a_hair_does_not_break_it(penalty):
    """The wide power of a number's bumps alone has eigenvalues a little below zero."""
    x_IF = BumpEncoder(0, 1, 20).encode(np.random.default_rng(0).random(300)).x_IF
    x_IF /= np.linalg.norm(x_IF, axis=1, keepdims=True)
    name = "attribute:year"
    blocks = FeatureBlocks(x_IF, {name: slice(0, 20)}, frozenset({name}))
    weights = dict.fromkeys([term.name for term in terms_of(blocks)], 0.0) | {f"{name}^0.3": 0.4}
    system = KernelRidge.of(blocks, np.arange(300), HeadSettings(weights=weights, penalty=penalty), 0)
    k_RR = system.kernel.values(x_IF, x_IF).astype(np.float64)
    assert np.linalg.eigvalsh(k_RR)[0] < -1e-4
    y_RT = np.sin(6 * np.linspace(0, 1, 300))[:, None]
    expected_RT = k_RR @ np.linalg.solve(k_RR + penalty * np.eye(300), y_RT)
    np.testing.assert_allclose(system.predict(system.coefficients(y_RT)), expected_RT, atol=0.02)
