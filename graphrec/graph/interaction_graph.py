"""The bipartite user-item graph, in both directions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch_geometric.data import HeteroData

from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.graph.adjacency import Adjacency

NodeKind = Literal["user", "item"]
EdgeType = tuple[str, str, str]

INTERACTS: EdgeType = ("user", "interacts", "item")
INTERACTED_BY: EdgeType = ("item", "interacted_by", "user")


def other_kind(kind: NodeKind) -> NodeKind:
    """The kind of a node's neighbours."""
    return "item" if kind == "user" else "user"


def edge_type_into(kind: NodeKind) -> EdgeType:
    """The edge type whose messages end in nodes of this kind."""
    return INTERACTS if kind == "item" else INTERACTED_BY


@dataclass(frozen=True)
class InteractionGraph:
    """Users and items joined by what the users did: one edge per distinct pair, weighted by the pair's summed weight.

    Both directions hold the same edges: `items_of_user` (users × items) and `users_of_item` (items × users).
    Raises ValueError where their sizes disagree.
    """

    items_of_user: Adjacency
    users_of_item: Adjacency

    def __post_init__(self) -> None:
        users, items = self.items_of_user, self.users_of_item
        if (users.num_rows, users.num_columns) != (items.num_columns, items.num_rows) or len(users.indices_E) != len(
            items.indices_E
        ):
            raise ValueError("Expected two directions of one graph, got different numbers of users, items or edges.")

    @classmethod
    def from_matrix(cls, matrix_UI: sp.sparray | sp.spmatrix) -> "InteractionGraph":
        """From a sparse users × items matrix of weights."""
        return cls(Adjacency.from_matrix(matrix_UI), Adjacency.from_matrix(matrix_UI.T))

    @classmethod
    def from_interactions(cls, interactions: Interactions) -> "InteractionGraph":
        """One edge per distinct pair; users and items keep their indices, touched or not."""
        return cls.from_matrix(interactions.user_item_matrix())

    @classmethod
    def from_hetero_data(cls, data: HeteroData) -> "InteractionGraph":
        """From the edges of type ("user", "interacts", "item"), in any order; the other direction mirrors them.

        An absent `edge_weight` means weight 1. Raises GraphRecError where the edge type or a `num_nodes` is missing.
        """
        if INTERACTS not in data.edge_types or any(data[kind].num_nodes is None for kind in ("user", "item")):
            raise GraphRecError(
                f"Cannot read a graph with edge types {data.edge_types}: it needs edges of type {INTERACTS} "
                "and num_nodes for 'user' and 'item'."
            )
        user_E, item_E = data[INTERACTS].edge_index.cpu().numpy()
        weight_E = (
            data[INTERACTS].edge_weight.cpu().numpy() if "edge_weight" in data[INTERACTS] else np.ones(len(user_E))
        )
        shape = (data["user"].num_nodes, data["item"].num_nodes)
        return cls.from_matrix(sp.coo_matrix((weight_E.astype(np.float32), (user_E, item_E)), shape))

    @property
    def num_users(self) -> int:
        """Users, with or without an edge."""
        return self.items_of_user.num_rows

    @property
    def num_items(self) -> int:
        """Items, with or without an edge."""
        return self.users_of_item.num_rows

    @property
    def num_edges(self) -> int:
        """Distinct (user, item) pairs."""
        return len(self.items_of_user.indices_E)

    @property
    def user_degree(self) -> np.ndarray:
        """Distinct items of each user, int64."""
        return self.items_of_user.degree

    @property
    def item_degree(self) -> np.ndarray:
        """Distinct users of each item, int64."""
        return self.users_of_item.degree

    def adjacency(self, kind: NodeKind) -> Adjacency:
        """The direction whose rows are the nodes of this kind."""
        return self.items_of_user if kind == "user" else self.users_of_item

    def without_items(self, mask_I: np.ndarray) -> "InteractionGraph":
        """The graph without any edge of the items where the mask is True; every user and item keeps its index."""
        if mask_I.shape != (self.num_items,) or mask_I.dtype != bool:
            raise ValueError(
                f"Expected a boolean mask of shape ({self.num_items},), got {mask_I.dtype} {mask_I.shape}."
            )
        return InteractionGraph(
            self.items_of_user.keep(~mask_I[self.items_of_user.indices_E]),
            self.users_of_item.keep(~mask_I[self.users_of_item.rows]),
        )

    def to_hetero_data(self, item_x: torch.Tensor | None = None) -> HeteroData:
        """PyG's form, with `num_nodes` of both kinds and `edge_weight` of both edge types.

        The edges of a type are sorted by destination, then source: edge k is edge position k of the destination's
        adjacency, which is what `NeighborSampler` names an edge by. `item_x` (I × F) becomes `data["item"].x`.
        """
        data = HeteroData()
        data["user"].num_nodes = self.num_users
        data["item"].num_nodes = self.num_items
        if item_x is not None:
            if len(item_x) != self.num_items:
                raise ValueError(f"Expected one row per item, {self.num_items}, got {len(item_x)}.")
            data["item"].x = item_x
        kinds: tuple[NodeKind, NodeKind] = ("item", "user")
        for kind in kinds:
            adjacency, edges = self.adjacency(kind), data[edge_type_into(kind)]
            edges.edge_index = torch.from_numpy(np.stack([adjacency.indices_E, adjacency.rows]))
            edges.edge_weight = torch.from_numpy(adjacency.weight_E)
        return data
