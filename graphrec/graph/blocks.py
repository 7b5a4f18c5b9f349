"""All neighbours in blocks of rows: inference layer by layer over the full graph, in bounded memory."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from graphrec.graph.interaction_graph import InteractionGraph, NodeKind


@dataclass(frozen=True)
class NeighborBlock:
    """Every neighbour of the R consecutive nodes `rows`; sources keep their global indices.

    A layer's output for these nodes is `conv((x_source, x_destination[rows]), block.adjacency)`. The same with
    `block.edge_index` holds one message per edge in memory: several times slower, but right for any convolution.
    """

    rows: slice
    indptr: torch.Tensor
    source_E: torch.Tensor
    num_sources: int

    @property
    def adjacency(self) -> torch.Tensor:
        """Destinations × sources as a torch CSR tensor of ones: a mean over it is the mean of the neighbours."""
        shape = (len(self.indptr) - 1, self.num_sources)
        with warnings.catch_warnings():  # torch calls the layout beta once per process; nobody can act on that
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
            ones_E = torch.ones(len(self.source_E))
            return torch.sparse_csr_tensor(self.indptr, self.source_E, ones_E, shape, check_invariants=False)

    @property
    def edge_index(self) -> torch.Tensor:
        """2 × E: the source's global index, the destination's place in `rows`."""
        destination_E = torch.repeat_interleave(torch.arange(len(self.indptr) - 1), self.indptr.diff())
        return torch.stack([self.source_E, destination_E])


def neighbor_blocks(graph: InteractionGraph, kind: NodeKind, max_edges: int = 1_000_000) -> Iterator[NeighborBlock]:
    """All nodes of a kind in index order, with all of their neighbours.

    A block has at most `max_edges` nodes and edges, except that a node with more neighbours has a block of its own.
    """
    adjacency = graph.adjacency(kind)
    indptr, start = adjacency.indptr, 0
    while start < adjacency.num_rows:
        stop = int(np.searchsorted(indptr, indptr[start] + max_edges, side="right")) - 1
        stop = max(start + 1, min(stop, start + max_edges))
        yield NeighborBlock(
            rows=slice(start, stop),
            indptr=torch.from_numpy(indptr[start : stop + 1] - indptr[start]),
            source_E=torch.from_numpy(adjacency.indices_E[indptr[start] : indptr[stop]]),
            num_sources=adjacency.num_columns,
        )
        start = stop
