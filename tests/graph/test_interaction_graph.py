from collections import Counter

import numpy as np
import pytest
import torch
from torch_geometric.data import HeteroData

from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, InteractionGraph


def weights_by_pair(graph):
    users = graph.items_of_user
    return dict(
        zip(zip(users.rows.tolist(), users.indices_E.tolist(), strict=True), users.weight_E.tolist(), strict=True)
    )


def assert_same_graph(one, two):
    for a, b in ((one.items_of_user, two.items_of_user), (one.users_of_item, two.users_of_item)):
        np.testing.assert_array_equal(a.indptr, b.indptr)
        np.testing.assert_array_equal(a.indices_E, b.indices_E)
        np.testing.assert_array_equal(a.weight_E, b.weight_E)
        assert a.num_columns == b.num_columns


def test_events_of_one_pair_become_one_edge_with_their_summed_weight(events, graph):
    expected = Counter()
    for user, item, weight in zip(events.user_index_E, events.item_index_E, events.weight_E, strict=True):
        expected[int(user), int(item)] += float(weight)
    assert len(expected) < len(events)
    assert weights_by_pair(graph) == dict(expected)
    assert graph.num_edges == len(expected)


def test_both_directions_hold_the_same_edges_sorted_within_a_row(graph):
    items, users = graph.users_of_item, graph.items_of_user
    mirrored = dict(
        zip(zip(items.indices_E.tolist(), items.rows.tolist(), strict=True), items.weight_E.tolist(), strict=True)
    )
    assert mirrored == weights_by_pair(graph)
    for adjacency in (items, users):
        assert adjacency.indptr.dtype == adjacency.indices_E.dtype == np.int64
        assert adjacency.weight_E.dtype == np.float32
        assert all((np.diff(adjacency.neighbors(row)) > 0).all() for row in range(adjacency.num_rows))


def test_degrees_count_distinct_partners_and_keep_the_untouched(events, graph):
    assert (graph.num_users, graph.num_items) == (45, 30)
    np.testing.assert_array_equal(graph.user_degree, events.user_degree())
    np.testing.assert_array_equal(graph.item_degree, events.item_degree())
    assert graph.item_degree[28:].tolist() == [0, 0]


def test_a_graph_without_any_edge_is_a_graph():
    none = np.empty(0, dtype=np.int64)
    graph = InteractionGraph.from_interactions(Interactions.from_pairs(none, none, 4, 3))
    assert (graph.num_users, graph.num_items, graph.num_edges) == (4, 3, 0)
    assert_same_graph(InteractionGraph.from_hetero_data(graph.to_hetero_data()), graph)


def test_hetero_data_round_trip_in_any_edge_order(graph):
    data = graph.to_hetero_data()
    assert data.validate()
    assert (data["user"].num_nodes, data["item"].num_nodes) == (45, 30)
    assert_same_graph(InteractionGraph.from_hetero_data(data), graph)
    shuffled = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(0))
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, shuffled]
    data[INTERACTS].edge_weight = data[INTERACTS].edge_weight[shuffled]
    assert_same_graph(InteractionGraph.from_hetero_data(data), graph)


def test_hetero_data_names_edges_from_source_to_destination(graph):
    data = graph.to_hetero_data(item_x=torch.arange(30.0)[:, None])
    weights = weights_by_pair(graph)
    for edge_type, user_row in ((INTERACTS, 0), (INTERACTED_BY, 1)):
        users, items = data[edge_type].edge_index[user_row], data[edge_type].edge_index[1 - user_row]
        weight = data[edge_type].edge_weight
        assert dict(zip(zip(users.tolist(), items.tolist(), strict=True), weight.tolist(), strict=True)) == weights
    assert data["item"].x[7].item() == 7


def test_item_features_of_another_catalogue_are_refused(graph):
    with pytest.raises(ValueError, match="one row per item, 30, got 29"):
        graph.to_hetero_data(item_x=torch.zeros(29, 2))


def test_hetero_data_of_another_shape_is_refused_in_one_line():
    with pytest.raises(GraphRecError, match="needs edges of type") as error:
        InteractionGraph.from_hetero_data(HeteroData())
    assert "\n" not in str(error.value)


def test_without_items_removes_every_edge_of_the_masked_items_and_no_other(graph):
    mask = np.zeros(30, dtype=bool)
    mask[[0, 5, 28]] = True
    masked = graph.without_items(mask)
    assert weights_by_pair(masked) == {pair: w for pair, w in weights_by_pair(graph).items() if not mask[pair[1]]}
    assert (masked.num_users, masked.num_items) == (45, 30)
    np.testing.assert_array_equal(masked.item_degree, np.where(mask, 0, graph.item_degree))
    assert_same_graph(InteractionGraph.from_hetero_data(masked.to_hetero_data()), masked)


def test_a_mask_over_users_is_refused(graph):
    with pytest.raises(ValueError, match=r"shape \(30,\)"):
        graph.without_items(np.zeros(45, dtype=bool))


def test_positions_find_each_edge_and_say_minus_one_elsewhere(graph):
    adjacency = graph.users_of_item
    item, user = (a.ravel() for a in np.indices((30, 45)))
    expected = {
        pair: e for e, pair in enumerate(zip(adjacency.rows.tolist(), adjacency.indices_E.tolist(), strict=True))
    }
    assert adjacency.positions(item, user).tolist() == [expected.get(pair, -1) for pair in zip(item, user, strict=True)]


def test_adjacencies_that_do_not_fit_are_refused(graph):
    with pytest.raises(ValueError, match="two directions of one graph"):
        InteractionGraph(graph.items_of_user, graph.items_of_user)
    ones = np.ones(2, dtype=np.float32)
    with pytest.raises(ValueError, match="indptr"):
        Adjacency(np.array([0, 1]), np.array([0, 1]), ones, 3)
    with pytest.raises(ValueError, match="neighbour indices"):
        Adjacency(np.array([0, 2]), np.array([0, 3]), ones, 3)
    with pytest.raises(ValueError, match="weights"):
        Adjacency(np.array([0, 2]), np.array([0, 2]), ones[:1], 3)
