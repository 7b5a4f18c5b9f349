"""One direction of a bipartite graph in compressed sparse rows (CSR)."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Adjacency:
    """The neighbours of each row: row r's are `indices_E[indptr[r] : indptr[r + 1]]`, sorted, each once.

    An *edge position* is a place in `indices_E` and `weight_E`. `indptr` (num_rows + 1) and `indices_E` are int64,
    `weight_E` is float32. Raises ValueError where the arrays do not fit together.
    """

    indptr: np.ndarray
    indices_E: np.ndarray
    weight_E: np.ndarray
    num_columns: int

    def __post_init__(self) -> None:
        num_edges = len(self.indices_E)
        if (
            not len(self.indptr)
            or self.indptr[0] != 0
            or self.indptr[-1] != num_edges
            or (np.diff(self.indptr) < 0).any()
        ):
            raise ValueError(f"Expected indptr to rise from 0 to the number of edges, {num_edges}.")
        if len(self.weight_E) != num_edges:
            raise ValueError(f"Expected {num_edges} weights, one per edge, got {len(self.weight_E)}.")
        if num_edges and not (self.indices_E.min() >= 0 and self.indices_E.max() < self.num_columns):
            raise ValueError(f"Expected neighbour indices in [0, {self.num_columns}).")

    @classmethod
    def from_matrix(cls, matrix: sp.sparray | sp.spmatrix) -> "Adjacency":
        """Rows × columns; entries of one pair are summed."""
        csr = matrix.tocsr()
        csr.sum_duplicates()
        return cls(
            indptr=csr.indptr.astype(np.int64),
            indices_E=csr.indices.astype(np.int64),
            weight_E=csr.data.astype(np.float32),
            num_columns=csr.shape[1],
        )

    @property
    def num_rows(self) -> int:
        """Nodes that the rows stand for, with or without neighbours."""
        return len(self.indptr) - 1

    @property
    def degree(self) -> np.ndarray:
        """Number of neighbours of each row, int64."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> np.ndarray:
        """The row of each edge, int64, aligned with `indices_E`."""
        return np.repeat(np.arange(self.num_rows), self.degree)

    def neighbors(self, row: int) -> np.ndarray:
        """The neighbours of one row, sorted."""
        return self.indices_E[self.indptr[row] : self.indptr[row + 1]]

    def matrix(self, weighted: bool = True) -> sp.csr_matrix:
        """Rows × columns, float32; every entry is 1 where not `weighted`."""
        value_E = self.weight_E if weighted else np.ones_like(self.weight_E)
        return sp.csr_matrix((value_E, self.indices_E, self.indptr), (self.num_rows, self.num_columns))

    def positions(self, row_P: np.ndarray, column_P: np.ndarray) -> np.ndarray:
        """The edge position of each pair, -1 where the pair is no edge: one binary search for all pairs at once."""
        low_P, end_P = self.indptr[row_P], self.indptr[row_P + 1]
        high_P = end_P
        while (is_open_P := low_P < high_P).any():
            middle_P = np.where(is_open_P, (low_P + high_P) // 2, 0)
            is_below_P = self.indices_E[middle_P] < column_P
            low_P = np.where(is_open_P & is_below_P, middle_P + 1, low_P)
            high_P = np.where(is_open_P & ~is_below_P, middle_P, high_P)
        is_edge_P = low_P < end_P
        is_edge_P[is_edge_P] = self.indices_E[low_P[is_edge_P]] == column_P[is_edge_P]
        return np.where(is_edge_P, low_P, -1)

    def keep(self, is_kept_E: np.ndarray) -> "Adjacency":
        """The same rows and columns with only the edges where the mask is True."""
        kept_before = np.concatenate([[0], np.cumsum(is_kept_E, dtype=np.int64)])
        return Adjacency(
            kept_before[self.indptr], self.indices_E[is_kept_E], self.weight_E[is_kept_E], self.num_columns
        )
