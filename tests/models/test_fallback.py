import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphrec.models.fallback import Source, gate, serve, sources

ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)
USUAL = st.floats(-1e6, 1e6, width=32)
half_degrees = st.floats(0, 1e4)


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


@st.composite
def worlds(draw):
    """Graph vectors of new items may hold anything; those of touched ones and all content are finite."""
    num_items, dim = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    degree_I = draw(arrays(np.int64, num_items, elements=st.integers(0, 3) | st.integers(0, 10**9)))
    content_ID = draw(arrays(np.float32, (num_items, dim), elements=USUAL | st.just(-0.0)))
    wild_ID = draw(arrays(np.float32, (num_items, dim), elements=ANY))
    tame_ID = draw(arrays(np.float32, (num_items, dim), elements=USUAL))
    return np.where(degree_I[:, None] == 0, wild_ID, tame_ID), content_ID, degree_I


@pytest.mark.filterwarnings("ignore:invalid value")
@given(world=worlds(), half_degree=half_degrees)
def test_an_item_without_an_edge_is_served_its_content_bit_for_bit(world, half_degree):
    graph_ID, content_ID, degree_I = world
    served_ID = serve(graph_ID, content_ID, degree_I, half_degree)
    new = degree_I == 0
    np.testing.assert_array_equal(bits(served_ID[new]), bits(content_ID[new]))
    assert served_ID.dtype == np.float32
    assert np.isfinite(served_ID[~new]).all()


def test_minus_zero_and_a_signalling_nan_survive():
    content_ID = np.array([[-0.0, 1.0], [2.0, -0.0]], dtype=np.float32)
    bits(content_ID)[0, 1] = 0x7FA00001
    graph_ID = np.array([[np.inf, np.nan], [-np.inf, np.inf]], dtype=np.float32)
    with np.errstate(all="ignore"):
        served_ID = serve(graph_ID, content_ID, np.array([0, 0]), 2.0)
    np.testing.assert_array_equal(bits(served_ID), bits(content_ID))


@given(world=worlds(), half_degree=half_degrees)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_touched_item_lies_between_content_and_graph(world, half_degree):
    graph_ID, content_ID, degree_I = world
    served_ID = serve(graph_ID, content_ID, degree_I, half_degree)
    touched = degree_I > 0
    low_ID = np.minimum(graph_ID, content_ID)[touched]
    high_ID = np.maximum(graph_ID, content_ID)[touched]
    slack_ID = 1e-5 * np.maximum(np.abs(low_ID), np.abs(high_ID)) + 1e-6
    assert ((served_ID[touched] >= low_ID - slack_ID) & (served_ID[touched] <= high_ID + slack_ID)).all()


def test_blending_by_hand():
    """Half degree 2: shares 0, 1/3, 1/2 and 3/4 of the graph."""
    graph_ID, content_ID = np.full((4, 1), 12, dtype=np.float32), np.zeros((4, 1), dtype=np.float32)
    served_ID = serve(graph_ID, content_ID, np.array([0, 1, 2, 6]), 2.0)
    np.testing.assert_allclose(served_ID[:, 0], [0, 4, 6, 9], rtol=1e-6)


@given(half_degree=half_degrees, degrees=st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_the_gate_starts_at_zero_rises_and_stays_within_one(half_degree, degrees):
    g = gate(np.array(sorted([0, *degrees])), half_degree)
    assert g[0] == 0
    assert g.dtype == np.float32
    assert (np.diff(g) >= 0).all()
    assert (g <= 1).all()


@pytest.mark.parametrize("half_degree", [0.0, 0.5, 30.0])
def test_the_gate_is_a_half_at_the_half_degree_and_goes_to_one(half_degree):
    assert gate(np.array([10**9]), half_degree)[0] == pytest.approx(1, abs=1e-6)
    assert gate(np.array([1]), 0.0)[0] == 1
    assert gate(np.array([30]), 30.0)[0] == 0.5


def test_an_item_never_changes_the_vector_of_another():
    rng = np.random.default_rng(0)
    graph_ID, content_ID = rng.normal(size=(2, 9, 3)).astype(np.float32)
    degree_I = np.array([0, 1, 2, 0, 5, 9, 0, 3, 1])
    served_ID = serve(graph_ID, content_ID, degree_I, 2.0)
    alone_ID = np.concatenate([serve(graph_ID[[i]], content_ID[[i]], degree_I[[i]], 2.0) for i in range(9)])
    np.testing.assert_array_equal(alone_ID, served_ID)


def test_sources_say_what_a_vector_is_made_of():
    degree_I = np.array([0, 1, 8, 9, 1000])
    named = sources(degree_I, 1.0, 0 * degree_I)
    assert named.tolist() == ["content", "blend", "blend", "graph", "graph"]
    assert all(type(name) is str for name in named)
    assert sources(degree_I, 0.0, 0 * degree_I).tolist() == ["content", "graph", "graph", "graph", "graph"]
    assert sources(degree_I, 1e9, 0 * degree_I).tolist() == ["content", "blend", "blend", "blend", "blend"]
    assert Source.CONTENT == "content"


def test_an_item_that_is_new_here_and_known_elsewhere_is_called_so_and_one_with_an_edge_here_is_not():
    named = sources(np.array([0, 0, 1, 1000]), 1.0, np.array([0, 3, 3, 3]))
    assert named.tolist() == ["content", "cross-site", "blend", "graph"]
