"""Graphs for PyG, out of a run and in as a dataset."""

import numpy as np
import pytest
import torch
from torch_geometric.data import HeteroData

from graphrec.errors import GraphRecError
from graphrec.export.pyg import from_hetero_data, to_hetero_data
from graphrec.features.own import join_own_vectors


@pytest.mark.parametrize("x", ["content", "served"])
def test_nodes_and_edges_carry_the_runs_vectors_and_ids(loaded, x):
    data = to_hetero_data(loaded, x)
    data.validate()
    expected = loaded.model_.content_ID if x == "content" else loaded.model_.served_ID
    assert data["item"].x.dtype == torch.float32
    assert data["item"].x.numpy().tobytes() == np.ascontiguousarray(expected).tobytes()
    user_E, item_E = data["user", "interacts", "item"].edge_index.numpy()
    pairs = {(data["user"].user_id[u], data["item"].item_id[i]) for u, i in zip(user_E, item_E, strict=True)}
    inter = loaded.train_.interactions
    assert pairs == {
        (loaded.train_.user_ids[u], loaded.train_.catalogue.item_ids[i])
        for u, i in zip(inter.user_index_E, inter.item_index_E, strict=True)
    }
    back = data["item", "interacted_by", "user"].edge_index.numpy()
    assert set(zip(*back[::-1], strict=True)) == set(zip(user_E, item_E, strict=True))


def test_a_graph_becomes_the_dataset_that_it_came_from(loaded):
    data = from_hetero_data(to_hetero_data(loaded), vectors="learned")
    assert data.catalogue.item_ids.tolist() == loaded.train_.catalogue.item_ids.tolist()
    assert data.user_ids.tolist() == loaded.train_.user_ids.tolist()
    difference = data.interactions.user_item_matrix() - loaded.train_.interactions.user_item_matrix()
    assert not difference.data.any()
    modality, strangers = join_own_vectors("learned", data.own_vectors["learned"], data.catalogue)
    assert strangers == 0
    assert modality.x_IF.tobytes() == np.ascontiguousarray(loaded.model_.content_ID).tobytes()


def graph():
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 2, 3
    data["user", "interacts", "item"].edge_index = torch.tensor([[0, 1, 1], [2, 0, 2]])
    return data


def test_a_graph_by_somebody_else_needs_neither_ids_nor_vectors():
    data = from_hetero_data(graph())
    assert data.catalogue.item_ids.tolist() == ["0", "1", "2"]
    assert data.interactions.user_item_matrix().toarray().tolist() == [[0, 0, 1], [1, 0, 1]]
    assert data.own_vectors == {}
    given = graph()
    given["item"].x = torch.tensor([[1.0, 2], [0, 0], [float("nan"), 1]], dtype=torch.float64)
    given["item"].item_id = ["a", "b", "c"]
    own = from_hetero_data(given).own_vectors["x"]
    assert (own.ids.tolist(), own.x_RF.tolist(), own.x_RF.dtype) == (["a"], [[1, 2]], np.float32)


def test_ids_that_are_not_the_nodes_are_refused():
    data = graph()
    data["item"].item_id = ["a", "b", "a"]
    with pytest.raises(GraphRecError, match="The graph has 3 items and 2 different ids of theirs"):
        from_hetero_data(data)
