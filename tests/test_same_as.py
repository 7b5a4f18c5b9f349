import numpy as np
import pytest

from graphrec.data.same_as import SameAs


def test_pairs_in_any_order_stand_once_with_their_larger_weight():
    same_as = SameAs.of(np.array([3, 0, 1]), np.array([1, 2, 3]), np.array([0.5, 1.0, 0.9]))
    assert same_as.left_P.tolist() == [0, 1]
    assert same_as.right_P.tolist() == [2, 3]
    assert same_as.weight_P.tolist() == pytest.approx([1.0, 0.9])


def test_matrix_is_symmetric_and_empty_on_the_diagonal():
    same_as = SameAs.of(np.array([0]), np.array([2]), np.array([0.25]))
    assert same_as.matrix(3).toarray().tolist() == [[0, 0, 0.25], [0, 0, 0], [0.25, 0, 0]]


def test_linked_items_are_one_product_however_many_steps_apart():
    same_as = SameAs.of(np.array([0, 2]), np.array([2, 4]), np.array([1.0, 0.8]))
    product_I = same_as.product_of_item(5)
    assert product_I[0] == product_I[2] == product_I[4]
    assert len(set(product_I.tolist())) == 3


def test_without_pairs_every_item_is_a_product_of_its_own():
    assert SameAs.none().product_of_item(3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("one", "other", "weight"), [([1], [1], [1.0]), ([0], [1], [0.0]), ([0], [1], [1.5]), ([0], [1], [np.nan])]
)
def test_pairs_that_cannot_be_are_refused(one, other, weight):
    with pytest.raises(ValueError, match="Expected"):
        SameAs.of(np.array(one), np.array(other), np.array(weight))


def test_where_else_an_item_is_sold_is_told_of_the_target_sites_items_alone():
    site_I = np.array(["a", "a", "a", "b", "b", "c"], dtype=object)
    same_as = SameAs.of(np.array([0, 0, 4]), np.array([3, 5, 1]), np.ones(3))
    beside = same_as.sites_beside(site_I, "a")
    assert {site: one.tolist() for site, one in beside.items()} == {
        "b": ["yes", "yes", "no", "", "", ""],
        "c": ["yes", "no", "no", "", "", ""],
    }
    assert same_as.sites_beside(site_I, None) == {}


def test_a_site_that_sells_everything_tells_nothing():
    site_I = np.array(["a", "a", "b", "b"], dtype=object)
    assert SameAs.of(np.array([0, 1]), np.array([2, 3]), np.ones(2)).sites_beside(site_I, "a") == {}
