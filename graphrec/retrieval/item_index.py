"""Nearest items by inner product: FAISS proposes, a float64 product over the stored vectors decides.

Shapes: B queries, I items, P of them allowed, D dimensions, K ranks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from graphrec.errors import GraphRecError
from graphrec.retrieval.exclusion import Exclusion
from graphrec.retrieval.found import Found
from graphrec.retrieval.rescoring import Request, Source, best_items, product_error

_ROWS = 65_536  # vectors augmented, added or measured at a time
_TRAINING_ROWS = 2**21  # FAISS itself keeps 256 per cluster


class IndexConfig(BaseModel):
    """How the index is built and searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factory: str | None = None
    """FAISS factory string, such as "Flat" or "HNSW32,Flat"; None: by the number of items, see `default_factory`."""
    ef_construction: PositiveInt = 80
    """Candidates that HNSW looks at when it links a new item: more is slower to build and finds more."""
    ef_search: PositiveInt = 128
    """Candidates that HNSW keeps while it searches: more is slower and finds more."""
    nprobe: PositiveInt = 32
    """Cells that IVF looks into for a query: more is slower and finds more."""
    exact_below: float = Field(default=0.05, ge=0, le=1)
    """Where at most this share of the items is allowed, they are scanned: HNSW loses its way among the others."""
    build_threads: PositiveInt = 1
    """Threads that build the index. HNSW linked by one thread is the same every time, by several it is not."""


def default_factory(num_items: int) -> str:
    """Flat up to 100 k items (exact), HNSW up to 5 M, above that cells of 8-bit vectors found by HNSW.

    About 4·√I cells, rounded to a power of two.
    """
    if num_items <= 100_000:
        return "Flat"
    if num_items <= 5_000_000:
        return "HNSW32,Flat"
    return f"IVF{2 ** round(np.log2(4 * np.sqrt(num_items)))}_HNSW32,SQ8"


@dataclass(frozen=True)
class ItemIndex:
    """A FAISS index over the served vectors of a catalogue; it answers with item indices, the rows of `vectors_ID`.

    Every factory but Flat gets the vectors augmented to one norm: v → (v, √(M² − ‖v‖²)) with M the largest norm, and
    0 in that place of a query. The products stay, and the nearest neighbour on a sphere is the largest product
    (Bachrach et al. 2014; Neyshabur & Srebro 2015), on which graph and cell indexes can be relied.

    Safe to search from several threads at once.
    """

    faiss_index: Any
    vectors_ID: np.ndarray
    """float32; may be a memory map, rows are read as they are needed."""
    config: IndexConfig
    largest_norm: float

    @classmethod
    def build(cls, vectors_ID: np.ndarray, config: IndexConfig | None = None) -> "ItemIndex":
        """An index over all rows; `vectors_ID` is kept, not copied, where it is contiguous float32.

        Raises GraphRecError where FAISS cannot build the factory for these vectors, ValueError where they are not
        finite numbers of shape (I, D).
        """
        config = config or IndexConfig()
        vectors_ID = _checked(vectors_ID)
        largest_norm = _largest_norm(vectors_ID)
        factory = config.factory or default_factory(len(vectors_ID))
        try:
            with _threads(config.build_threads):
                index = _trained(factory, vectors_ID, largest_norm, config)
                _add(index, vectors_ID, largest_norm)
        except (RuntimeError, AssertionError) as error:  # all that FAISS raises
            raise GraphRecError(
                f'FAISS could not build the index "{factory}" over {len(vectors_ID)} vectors of dimension '
                f"{vectors_ID.shape[1]} ({_reason(error)}): set another index factory, such as Flat or HNSW32,Flat."
            ) from None
        return cls(index, vectors_ID, config, largest_norm)

    def extended(self, vectors_ID: np.ndarray) -> "ItemIndex":
        """An index over more items whose first rows are the present vectors; this one stays as it is.

        New rows are added to a copy; where a present row changed or a new norm is beyond the largest, it is built anew.
        """
        vectors_ID = _checked(vectors_ID)
        num_present = len(self)
        fits = len(vectors_ID) >= num_present and np.array_equal(vectors_ID[:num_present], self.vectors_ID)
        if not fits or _largest_norm(vectors_ID[num_present:]) > self.largest_norm:
            return ItemIndex.build(vectors_ID, self.config)
        index = faiss.clone_index(self.faiss_index)
        with _threads(self.config.build_threads):
            _add(index, vectors_ID[num_present:], self.largest_norm)
        return ItemIndex(index, vectors_ID, self.config, self.largest_norm)

    def save(self, path: Path) -> None:
        """Write the FAISS index; the vectors are the caller's to keep beside it (`np.save`)."""
        faiss.write_index(self.faiss_index, str(path))

    @classmethod
    def load(cls, path: Path, vectors_ID: np.ndarray, config: IndexConfig | None = None) -> "ItemIndex":
        """Read what `save` wrote, over the same vectors (`np.load(..., mmap_mode="r")` will do).

        Of `config` only the settings of the search matter. Raises GraphRecError where the file is no FAISS index or
        does not fit the vectors.
        """
        config = config or IndexConfig()
        vectors_ID = _checked(vectors_ID)
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise GraphRecError(f"{path} cannot be read as a FAISS index ({_reason(error)}): build it again.") from None
        if index.ntotal != len(vectors_ID) or index.d != vectors_ID.shape[1] + (not _is_exact(index)):
            raise GraphRecError(
                f"{path} holds {index.ntotal} vectors of dimension {index.d}, which does not fit the "
                f"{len(vectors_ID)} of dimension {vectors_ID.shape[1]} beside it: build it again."
            )
        _tune(index, config)
        return cls(index, vectors_ID, config, _largest_norm(vectors_ID))

    def __len__(self) -> int:
        return len(self.vectors_ID)

    @property
    def dim(self) -> int:
        """Dimension inside FAISS: that of the vectors, one more where they are augmented."""
        return int(self.faiss_index.d)

    @property
    def is_exact(self) -> bool:
        """Whether FAISS looks at every item, so that the lists are those of a full scan, bit for bit."""
        return _is_exact(self.faiss_index)

    def search(
        self,
        query_BD: np.ndarray,
        k: int,
        exclude: sp.csr_matrix | Sequence[np.ndarray] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Found:
        """The k items with the largest inner product for each query, without its excluded items.

        `exclude`: queries × items CSR (every stored entry counts) or one int64 array of items per query. `allowed`:
        the item indices that all queries may get; None: all. A list is shorter than k only where fewer items are
        eligible. Scores are float64 products of the stored float32 vectors rounded to float32; equal ones stand in the
        order of item index. With Flat that is exactly the full scan; other factories may miss items, but never return
        a wrong score or order. Where they find fewer than k, or too many tie, the query is scanned.

        Raises ValueError where shapes or indices do not fit or a query is not finite.
        """
        query_BD = np.ascontiguousarray(query_BD, dtype=np.float32)
        if query_BD.ndim != 2 or query_BD.shape[1] != self.vectors_ID.shape[1]:
            raise ValueError(f"Expected queries (B, {self.vectors_ID.shape[1]}), got {query_BD.shape}.")
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        excluded = Exclusion.of(exclude, len(query_BD), len(self))
        request = Request(query_BD, self.vectors_ID, k, excluded, product_error(query_BD, self.largest_norm))
        return best_items(request, self._sources(_checked_allowed(allowed, len(self))))

    def _sources(self, allowed: np.ndarray | None) -> list[Source]:
        if allowed is None:
            everything = self._index_source(None, len(self))
            return [everything] if self.is_exact else [everything, self._scan_source(None)]
        parameters = _filter(self.faiss_index, allowed, len(self), self.config)
        if parameters is None or len(allowed) <= self.config.exact_below * len(self):
            return [self._scan_source(allowed)]
        return [self._index_source(parameters, len(allowed)), self._scan_source(allowed)]

    def _index_source(self, parameters: Any | None, num_allowed: int) -> Source:
        # Beyond such a number of candidates, following a graph or its cells costs more than scanning everything.
        most = num_allowed if self.is_exact else min(num_allowed, max(1024, num_allowed // 64))
        num_extra = self.dim - self.vectors_ID.shape[1]

        def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
            return self.faiss_index.search(np.pad(query_bD, ((0, 0), (0, num_extra))), n, params=parameters)

        return Source(fetch, most, complete=self.is_exact)

    def _scan_source(self, allowed: np.ndarray | None) -> Source:
        vectors_PD = self.vectors_ID if allowed is None else np.ascontiguousarray(self.vectors_ID[allowed])

        def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
            first_bn, position_bn = faiss.knn(query_bD, vectors_PD, n, metric=faiss.METRIC_INNER_PRODUCT)
            return first_bn, position_bn if allowed is None else allowed[position_bn]

        return Source(fetch, len(vectors_PD), complete=True)


def _checked(vectors_ID: np.ndarray) -> np.ndarray:
    if vectors_ID.ndim != 2 or not vectors_ID.size:
        raise ValueError(f"Expected vectors of shape (I, D) with at least one item, got {vectors_ID.shape}.")
    return np.ascontiguousarray(vectors_ID, dtype=np.float32)


def _checked_allowed(allowed: np.ndarray | None, num_items: int) -> np.ndarray | None:
    if allowed is None:
        return None
    allowed = np.unique(np.asarray(allowed, dtype=np.int64))
    if len(allowed) and not (allowed[0] >= 0 and allowed[-1] < num_items):
        raise ValueError(f"Expected allowed items in [0, {num_items}), got {allowed[0]}..{allowed[-1]}.")
    return allowed


def _largest_norm(vectors_ID: np.ndarray) -> float:
    largest = max((float(_squared_norms(part).max()) for part in _parts(vectors_ID)), default=0.0)
    if not largest < np.finfo(np.float32).max:  # written so that nan fails too
        raise ValueError("Expected finite vectors of moderate norm, got nan, infinity or an overflow.")
    return float(np.sqrt(largest))


def _squared_norms(vectors_ID: np.ndarray) -> np.ndarray:
    return np.einsum("id,id->i", vectors_ID, vectors_ID, dtype=np.float64)


def _parts(vectors_ID: np.ndarray) -> Iterator[np.ndarray]:
    return (vectors_ID[start : start + _ROWS] for start in range(0, len(vectors_ID), _ROWS))


def _augmented(vectors_ID: np.ndarray, largest_norm: float) -> np.ndarray:
    rest_I = np.sqrt(np.maximum(largest_norm**2 - _squared_norms(vectors_ID), 0))
    return np.column_stack([vectors_ID, rest_I.astype(np.float32)])


def _trained(factory: str, vectors_ID: np.ndarray, largest_norm: float, config: IndexConfig) -> Any:
    """An empty index of that factory, ready to take the vectors."""
    dim = vectors_ID.shape[1]
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if _is_exact(index):
        return index
    index = faiss.index_factory(dim + 1, factory, faiss.METRIC_INNER_PRODUCT)
    _tune(index, config)
    if not index.is_trained:
        step = -(-len(vectors_ID) // _TRAINING_ROWS)
        index.train(_augmented(vectors_ID[::step], largest_norm))
    return index


def _add(index: Any, vectors_ID: np.ndarray, largest_norm: float) -> None:
    for part in _parts(vectors_ID):
        # FAISS numbers what it is given in order: its ids are our item indices.
        index.add(np.ascontiguousarray(part) if _is_exact(index) else _augmented(part, largest_norm))


def _is_exact(index: Any) -> bool:
    return isinstance(index, faiss.IndexFlat)


def _tune(index: Any, config: IndexConfig) -> None:
    """Hand the settings to the index inside any wrappers (rotation, re-ranking)."""
    while isinstance(index, faiss.IndexPreTransform | faiss.IndexRefine):
        index = faiss.downcast_index(index.index if isinstance(index, faiss.IndexPreTransform) else index.base_index)
    if isinstance(index, faiss.IndexHNSW):
        index.hnsw.efConstruction = config.ef_construction
        index.hnsw.efSearch = config.ef_search
    if isinstance(index, faiss.IndexIVF):
        index.nprobe = config.nprobe


def _filter(index: Any, allowed: np.ndarray, num_items: int, config: IndexConfig) -> Any | None:
    """Search parameters that let through the allowed items only; None where this kind of index is better scanned."""
    is_allowed_I = np.zeros(num_items, dtype=bool)
    is_allowed_I[allowed] = True
    selector = faiss.IDSelectorBitmap(np.packbits(is_allowed_I, bitorder="little"))
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(sel=selector, efSearch=config.ef_search)
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(sel=selector, nprobe=config.nprobe)
    return None


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _reason(error: Exception) -> str:
    """The part of a FAISS message that says something: "Error in <C++ function> at <file:line>: <reason>"."""
    return str(error).split("\n")[0].split(": ", 2)[-1].strip().rstrip(".")
