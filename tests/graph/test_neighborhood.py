import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.errors import GraphRecError
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.neighborhood import neighborhood


@pytest.fixture
def small():
    """3 users × 4 items. u0: i0 (2), i1 (1); u1: i0 (1), i1 (3), i2 (1); u2: i2 (1). i3 is untouched."""
    return InteractionGraph.from_matrix(
        sp.csr_matrix(np.array([[2, 1, 0, 0], [1, 3, 1, 0], [0, 0, 1, 0]], dtype=np.float32))
    )


def test_one_hop_around_an_item_is_the_item_and_its_users(small):
    view = neighborhood(
        small, item_index=0, hops=1, item_ids=np.array(["a", "b", "c", "d"]), user_ids=np.array(["x", "y", "z"])
    )
    assert dict(view.nodes(data=True)) == {
        ("item", 0): {"kind": "item", "index": 0, "id": "a", "degree": 2, "hop": 0},
        ("user", 0): {"kind": "user", "index": 0, "id": "x", "degree": 2, "hop": 1},
        ("user", 1): {"kind": "user", "index": 1, "id": "y", "degree": 3, "hop": 1},
    }
    assert sorted(view.edges(data="weight")) == [(("item", 0), ("user", 0), 2.0), (("item", 0), ("user", 1), 1.0)]


def test_hops_reach_further_and_close_circles(small):
    view = neighborhood(small, user_index=0, hops=2)
    assert set(view) == {("user", 0), ("item", 0), ("item", 1), ("user", 1)}
    assert view.number_of_edges() == 4
    assert set(neighborhood(small, user_index=0, hops=4)) == set(view) | {("item", 2), ("user", 2)}


def test_the_heaviest_edges_stay_and_ties_go_to_the_lowest_index(small):
    assert list(neighborhood(small, user_index=1, hops=1, max_neighbors=1)) == [("user", 1), ("item", 1)]
    assert list(neighborhood(small, user_index=1, hops=1, max_neighbors=2)) == [("user", 1), ("item", 1), ("item", 0)]


def test_an_untouched_item_stands_alone(small):
    view = neighborhood(small, item_index=3)
    assert list(view) == [("item", 3)]
    assert view.nodes["item", 3]["degree"] == 0


@pytest.mark.parametrize("start", [{}, {"item_index": 0, "user_index": 0}, {"item_index": 4}, {"user_index": -1}])
def test_a_start_that_is_not_one_node_is_refused(small, start):
    with pytest.raises(GraphRecError):
        neighborhood(small, **start)
