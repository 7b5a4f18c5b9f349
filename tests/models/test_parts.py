from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.graphsage import Encoded
from graphrec.models.kernel import Kernel
from graphrec.models.kernel_ridge import FittedHead, KernelRidge
from graphrec.models.parts import Mixture, Parts, Placer
from graphrec.models.placement import Placed
from graphrec.models.popularity import DegreeScale, Popularity
from graphrec.models.ridge import HeadSettings
from graphrec.models.scoring import QueryScale

MIXTURE = Mixture(fold_in_share=0.25, raw_share=0.4, popularity_weight=0.5)
NUM_USERS, NUM_ITEMS, DIM, RAW_DIM = 7, 12, 3, 4
WARM = np.array([0, 1, 3, 4, 5, 7, 8, 10])
COLD = np.setdiff1d(np.arange(NUM_ITEMS), WARM)
SETTINGS = HeadSettings(weights={"x": 1.5, "exp(x)": 0.5, "constant": 0.2}, penalty=2.0)
WIDE_SETTINGS = HeadSettings(
    weights={"x": 0.4, "exp(x)": 0.1, "site:b": 1.2, "exp(site:b)": 0.3, "constant": 0.1}, penalty=1.0
)


@pytest.fixture
def view(as_dataset):
    """Weighted events on the warm items; the last user has none."""
    rng = np.random.default_rng(0)
    dense_UI = rng.integers(1, 4, (NUM_USERS, NUM_ITEMS)) * (rng.random((NUM_USERS, NUM_ITEMS)) < 0.5)
    dense_UI[:, COLD] = dense_UI[-1] = 0
    dense_UI[np.arange(len(WARM)) % (NUM_USERS - 1), WARM] = 1
    user, item = np.nonzero(dense_UI)
    inter = Interactions.from_pairs(user, item, NUM_USERS, NUM_ITEMS)
    return SiteView.of(as_dataset(replace(inter, weight_E=dense_UI[user, item].astype(np.float32))))


@pytest.fixture
def matrix(view):
    return view.matrix_UI


@pytest.fixture
def popularity():
    rng = np.random.default_rng(1)
    return Popularity(
        rng.normal(size=NUM_ITEMS).astype(np.float32), rng.normal(size=NUM_ITEMS).astype(np.float32),
        DegreeScale(0.0, 1.0), FittedHead(Kernel({}, (), {}), np.zeros((0, 0)), np.zeros((0, 1))),
    )  # fmt: skip


@pytest.fixture
def by_hand(matrix):
    """Every array is its own noise, so that one taken for another shows."""
    rng = np.random.default_rng(2)

    def noise(*shape: int):
        return rng.normal(size=shape).astype(np.float32)

    def placed():
        return Placed(noise(NUM_ITEMS, DIM), noise(NUM_ITEMS, DIM), noise(NUM_ITEMS, RAW_DIM), noise(NUM_ITEMS))

    content, unseen, known = placed(), placed(), np.arange(NUM_USERS - 1)
    raw_UR = (matrix.toarray() > 0) @ unseen.raw_IR
    return Parts(
        q_UD=noise(NUM_USERS, DIM), matrix_UI=matrix, z_ID=noise(NUM_ITEMS, DIM), folded_ID=noise(NUM_ITEMS, DIM),
        content=content, unseen=unseen, raw_scale=QueryScale.fit(raw_UR[known], unseen.raw_IR[WARM]),
        observed_popularity_I=noise(NUM_ITEMS), known_users=known, warm=WARM, placement=None,
    )  # fmt: skip


def raw_sums(parts):
    """Of each user's items, each once."""
    return (parts.matrix_UI.toarray() > 0) @ parts.unseen.raw_IR


def unit(score_BI):
    """Of unit deviation over the warm items."""
    return score_BI / score_BI[:, WARM].std(axis=1, keepdims=True)


@pytest.mark.parametrize("which", ["graph", "content", "unseen"])
def test_a_score_is_the_sum_of_its_parts_each_of_unit_deviation_over_the_warm_items(by_hand, which):
    """The formula that the module opens with; the deviation is that of where the graph puts the warm items."""
    taught_ID = 0.75 * by_hand.z_ID + 0.25 * by_hand.folded_ID
    placed = by_hand.content if which == "content" else by_hand.unseen
    put_ID = taught_ID if which == "graph" else 0.75 * placed.z_ID + 0.25 * placed.folded_ID
    users = np.array([4, 0, 2])
    query_BD = by_hand.queries(users, MIXTURE, by_hand.scale(MIXTURE))
    deviation_B1 = (by_hand.q_UD[users] @ taught_ID[WARM].T).std(axis=1, keepdims=True)
    learned_BI = by_hand.q_UD[users] @ put_ID.T / deviation_B1
    raw_deviation_B1 = (raw_sums(by_hand)[users] @ by_hand.unseen.raw_IR[WARM].T).std(axis=1, keepdims=True)
    raw_BI = raw_sums(by_hand)[users] @ placed.raw_IR.T / raw_deviation_B1
    term_I = by_hand.observed_popularity_I if which == "graph" else placed.popularity_I
    vectors_ID = (
        by_hand.graph(MIXTURE) if which == "graph" else by_hand.without_edges(MIXTURE, own_features=which == "content")
    )
    np.testing.assert_allclose(query_BD @ vectors_ID.T, 0.6 * learned_BI + 0.4 * raw_BI + 0.5 * term_I, atol=1e-5)
    assert query_BD.dtype == vectors_ID.dtype == np.float32


def test_with_popularity_off_the_average_user_is_taken_out_of_both_parts(by_hand):
    taught_ID = 0.75 * by_hand.z_ID + 0.25 * by_hand.folded_ID
    everybody = np.arange(NUM_USERS - 1)
    query_BD = by_hand.queries(everybody, MIXTURE, by_hand.scale(MIXTURE), popularity=False)
    learned_BI, raw_BI = (
        unit(by_hand.q_UD[everybody] @ taught_ID.T),
        unit(raw_sums(by_hand)[everybody] @ by_hand.unseen.raw_IR.T),
    )
    expected_BI = 0.6 * (learned_BI - learned_BI.mean(axis=0)) + 0.4 * (raw_BI - raw_BI.mean(axis=0))
    np.testing.assert_allclose(query_BD @ by_hand.graph(MIXTURE).T, expected_BI, atol=1e-5)


@pytest.mark.parametrize("own_features", [True, False])
def test_vectors_of_some_items_are_theirs_among_those_of_all(by_hand, own_features):
    items = np.array([9, 2, 4])
    some_ND = by_hand.without_edges(MIXTURE, items, own_features)
    np.testing.assert_array_equal(some_ND, by_hand.without_edges(MIXTURE, own_features=own_features)[items])


@pytest.fixture
def fit(view, popularity):
    """Of any features, and of what an encoder might have said."""
    rng = np.random.default_rng(3)
    x_IF = rng.normal(size=(NUM_ITEMS, 5))
    x_IF /= np.linalg.norm(x_IF, axis=1, keepdims=True)
    q_UD, z_ID, folded_ID = (rng.normal(size=(n, DIM)).astype(np.float32) for n in (NUM_USERS, NUM_ITEMS, NUM_ITEMS))

    def placer(blocks, settings):
        return Placer(KernelRidge.of(blocks, WARM, settings, seed=0), popularity)

    def fitted(x_IF=x_IF, q_UD=q_UD, z_ID=z_ID, raw_dim=RAW_DIM, site_IR=None):
        blocks = FeatureBlocks(x_IF.astype(np.float32), {"x": slice(0, 5)})
        elsewhere = None
        if site_IR is not None:
            wide_IF = np.hstack([blocks.x_IF, site_IR]).astype(np.float32)
            wide = FeatureBlocks(wide_IF, {"x": slice(0, 5), "site:b": slice(5, 5 + site_IR.shape[1])})
            elsewhere = placer(wide, WIDE_SETTINGS)
        encoded = Encoded(z_ID, q_UD, np.zeros((1, NUM_ITEMS, DIM), dtype=np.float32))
        return Parts.fit(placer(blocks, SETTINGS), elsewhere, encoded, folded_ID, view, raw_dim, seed=0)

    fitted.x_IF, fitted.q_UD, fitted.z_ID = x_IF, q_UD, z_ID
    return fitted


def content(parts):
    """c, of every item."""
    return parts.without_edges(MIXTURE, own_features=True)


def same(one, other, items=slice(None)):
    for name in ("z_ID", "folded_ID"):
        np.testing.assert_array_equal(getattr(one, name)[items], getattr(other, name)[items], err_msg=name)
    for placed in ("content", "unseen"):
        for name in ("z_ID", "folded_ID", "raw_IR", "popularity_I"):
            arrays = (getattr(getattr(each, placed), name)[items] for each in (one, other))
            np.testing.assert_array_equal(*arrays, err_msg=f"{placed} {name}")
    for users in (one.known_users, np.array([3])):
        scales = one.scale(MIXTURE), other.scale(MIXTURE)
        queries = (each.queries(users, MIXTURE, scale) for each, scale in zip((one, other), scales, strict=True))
        np.testing.assert_array_equal(*queries)


def test_what_stands_for_the_graph_is_the_ridges_prediction_from_the_warm_items(fit):
    parts, x_IF = fit(), fit.x_IF
    inner_II = x_IF @ x_IF.T
    k_II = 1.5 * inner_II + 0.5 * np.exp(3 * (inner_II - 1)) + 0.2
    hat_IR = k_II[:, WARM] @ np.linalg.inv(k_II[np.ix_(WARM, WARM)] + 2.0 * np.eye(len(WARM)))
    np.testing.assert_allclose(parts.content.z_ID, hat_IR @ parts.z_ID[WARM], atol=1e-4)
    np.testing.assert_allclose(parts.content.folded_ID, hat_IR @ parts.folded_ID[WARM], atol=1e-4)


def test_z_and_fold_in_are_brought_to_scores_that_vary_alike(fit):
    parts = fit()
    for vectors_ID in (parts.z_ID, parts.folded_ID):
        score_UR = parts.q_UD[:-1] @ vectors_ID[WARM].T
        assert np.sqrt(score_UR.var(axis=1).mean()) == pytest.approx(1, rel=1e-4)
    ratio_ID = parts.z_ID / fit.z_ID
    np.testing.assert_allclose(ratio_ID, ratio_ID[0, 0], rtol=1e-4)


def test_a_users_raw_vector_is_the_sum_of_their_items_each_once(fit, matrix):
    parts = fit()
    assert parts.unseen.raw_IR.shape == (NUM_ITEMS, RAW_DIM)
    alone = Mixture(raw_share=1.0, popularity_weight=0.0)
    for user in np.flatnonzero(np.diff(matrix.indptr)):
        expected_R = parts.unseen.raw_IR[np.flatnonzero(matrix[[user]].toarray())].sum(axis=0)
        found_R = parts.queries(np.array([user]), alone, parts.scale(alone))[0, DIM:-1]
        np.testing.assert_allclose(
            found_R / np.linalg.norm(found_R), expected_R / np.linalg.norm(expected_R), atol=1e-5
        )


def test_what_the_encoder_says_of_items_without_an_edge_and_users_without_history_changes_nothing(fit):
    z_ID, q_UD = fit.z_ID.copy(), fit.q_UD.copy()
    z_ID[COLD], q_UD[-1] = 100, 100
    one, other = fit(), fit(z_ID=z_ID, q_UD=q_UD)
    same(one, other, WARM)
    np.testing.assert_array_equal(content(one), content(other))
    z_ID[WARM[0]] = 100  # the check can fail
    assert not np.array_equal(content(one), content(fit(z_ID=z_ID)))


def test_features_of_an_item_without_an_edge_change_its_own_content_and_nothing_else(fit):
    x_IF = fit.x_IF.copy()
    x_IF[COLD[1]] *= -1
    one, other = fit(), fit(x_IF=x_IF)
    same(one, other, np.arange(NUM_ITEMS) != COLD[1])
    assert not np.array_equal(content(one)[COLD[1]], content(other)[COLD[1]])


def test_without_a_raw_block_vectors_are_learned_numbers_and_popularity(fit):
    parts, alone = fit(raw_dim=0), MIXTURE.model_copy(update={"raw_share": 0.0})
    assert parts.graph(alone).shape == parts.without_edges(alone).shape == (NUM_ITEMS, DIM + 1)
    assert parts.queries(np.arange(NUM_USERS), alone, parts.scale(alone)).shape == (NUM_USERS, DIM + 1)


def test_the_fixture_tells_one_array_from_another(by_hand):
    """Swapping what is taught and what is predicted shows, as does one prediction for the other."""
    taught = replace(by_hand.content, z_ID=by_hand.z_ID, folded_ID=by_hand.folded_ID)
    for other in (taught, by_hand.unseen):
        assert not np.array_equal(content(replace(by_hand, content=other)), content(by_hand))


@pytest.fixture
def site_IR():
    """Directions that another site tells of all but three items, two of them without an edge here."""
    site_IR = np.random.default_rng(4).normal(size=(NUM_ITEMS, 3)) / 2
    site_IR[[WARM[2], COLD[0], COLD[3]]] = 0
    return site_IR.astype(np.float32)


def wide_kernel(x_IF, site_IR, known_IR=None):
    """Rows of items with these directions, columns of items with those of `known_IR`."""
    inner_II, there_II = x_IF @ x_IF.T, site_IR @ (site_IR if known_IR is None else known_IR).T
    return 0.4 * inner_II + 0.1 * np.exp(3 * (inner_II - 1)) + 1.2 * there_II + 0.3 * np.exp(3 * (there_II - 1)) + 0.1


def test_what_other_sites_know_is_placed_by_the_ridge_over_their_blocks_too(fit, site_IR):
    parts = fit(site_IR=site_IR)
    k_II = wide_kernel(fit.x_IF, site_IR)
    hat_IR = k_II[:, WARM] @ np.linalg.inv(k_II[np.ix_(WARM, WARM)] + 1.0 * np.eye(len(WARM)))
    known_I = site_IR.any(axis=1)
    np.testing.assert_allclose(parts.unseen.z_ID[known_I], (hat_IR @ parts.z_ID[WARM])[known_I], atol=1e-4)
    np.testing.assert_allclose(parts.unseen.folded_ID[known_I], (hat_IR @ parts.folded_ID[WARM])[known_I], atol=1e-4)
    assert np.median(np.abs(parts.unseen.z_ID - parts.content.z_ID)[known_I]) > 0.1  # the check can fail


def test_what_other_sites_do_not_know_is_placed_as_its_own_features_say_bit_for_bit(fit, site_IR):
    parts, alone = fit(site_IR=site_IR), fit()
    unknown = np.flatnonzero(~site_IR.any(axis=1))
    for name in ("z_ID", "folded_ID", "popularity_I"):
        np.testing.assert_array_equal(getattr(parts.content, name), getattr(alone.content, name), err_msg=name)
    for name in ("z_ID", "folded_ID", "raw_IR", "popularity_I"):
        arrays = (getattr(placed, name)[unknown] for placed in (parts.unseen, parts.content))
        np.testing.assert_array_equal(*arrays, err_msg=name)
    vectors_ND = parts.without_edges(MIXTURE, unknown)
    np.testing.assert_array_equal(vectors_ND, content(parts)[unknown])


def test_the_raw_block_of_content_is_that_of_items_nobody_touched_anywhere(fit, site_IR, view):
    """Inner products are what the ridge on the raw columns predicts: of an item from its features alone, from others
    with all that is known of them."""
    parts = fit(site_IR=site_IR, raw_dim=NUM_ITEMS)
    told_II, untold_II = wide_kernel(fit.x_IF, site_IR), wide_kernel(fit.x_IF, 0 * site_IR, site_IR)
    inverse_RR = np.linalg.inv(told_II[np.ix_(WARM, WARM)] + 1.0 * np.eye(len(WARM)))
    history_UR = (view.own_UI.toarray() > 0)[:, WARM]
    assert not np.allclose(told_II, untold_II, atol=0.1)
    for k_II, placed in ((told_II, parts.unseen), (untold_II, parts.content)):
        score_UI = raw_sums(parts) @ placed.raw_IR.T
        np.testing.assert_allclose(score_UI, history_UR @ inverse_RR @ k_II[:, WARM].T, atol=1e-3)
