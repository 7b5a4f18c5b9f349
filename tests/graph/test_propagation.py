import numpy as np
import pytest

from graphrec.graph.propagation import propagate


@pytest.mark.parametrize(("kind", "count"), [("item", 30), ("user", 45)])
@pytest.mark.parametrize("hops", [0, 1, 2, 3])
def test_propagation_equals_the_dense_formula(graph, kind, count, hops):
    touched = graph.items_of_user.matrix(weighted=False).toarray()
    root = [np.sqrt(np.maximum(touched.sum(axis=axis), 1)) for axis in (1, 0)]
    normalised = touched / root[0][:, None] / root[1]
    step = {"item": normalised, "user": normalised.T}
    x = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    expected, side = x, kind
    for _ in range(hops):
        expected = step[side] @ expected
        side = "user" if side == "item" else "item"
    got = propagate(graph, x, kind, hops)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_an_untouched_node_receives_nothing_and_the_input_stays(graph):
    x = np.ones((30, 2), dtype=np.float32)
    assert (propagate(graph, x, "item", 2)[28:] == 0).all()
    assert (x == 1).all()


def test_the_square_root_of_the_degree_is_a_fixed_point(graph):
    """sqrt(d) is the eigenvector of the symmetric-normalised adjacency with eigenvalue 1."""
    items = np.sqrt(graph.item_degree).astype(np.float32)[:, None]
    np.testing.assert_allclose(propagate(graph, items, "item", 1)[:, 0], np.sqrt(graph.user_degree), rtol=1e-5)
    np.testing.assert_allclose(propagate(graph, items, "item", 6), items, rtol=1e-5)


def test_vectors_of_the_wrong_kind_are_refused(graph):
    with pytest.raises(ValueError, match="one vector per user, 45, got 30"):
        propagate(graph, np.ones((30, 2), dtype=np.float32), "user", 1)
