"""A run as PyG's `HeteroData`, and such a graph as a dataset."""

from typing import Literal

import numpy as np
import torch
from torch_geometric.data import HeteroData

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.recommender import Recommender


def to_hetero_data(model: Recommender, x: Literal["content", "served"] = "content") -> HeteroData:
    """The training graph with the run's vectors and ids, all as `InteractionGraph.to_hetero_data` orders them.

    `data["item"].x` is float32 (I, D): "content" says nothing of who touched an item, which is what a model that is to
    learn that from the edges should start from; "served" is what `recall` searches. `data["item"].item_id` and
    `data["user"].user_id` are lists of ids in the order of the nodes.
    """
    vectors_ID = model.model_.content_ID if x == "content" else model.model_.served_ID
    data = model.graph.to_hetero_data(torch.from_numpy(np.array(vectors_ID)))
    data["item"].item_id = model.train_.catalogue.item_ids.tolist()
    data["user"].user_id = model.train_.user_ids.tolist()
    return data


def from_hetero_data(data: HeteroData, vectors: str = "x", name: str = "graph") -> Dataset:
    """A dataset of such a graph: ids, one event per edge with its weight, and `item.x` as own vectors named `vectors`.

    Rows of zeros, or with nan, count as items without a vector. Where ids are missing the nodes' numbers are taken, as
    text. Raises GraphRecError where edges or numbers of nodes are missing, or ids are not as many as nodes.
    """
    graph = InteractionGraph.from_hetero_data(data)
    item_ids = _ids(data, "item", graph.num_items)
    empty_I = np.full(graph.num_items, "", dtype=object)
    edges = graph.items_of_user
    interactions = Interactions(
        num_users=graph.num_users,
        num_items=graph.num_items,
        user_index_E=edges.rows,
        item_index_E=edges.indices_E,
        weight_E=edges.weight_E,
        timestamp_E=np.full(graph.num_edges, np.nan),
        site_index_E=np.full(graph.num_edges, -1, dtype=np.int64),
    )
    return Dataset(
        name=name,
        catalogue=Catalogue(item_ids, empty_I, empty_I, empty_I, None, empty_I, Attributes()),
        user_ids=_ids(data, "user", graph.num_users),
        site_names=(),
        interactions=interactions,
        own_vectors=_own_vectors(data, item_ids, vectors),
    )


def _ids(data: HeteroData, kind: str, num_nodes: int) -> np.ndarray:
    given = data[kind].get(f"{kind}_id", range(num_nodes))
    ids = np.array([str(one) for one in given], dtype=object)
    if len(ids) != num_nodes or len(set(ids)) != num_nodes:
        raise GraphRecError(
            f"The graph has {num_nodes} {kind}s and {len(set(ids))} different ids of theirs: give each its own in "
            f'data["{kind}"].{kind}_id.'
        )
    return ids


def _own_vectors(data: HeteroData, item_ids: np.ndarray, name: str) -> dict[str, OwnVectors]:
    if "x" not in data["item"]:
        return {}
    x_IF = data["item"].x.detach().cpu().numpy().astype(np.float32)
    has_any_I = x_IF.any(axis=1) & np.isfinite(x_IF).all(axis=1)
    return {name: OwnVectors(item_ids[has_any_I], x_IF[has_any_I])}
