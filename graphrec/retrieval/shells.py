"""Vectors of like norm together, each such shell an HNSW graph of its own.

By inner product the longest vectors are nearest to nearly everybody: a graph over all items links to them and to hardly
anything else, and what is of middling norm is not found, however long one looks. Served vectors are like that: popular
items are many times as long as others. Inside a shell norms differ little, and the graph is nearly that of angles. (The
same remedy for hashing: norm-ranging LSH, Yan et al. 2018.)

Shapes: B queries, G rows, D dimensions, S shells, n candidates.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import faiss
import numpy as np

_CUTS = (0.005, 0.02, 0.08, 0.3)
"""Shares of the rows, longest first, at which a shell ends."""
_FEWEST = 128
"""Rows of a shell; smaller ones are not worth a search of their own."""
_FALL = 1.1
"""Where the norm at a cut is not this many times that of the middle of the next shell, there is no cut."""
_SCANNED = 6_000
"""A shell of at most so many rows, but for the last, is scanned: as quick as its graph, and misses nothing."""
_BATCH = 65_536


@dataclass(frozen=True)
class Shells:
    """Searched as a FAISS index over the same rows; longest vectors first. Safe to search from several threads."""

    parts: tuple[faiss.IndexIDMap, ...]

    @classmethod
    def build(cls, empty: Callable[[], Any], vectors_ID: np.ndarray, item_G: np.ndarray) -> "Shells | None":
        """Row g holds the vector of item `item_G[g]`; None where norms are too much alike to tell shells apart.

        `empty` makes the index of a shell, tuned and empty.
        """
        norm_G = norms(vectors_ID, item_G)
        order_G = np.argsort(-norm_G, kind="stable")
        edges = _edges(norm_G[order_G])
        if len(edges) == 2:
            return None
        sizes = np.diff(edges)
        is_scanned = [*(sizes[:-1] <= _SCANNED), False]
        dim = vectors_ID.shape[1]
        indexes = [faiss.IndexFlat(dim, faiss.METRIC_INNER_PRODUCT) if flat else empty() for flat in is_scanned]
        made = cls(tuple(faiss.IndexIDMap(_handed_over(one)) for one in indexes))
        for part, edge in zip(made.parts, pairwise(edges), strict=True):
            _add(part, vectors_ID, item_G, np.sort(order_G[slice(*edge)]))
        return made

    def extended(self, vectors_ID: np.ndarray, item_G: np.ndarray) -> "Shells":
        """A copy with the rows behind the last one, each in the shell that its norm belongs to."""
        new = np.arange(self.ntotal, len(item_G))
        norm_N = norms(vectors_ID, item_G[new])
        ends = [norms(vectors_ID, item_G[_rows(part)]).min() for part in self.parts[:-1]]
        shell_N = len(ends) - np.searchsorted(np.sort(ends), norm_N, side="right")
        parts = tuple(faiss.clone_index(part) for part in self.parts)
        for number, part in enumerate(parts):
            _add(part, vectors_ID, item_G, new[shell_N == number])
        return Shells(parts)

    @property
    def ntotal(self) -> int:
        """G."""
        return sum(part.ntotal for part in self.parts)

    @property
    def d(self) -> int:
        """D."""
        return int(self.parts[0].d)

    def search(self, query_BD: np.ndarray, n: int, params: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """As `faiss.Index.search`: (B, n) products, falling, and rows, -1 for none.

        Where a shell found fewer than it has, the last row is -1: there may be more.
        """
        found = [part.search(query_BD, min(n, part.ntotal), params=params) for part in self.parts]
        first, rows = (np.hstack([one[side] for one in found]) for side in (0, 1))
        if rows.shape[1] < n:
            lacking = ((0, 0), (0, n - rows.shape[1]))
            first = np.pad(first, lacking, constant_values=np.finfo(np.float32).min)
            rows = np.pad(rows, lacking, constant_values=-1)
        order_Bn = np.argsort(-first, axis=1, kind="stable")[:, :n]  # those that are none come last
        first_Bn, rows_Bn = np.take_along_axis(first, order_Bn, axis=1), np.take_along_axis(rows, order_Bn, axis=1)
        if params is None:
            rows_Bn[(np.hstack([one[1][:, -1:] for one in found]) < 0).any(axis=1), -1] = -1
        return first_Bn, rows_Bn

    def save(self, path: Path) -> None:
        """One FAISS index after the other in one file."""
        writer = faiss.FileIOWriter(str(path))
        for part in self.parts:
            faiss.write_index(part, writer)

    @classmethod
    def load(cls, path: Path, num_rows: int) -> "Shells | Any":
        """What `save` wrote of at most so many rows, or the plain FAISS index of any other file.

        Raises RuntimeError as FAISS does; of a file that was cut short the shells that are whole are there.
        """
        reader = faiss.FileIOReader(str(path))
        parts = [faiss.read_index(reader)]
        if not isinstance(parts[0], faiss.IndexIDMap):
            return parts[0]
        with suppress(RuntimeError):  # the end of the file
            while sum(part.ntotal for part in parts) < num_rows:
                parts.append(faiss.read_index(reader))
        return cls(tuple(parts))


def norms(vectors_ID: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Of these items, float64."""
    norm_N = np.empty(len(items))
    for start in range(0, len(items), _BATCH):
        part = slice(start, start + _BATCH)
        norm_N[part] = np.linalg.norm(vectors_ID[items[part]].astype(np.float64), axis=1)
    return norm_N


def _edges(falling_G: np.ndarray) -> list[int]:
    """Where shells begin, and the end of the last."""
    size, kept = len(falling_G), [0]
    cuts = [int(share * size) for share in _CUTS]
    for cut, following in zip(cuts, [*cuts[1:], size], strict=True):
        if cut - kept[-1] >= _FEWEST and falling_G[cut] >= _FALL * falling_G[(cut + following) // 2]:
            kept.append(cut)
    return [*kept, size]


def _handed_over(index: Any) -> Any:
    """To be deleted by the index that it is put into."""
    index.this.disown()
    return index


def _add(part: faiss.IndexIDMap, vectors_ID: np.ndarray, item_G: np.ndarray, rows: np.ndarray) -> None:
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        part.add_with_ids(np.ascontiguousarray(vectors_ID[item_G[some]]), some)


def _rows(part: faiss.IndexIDMap) -> np.ndarray:
    rows: np.ndarray = faiss.vector_to_array(part.id_map)
    return rows
