"""Held-out interactions and cold items in what training walks over: pairs, both directions of the graph, negatives."""

import numpy as np
import torch
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling

from graphrec.data.interactions import Interactions
from graphrec.data.splits.time import moment
from graphrec.graph.interaction_graph import INTERACTS, NodeKind, edge_type_into
from graphrec.graph.sampler import NeighborSampler
from graphrec.leaks.evidence import Evidence

_DRAWS_PER_ITEM, _MOST_DRAWS = 30, 3_000_000
"""Among up to 100,000 items, one that may be drawn is missed with a chance of e^-30; of more, a share never is."""


def training_pairs(evidence: Evidence) -> str | None:
    """Training knows no pair beyond those that the split leaves it, and none that it holds out or shows later.

    A run's own split leaves what the run says it learned from, so there the held-out pairs alone can tell. Where these
    came as a file, which may repeat known pairs, nothing can.
    """
    split, num_items = evidence.split, evidence.train.interactions.num_items
    is_other = evidence.train is not split.train
    if not is_other and not split.is_disjoint:
        return None
    known_P = np.unique(_keys(evidence.train.interactions))
    is_extra_P = ~np.isin(known_P, _keys(split.train.interactions)) if is_other else np.zeros(len(known_P), dtype=bool)
    if split.is_disjoint:
        held_out = split.truth.user_index_P * num_items + split.truth.item_index_P
        shown = _keys(split.visible) if split.visible is not None else held_out
        is_extra_P |= np.isin(known_P, held_out) | np.isin(known_P, shown)
    extra = known_P[is_extra_P]
    if not len(extra):
        return ""
    user, item = divmod(int(extra[0]), num_items)
    return (
        f"training knows {len(extra):,} pairs that the split holds out, such as user "
        f"{evidence.train.user_ids[user]!r} with item {evidence.item_id(item)}"
    )


def _keys(interactions: Interactions) -> np.ndarray:
    """One number per (user, item) pair, of every event."""
    return interactions.user_index_E * interactions.num_items + interactions.item_index_E


def cut_off(evidence: Evidence) -> str | None:
    """Where the split is by time, training knows nothing from its cut-off on."""
    cutoff, time_E = evidence.split.cutoff, evidence.train.interactions.timestamp_E
    if cutoff is None:
        return None
    if not (time_E >= cutoff).any():
        return ""
    num_later, last = int((time_E >= cutoff).sum()), float(np.nanmax(time_E))
    return f"training knows {num_later:,} events from {moment(cutoff)} on, the last of {moment(last)}"


def edges_into_users(evidence: Evidence) -> str | None:
    """No user has a cold item as a neighbour; these edges are what training predicts, too."""
    return _cold_edges(evidence, "user")


def edges_into_items(evidence: Evidence) -> str | None:
    """No cold item has a user as a neighbour."""
    return _cold_edges(evidence, "item")


def negatives(evidence: Evidence) -> str | None:
    """No cold item is ever drawn as something that a user does not want."""
    graph = evidence.graph
    positive = np.flatnonzero(~evidence.is_untouched_I[graph.items_of_user.indices_E])[:1]
    if not len(positive):
        return None
    pair = EdgeSamplerInput(
        input_id=None,
        row=torch.from_numpy(graph.items_of_user.rows[positive]),
        col=torch.from_numpy(graph.items_of_user.indices_E[positive]),
        input_type=INTERACTS,
    )
    sampler = NeighborSampler(graph, (1,), np.random.default_rng(0))
    num_draws = min(_DRAWS_PER_ITEM * graph.num_items, _MOST_DRAWS)
    drawn = sampler.sample_from_edges(pair, NegativeSampling("triplet", num_draws))
    assert drawn.metadata is not None
    drawn_items = np.unique(drawn.node["item"].numpy()[drawn.metadata[3].numpy()])
    cold = drawn_items[evidence.is_untouched_I[drawn_items]]
    return f"{len(cold):,} cold items are drawn as negatives, such as {evidence.item_id(cold[0])}" if len(cold) else ""


def _cold_edges(evidence: Evidence, kind: NodeKind) -> str | None:
    adjacency = evidence.graph.adjacency(kind)
    items_E = adjacency.indices_E if kind == "user" else adjacency.rows
    edge_index = evidence.graph.to_hetero_data()[edge_type_into(kind)].edge_index.numpy()
    for where, item_E in (("the graph", items_E), ("PyG's form of the graph", edge_index[0 if kind == "user" else 1])):
        cold = item_E[evidence.is_untouched_I[item_E]]
        if len(cold):
            example = evidence.item_id(cold[0])
            return f"{where} has {len(cold):,} edges of cold items that end in {kind}s, such as one of item {example}"
    return ""
