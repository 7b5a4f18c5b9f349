"""Edges that may be sampled: all but a few, addressed without touching the rest."""

from dataclasses import dataclass

import numpy as np

from graphrec.graph.adjacency import Adjacency


@dataclass(frozen=True)
class AllowedEdges:
    """The edges of one adjacency except X excluded ones, numbered consecutively by their *ordinal*.

    `excluded_X` are edge positions, sorted, each once. Every look-up costs O(log X).
    """

    excluded_X: np.ndarray

    @classmethod
    def all_of(cls) -> "AllowedEdges":
        """Nothing excluded: ordinal and edge position are the same."""
        return cls(np.empty(0, dtype=np.int64))

    @classmethod
    def all_but(cls, adjacency: Adjacency, row_P: np.ndarray, column_P: np.ndarray) -> "AllowedEdges":
        """Every edge but those between the pairs; pairs that are no edge are allowed to be named."""
        position_P = adjacency.positions(row_P, column_P)
        return cls(np.unique(position_P[position_P >= 0]))

    def ordinals(self, position_N: np.ndarray) -> np.ndarray:
        """How many allowed edges stand before each edge position."""
        return position_N - np.searchsorted(self.excluded_X, position_N, side="left")

    def positions(self, ordinal_N: np.ndarray) -> np.ndarray:
        """The edge position of each ordinal."""
        # Excluded edge j stands behind excluded_X[j] - j allowed ones, so it shifts every ordinal from there on by one.
        allowed_before_X = self.excluded_X - np.arange(len(self.excluded_X))
        return ordinal_N + np.searchsorted(allowed_before_X, ordinal_N, side="right")
