"""A small piece of the graph around one node, as a networkx graph: for explanations and pictures."""

import networkx as nx
import numpy as np

from graphrec.errors import GraphRecError
from graphrec.graph.interaction_graph import InteractionGraph, NodeKind, other_kind


def neighborhood(
    graph: InteractionGraph,
    *,
    item_index: int | None = None,
    user_index: int | None = None,
    hops: int = 2,
    max_neighbors: int = 10,
    item_ids: np.ndarray | None = None,
    user_ids: np.ndarray | None = None,
) -> nx.Graph:
    """Everything within `hops` of one item or one user, each node expanded to at most `max_neighbors` neighbours.

    Where a node has more, those of its heaviest edges stay, the lowest index first among equals. A node is named
    (kind, index) and has the attributes `kind`, `index`, `id` (the index as a string where no ids are given), `degree`
    (in the whole graph) and `hop` (0 at the start); an edge has `weight`. Raises GraphRecError unless exactly one start
    is given that exists.
    """
    if (item_index is None) == (user_index is None):
        raise GraphRecError("Expected exactly one of item_index and user_index as the start of a neighborhood.")
    kind: NodeKind = "user" if item_index is None else "item"
    start = user_index if item_index is None else item_index
    if start is None or not 0 <= start < graph.adjacency(kind).num_rows:
        raise GraphRecError(f"There is no {kind} with index {start}: expected 0..{graph.adjacency(kind).num_rows - 1}.")

    ids = {"item": item_ids, "user": user_ids}
    view = nx.Graph()
    _add_node(view, graph, kind, start, ids[kind], hop=0)
    frontier = [start]
    for hop in range(1, hops + 1):
        neighbor_kind, reached = other_kind(kind), []
        for index in frontier:
            for neighbor, weight in _heaviest(graph, kind, index, max_neighbors):
                if (neighbor_kind, neighbor) not in view:
                    _add_node(view, graph, neighbor_kind, neighbor, ids[neighbor_kind], hop)
                    reached.append(neighbor)
                view.add_edge((kind, index), (neighbor_kind, neighbor), weight=weight)
        kind, frontier = neighbor_kind, reached
    return view


def _add_node(
    view: nx.Graph, graph: InteractionGraph, kind: NodeKind, index: int, ids: np.ndarray | None, hop: int
) -> None:
    name = str(index if ids is None else ids[index])
    degree = int(np.diff(graph.adjacency(kind).indptr[index : index + 2])[0])
    view.add_node((kind, index), kind=kind, index=index, id=name, degree=degree, hop=hop)


def _heaviest(graph: InteractionGraph, kind: NodeKind, index: int, count: int) -> list[tuple[int, float]]:
    """The (neighbour, weight) of a node's heaviest edges."""
    adjacency = graph.adjacency(kind)
    weights = adjacency.weight_E[adjacency.indptr[index] : adjacency.indptr[index + 1]]
    order = np.argsort(-weights, kind="stable")[:count]  # neighbours are sorted, so a stable sort breaks ties by index
    return list(zip(adjacency.neighbors(index)[order].tolist(), weights[order].tolist(), strict=True))
