"""Smoothing over the graph without any learned weight (LightGCN, He et al. 2020)."""

import numpy as np

from graphrec.graph.interaction_graph import InteractionGraph, NodeKind, other_kind


def propagate(graph: InteractionGraph, x_ND: np.ndarray, kind: NodeKind, hops: int) -> np.ndarray:
    """Send vectors along the edges `hops` times; `x_ND` (N × D) belongs to all nodes of `kind`.

    One hop gives every neighbour v the sum over its nodes n of x_n / sqrt(d_v · d_n) (He et al. 2020, equation 3), with
    the degree d counting distinct pairs. After an even number of hops the result belongs to nodes of `kind`, after an
    odd number to those of the other one. A node without neighbours gets zeros. Float32.
    """
    if len(x_ND) != graph.adjacency(kind).num_rows:
        raise ValueError(f"Expected one vector per {kind}, {graph.adjacency(kind).num_rows}, got {len(x_ND)}.")
    x = x_ND.astype(np.float32)
    for _ in range(hops):
        target = other_kind(kind)
        sent = _inverse_root(graph.adjacency(kind).degree)[:, None] * x
        x = _inverse_root(graph.adjacency(target).degree)[:, None] * (
            graph.adjacency(target).matrix(weighted=False) @ sent
        )
        kind = target
    return x


def _inverse_root(degree_N: np.ndarray) -> np.ndarray:
    """1 / sqrt(degree), 0 where the degree is 0."""
    return np.where(degree_N > 0, 1 / np.sqrt(np.maximum(degree_N, 1)), 0).astype(np.float32)
