"""Neighbour sampling for GraphSAGE (Hamilton et al. 2017, algorithm 2).

Drives PyG's `NodeLoader` and `LinkLoader` from a plain install. PyG's own sampler needs a compiled extension, cannot
leave out the edges being predicted, and takes its randomness from a global; where the extension is installed, a test
compares the two distributions.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import get_worker_info
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    HeteroSamplerOutput,
    NegativeSampling,
    NodeSamplerInput,
)
from torch_geometric.sampler.neighbor_sampler import edge_sample, node_sample

from graphrec.errors import GraphRecError
from graphrec.graph.allowed_edges import AllowedEdges
from graphrec.graph.interaction_graph import INTERACTS, InteractionGraph, NodeKind, edge_type_into, other_kind
from graphrec.graph.uniform import subsets

KINDS: tuple[NodeKind, NodeKind] = ("user", "item")


class NeighborSampler(BaseSampler):
    """Draws up to `fanouts[h]` neighbours of every node at hop h, uniformly without replacement.

    `fanouts` starts with the hop nearest to the seeds and has one entry per layer; a node with no more neighbours than
    its fanout gives all of them. The loader's `data` must come from `graph.to_hetero_data()`, whose edge order the
    sampled edge positions (`e_id`) refer to.

    A node that several paths reach is one node of the subgraph and is expanded once, at the first hop that reaches it.
    A layer needs a node's neighbours only at that hop or nearer ones, so as many layers of message passing over the
    whole subgraph as there are fanouts compute the seeds' vectors; further nodes' vectors are by-products.

    With `users_start_alike`, items have no neighbours at the last hop: for an encoder whose users have no features of
    their own, so that the users reached there would all say the same.

    With `exclude_target_edges`, no seed link of a batch is sampled in it, in either direction, at any hop.

    `rng` is drawn from batch by batch: assign a generator of the same seed to `sampler.rng` to see the same batches
    again. A loader's worker process replaces it by one of the worker's own seed, which the loader's `generator` fixes:
    copies of one generator would repeat the same draws in each worker and each epoch.
    """

    def __init__(
        self,
        graph: InteractionGraph,
        fanouts: Sequence[int],
        rng: np.random.Generator,
        exclude_target_edges: bool = True,
        users_start_alike: bool = False,
    ) -> None:
        if not len(fanouts) or min(fanouts) < 1:
            raise GraphRecError(f"Expected one fanout of at least 1 per layer, got {list(fanouts)}.")
        self.graph = graph
        self.fanouts = tuple(fanouts)
        self.rng = rng
        self.exclude_target_edges = exclude_target_edges
        self.users_start_alike = users_start_alike
        self._touched = {kind: np.flatnonzero(graph.adjacency(kind).degree) for kind in KINDS}
        self._worker: tuple[int, np.random.Generator] | None = None

    def sample_from_nodes(self, index: NodeSamplerInput) -> HeteroSamplerOutput:
        """The neighbourhood of seed users or seed items; local node n < batch_size is seed n.

        Raises GraphRecError where seeds have no kind or carry a time.
        """
        if index.input_type not in KINDS or index.time is not None:
            raise GraphRecError(
                f"Expected seeds of kind 'user' or 'item' without a time, got kind {index.input_type!r}; "
                "pass input_nodes=('item', indices) and no input_time."
            )
        _check_seeds(index.node.numpy(), index.input_type, self.graph.adjacency(index.input_type).num_rows)
        rng = self._process_rng()
        everything = {kind: AllowedEdges.all_of() for kind in KINDS}
        return node_sample(index, lambda seed, _: self._sample(seed, everything, rng))

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> HeteroSamplerOutput:
        """The neighbourhood of both ends of seed (user, item) pairs.

        Negatives, where asked for, are uniform over the users and items that have an edge: a cold item contributes
        nothing to training. They may hit a positive pair by chance. Raises GraphRecError where the pairs are not of
        type ("user", "interacts", "item"), carry a time, or the negatives have weights.
        """
        if index.input_type != INTERACTS or index.time is not None:
            raise GraphRecError(
                f"Expected seed links of type {INTERACTS} without a time, got type {index.input_type!r}; "
                "pass edge_label_index=(type, pairs) and no edge_label_time."
            )
        rng = self._process_rng()
        negatives = None if neg_sampling is None else _TouchedNegatives(neg_sampling, self._touched, rng)
        allowed = self._allowed(index.row.numpy(), index.col.numpy())
        num_nodes = {"user": self.graph.num_users, "item": self.graph.num_items}
        return edge_sample(
            index, lambda seed, _: self._sample(seed, allowed, rng), num_nodes, disjoint=False, neg_sampling=negatives
        )

    def _allowed(self, user_P: np.ndarray, item_P: np.ndarray) -> dict[NodeKind, AllowedEdges]:
        _check_seeds(user_P, "user", self.graph.num_users)
        _check_seeds(item_P, "item", self.graph.num_items)
        if not self.exclude_target_edges:
            return {kind: AllowedEdges.all_of() for kind in KINDS}
        return {
            "user": AllowedEdges.all_but(self.graph.items_of_user, user_P, item_P),
            "item": AllowedEdges.all_but(self.graph.users_of_item, item_P, user_P),
        }

    def _process_rng(self) -> np.random.Generator:
        worker = get_worker_info()
        if worker is None:
            return self.rng
        if self._worker is None or self._worker[0] != worker.seed:
            self._worker = (worker.seed, np.random.default_rng(worker.seed))
        return self._worker[1]

    def _sample(
        self, seed: dict[NodeKind, torch.Tensor], allowed: dict[NodeKind, AllowedEdges], rng: np.random.Generator
    ) -> HeteroSamplerOutput:
        subgraph = _Subgraph({kind: seed[kind].numpy() if kind in seed else np.empty(0, np.int64) for kind in KINDS})
        for hop, fanout in enumerate(self.fanouts, start=1):
            frontier = {kind: subgraph.frontier(kind) for kind in KINDS}
            if self.users_start_alike and hop == len(self.fanouts):
                frontier["item"] = frontier["item"][:0]
            drawn = {kind: self._draw(kind, frontier[kind], fanout, allowed[kind], rng) for kind in KINDS}
            subgraph.add_hop({kind: (*drawn[kind], self._neighbors(kind, drawn[kind][1])) for kind in KINDS})
        return subgraph.output()

    def _draw(
        self, kind: NodeKind, node_N: np.ndarray, fanout: int, allowed: AllowedEdges, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each sampled edge the frontier node that it belongs to (a place in node_N) and its edge position."""
        indptr = self.graph.adjacency(kind).indptr
        first_N = allowed.ordinals(indptr[node_N])
        owner_S, member_S = subsets(allowed.ordinals(indptr[node_N + 1]) - first_N, fanout, rng)
        return owner_S, allowed.positions(first_N[owner_S] + member_S)

    def _neighbors(self, kind: NodeKind, position_S: np.ndarray) -> np.ndarray:
        return self.graph.adjacency(kind).indices_E[position_S]


class _Subgraph:
    """Sampled nodes and edges, hop after hop; a node's local index is its place in `node[kind]`."""

    def __init__(self, seed: dict[NodeKind, np.ndarray]) -> None:
        self.node = dict(seed)
        self._nodes_until_hop = {kind: [0, len(seed[kind])] for kind in KINDS}
        self._edges: dict[NodeKind, list[np.ndarray]] = {kind: [] for kind in KINDS}

    def frontier(self, kind: NodeKind) -> np.ndarray:
        """The nodes that the last hop was the first to reach."""
        return self.node[kind][self._nodes_until_hop[kind][-2] :]

    def add_hop(self, drawn: dict[NodeKind, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Add, by the kind of the expanded nodes: place in the frontier, edge position, neighbour."""
        for kind in KINDS:
            owner_S, position_S, neighbor_S = drawn[kind]
            source_S = self._number(other_kind(kind), neighbor_S)
            destination_S = self._nodes_until_hop[kind][-2] + owner_S
            self._edges[kind].append(np.stack([source_S, destination_S, position_S]))
        for kind in KINDS:
            self._nodes_until_hop[kind].append(len(self.node[kind]))

    def _number(self, kind: NodeKind, drawn_S: np.ndarray) -> np.ndarray:
        """The local index of each drawn node; those not seen before are appended."""
        seen = self.node[kind]
        unique, first, inverse = np.unique(np.concatenate([seen, drawn_S]), return_index=True, return_inverse=True)
        is_new = first >= len(seen)
        local = np.where(is_new, len(seen) + np.cumsum(is_new) - 1, first)
        self.node[kind] = np.concatenate([seen, unique[is_new]])
        return local[inverse[len(seen) :]]

    def output(self) -> HeteroSamplerOutput:
        edges = {edge_type_into(kind): torch.from_numpy(np.concatenate(self._edges[kind], axis=1)) for kind in KINDS}
        return HeteroSamplerOutput(
            node={kind: torch.from_numpy(node) for kind, node in self.node.items()},
            row={edge_type: rows[0] for edge_type, rows in edges.items()},
            col={edge_type: rows[1] for edge_type, rows in edges.items()},
            edge={edge_type: rows[2] for edge_type, rows in edges.items()},
            num_sampled_nodes={kind: np.diff(until).tolist() for kind, until in self._nodes_until_hop.items()},
            num_sampled_edges={edge_type_into(kind): [e.shape[1] for e in self._edges[kind]] for kind in KINDS},
        )


class _TouchedNegatives(NegativeSampling):
    """PyG's negative sampling, drawn from nodes with an edge and from the sampler's own generator."""

    def __init__(self, asked: NegativeSampling, touched: dict[NodeKind, np.ndarray], rng: np.random.Generator) -> None:
        super().__init__(asked.mode, asked.amount)
        if asked.src_weight is not None or asked.dst_weight is not None:
            raise GraphRecError("Weighted negatives are not supported: leave out src_weight and dst_weight.")
        self._pool = {"src": touched["user"], "dst": touched["item"]}
        self._rng = rng

    def sample(self, num_samples: int, endpoint: str, num_nodes: int | None = None) -> torch.Tensor:
        if not len(self._pool[endpoint]):
            raise GraphRecError("Cannot draw negatives from a graph without edges.")
        return torch.from_numpy(self._rng.choice(self._pool[endpoint], num_samples))


def _check_seeds(index_N: np.ndarray, kind: NodeKind, size: int) -> None:
    if len(index_N) and not (index_N.min() >= 0 and index_N.max() < size):
        raise ValueError(f"Expected {kind} indices in [0, {size}), got {index_N.min()}..{index_N.max()}.")
