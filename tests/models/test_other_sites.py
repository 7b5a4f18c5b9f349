from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.other_sites import (
    SHRINKAGE,
    counted_vectors,
    is_present,
    site_vectors,
    with_other_sites,
    without_other_sites,
)

SHAPES = [(400, 60), (60, 400), (200, 200), (7, 30), (30, 7)]


def log(num_users, num_items, weighted=False, seed=0):
    """Users × items; every fifth item and every seventh user have nothing."""
    rng = np.random.default_rng(seed)
    dense_UI = (rng.random((num_users, num_items)) < 0.15) * (
        rng.choice([0.4, 1.0], (num_users, num_items)) ** weighted
    )
    dense_UI[:, ::5] = dense_UI[::7] = 0
    dense_UI[1, 1] = 1
    return sp.csr_matrix(dense_UI.astype(np.float32))


def cosines(matrix_UI):
    """The formula that the module opens with, dense."""
    dense_UI = matrix_UI.toarray().astype(np.float64)
    common_II = dense_UI.T @ dense_UI
    length_I = np.sqrt(common_II.diagonal() + SHRINKAGE)
    return common_II / length_I[:, None] / length_I


def products(vectors_IR):
    return vectors_IR.astype(np.float64) @ vectors_IR.T


def of_rank(symmetric_II, rank):
    """The best approximation of this rank (Eckart and Young)."""
    value_I, vector_II = np.linalg.eigh(symmetric_II)
    return (vector_II[:, -rank:] * value_I[-rank:]) @ vector_II[:, -rank:].T


def test_by_hand():
    """Items 0 and 1 share two of three and two people, item 2 has another one, item 3 nobody."""
    matrix_UI = sp.csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]], dtype=np.float32))
    expected_II = np.diag([3 / 13, 2 / 12, 1 / 11, 0])
    expected_II[0, 1] = expected_II[1, 0] = 2 / np.sqrt(13 * 12)
    np.testing.assert_allclose(products(site_vectors(matrix_UI, 99, 0)), expected_II, atol=1e-6)
    np.testing.assert_allclose(products(counted_vectors(matrix_UI.T @ matrix_UI, 99, 0)), expected_II, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_with_room_enough_inner_products_are_the_shrunk_cosines(shape, weighted):
    matrix_UI = log(*shape, weighted=weighted)
    vectors_IR = site_vectors(matrix_UI, 10_000, 0)
    assert vectors_IR.shape[1] <= min(shape)
    assert vectors_IR.dtype == np.float32
    np.testing.assert_allclose(products(vectors_IR), cosines(matrix_UI), atol=1e-5)


@pytest.mark.parametrize("dim", [3, 10, 40])
@pytest.mark.parametrize("shape", SHAPES[:3])
def test_with_less_room_they_are_the_best_of_that_rank(shape, dim):
    """By the dense solver and the iterative one alike."""
    matrix_UI = log(*shape)
    vectors_IR = site_vectors(matrix_UI, dim, 0)
    assert vectors_IR.shape == (shape[1], dim)
    np.testing.assert_allclose(products(vectors_IR), of_rank(cosines(matrix_UI), dim), atol=1e-5)


@pytest.mark.parametrize("dim", [3, 10, 40, 10_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_counts_say_what_the_log_says(shape, dim):
    matrix_UI = log(*shape)
    counts_II = CooccurrenceCounts.of(matrix_UI, minimum=1).counts_II
    found_II = products(counted_vectors(counts_II, dim, 0))
    np.testing.assert_allclose(found_II, products(site_vectors(matrix_UI, dim, 0)), atol=1e-5)


@pytest.mark.parametrize("dim", [3, 10_000])
def test_counts_that_small_groups_were_left_out_of_stay_finite(dim):
    """They are nobody's any more, and have negative directions: what is left of them is no longer than it may be."""
    counts_II = CooccurrenceCounts.of(log(400, 60), minimum=9).counts_II
    assert np.linalg.eigvalsh(counts_II.toarray())[0] < -1
    vectors_IR = counted_vectors(counts_II, dim, 0)
    assert np.isfinite(vectors_IR).all()
    assert len(np.unique(vectors_IR)) > 60
    np.testing.assert_array_equal(vectors_IR.any(axis=1), counts_II.diagonal() > 0)


def test_counts_without_any_group_large_enough_say_nothing():
    counts_II = CooccurrenceCounts.of(log(30, 7), minimum=1000).counts_II
    assert counted_vectors(counts_II, 5, 0).shape[0] == 7
    assert not counted_vectors(counts_II, 5, 0).any()


@pytest.mark.parametrize("dim", [3, 10, 40, 10_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_item_that_nobody_touched_there_is_zero_not_nearly(shape, dim):
    """Else it would be served as one that people know."""
    untouched = np.arange(0, shape[1], 5)
    for vectors_IR in (
        site_vectors(log(*shape), dim, 0),
        counted_vectors(CooccurrenceCounts.of(log(*shape), 1).counts_II, dim, 0),
    ):
        assert not vectors_IR[untouched].any()
        assert vectors_IR.any()


def test_the_seed_decides_nothing_but_where_the_solver_starts():
    matrix_UI = log(400, 60)
    np.testing.assert_array_equal(site_vectors(matrix_UI, 10, 3), site_vectors(matrix_UI, 10, 3))
    found_II, other_II = (products(site_vectors(matrix_UI, 10, seed)) for seed in (0, 1))
    np.testing.assert_allclose(found_II, other_II, atol=1e-5)


SITE_I = ["here"] * 20 + ["b"] * 20 + ["c"] * 20


@pytest.fixture
def data(dataset_of_sites):
    """Items 0 to 14 are sold on b, 10 to 19 on c; there is more to it elsewhere than here."""
    user, item = np.nonzero(np.random.default_rng(2).random((50, 60)) < 0.2)
    links = [(item, 20 + item, 1.0) for item in range(15)] + [(item, 40 + item, 0.9) for item in range(10, 20)]
    is_free = item != 23  # on b nobody touched what item 3 is
    return dataset_of_sites(SITE_I, zip(user[is_free], item[is_free], strict=True), links, "here", 50)


@pytest.fixture
def blocks():
    return FeatureBlocks(np.random.default_rng(3).normal(size=(60, 4)).astype(np.float32), {"x": slice(0, 4)})


def test_every_other_site_is_a_block_beside_the_others(data, blocks):
    view = SiteView.of(data)
    wide = with_other_sites(blocks, view, 6, 0)
    assert list(wide.columns) == ["x", "site:b", "site:c"]
    np.testing.assert_array_equal(wide.x_IF[:, :4], blocks.x_IF)
    for site in ("b", "c"):
        expected_IR = site_vectors(view.elsewhere[site], 6, 0)
        np.testing.assert_array_equal(wide.x_IF[:, wide.columns[f"site:{site}"]], expected_IR)
    assert wide.x_IF.shape == (60, 4 + 6 + 6)


def test_present_is_what_people_of_some_other_site_touched(data, blocks):
    wide = with_other_sites(blocks, SiteView.of(data), 6, 0)
    np.testing.assert_array_equal(np.flatnonzero(is_present(wide)), np.setdiff1d(np.arange(20), [3]))
    np.testing.assert_array_equal(is_present(wide), SiteView.of(data).degree_elsewhere_I > 0)
    assert not is_present(blocks).any()


def test_without_them_items_are_as_if_nobody_had_touched_them_anywhere(data, blocks):
    wide = with_other_sites(blocks, SiteView.of(data), 6, 0)
    bare = without_other_sites(wide)
    assert bare.columns == wide.columns
    np.testing.assert_array_equal(bare.x_IF[:, :4], blocks.x_IF)
    assert not bare.x_IF[:, 4:].any()
    assert wide.x_IF[:, 4:].any()  # what was given is left as it is


def test_what_is_done_on_the_site_itself_changes_no_block_bit_for_bit(data, blocks):
    inter = data.interactions
    is_here_E = inter.item_index_E < 20
    some = replace(data, interactions=inter.take(~is_here_E | (np.arange(len(inter)) % 3 == 0)))
    added = replace(inter, item_index_E=np.where(is_here_E, inter.item_index_E[::-1] % 20, inter.item_index_E))
    found_IF = with_other_sites(blocks, SiteView.of(data), 6, 0).x_IF
    for other in (some, replace(data, interactions=added)):
        np.testing.assert_array_equal(with_other_sites(blocks, SiteView.of(other), 6, 0).x_IF, found_IF)
    fewer = replace(data, interactions=inter.take(np.arange(len(inter)) % 3 > 0))
    assert not np.array_equal(with_other_sites(blocks, SiteView.of(fewer), 6, 0).x_IF, found_IF)  # the check can fail


def test_without_another_site_the_blocks_are_the_same_ones(data, blocks):
    assert with_other_sites(blocks, SiteView.of(data.for_site(None)), 6, 0) is blocks
