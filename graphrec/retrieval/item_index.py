"""Nearest items by inner product: FAISS proposes, a float64 product over the stored vectors decides.

Shapes: B queries, I items, P of them allowed, D dimensions, K ranks, n candidates of each query of a block b.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, field_validator

from graphrec.errors import GraphRecError
from graphrec.retrieval.distinct import Distinct
from graphrec.retrieval.found import Found
from graphrec.retrieval.rescoring import Request, Source, best_items
from graphrec.retrieval.shells import Shells

_ROWS = 65_536  # vectors added or measured at a time
_DIVISIBLE_DIM = 64 * 9 * 5 * 7  # by most numbers of product quantisers; the vectors' own dimension comes later
_TRAINING_ROWS = 2**21  # FAISS itself keeps 256 per cell


class IndexConfig(BaseModel):
    """How the index is built and searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factory: str | None = None
    """FAISS factory string, such as "Flat" or "HNSW32,Flat"; None: by the number of items, see `default_factory`."""
    ef_construction: PositiveInt = 200
    """Candidates that HNSW looks at when it links a new item: more is slower to build and finds more."""
    ef_search: PositiveInt = 256
    """Candidates that HNSW keeps while it searches: more is slower and finds more."""
    nprobe: PositiveInt = 32
    """Cells that IVF looks into for a query: more is slower and finds more."""
    scan_up_to: NonNegativeInt = 1_000_000
    """Up to so many allowed items are scanned. Filtering inside the index is faster for more of them, but misses many
    where the filter goes with the norm, as "new items only" often does."""
    build_threads: PositiveInt = 1
    """Threads that build the index. HNSW linked by one thread is the same every time, by several it need not be."""

    @field_validator("factory")
    @classmethod
    def _can_be_built(cls, factory: str | None) -> str | None:
        """Found out when the index is built as well, but that may be after hours of training."""
        try:
            if factory is not None:
                _empty(factory, _DIVISIBLE_DIM)
        except (RuntimeError, AssertionError) as error:  # all that FAISS raises
            raise ValueError(
                f"FAISS cannot build {factory!r} ({_reason(error)}); expected a factory such as Flat or HNSW32,Flat"
            ) from None
        return factory


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

    Inner products throughout, also between the items that HNSW links (ip-NSW: Morozov & Babenko 2018), in shells of
    like norm (see `retrieval.shells`). Augmenting the vectors to one norm instead (Bachrach et al. 2014) is no safer:
    where norms differ, HNSW found far fewer of the best items that way (20 k clustered vectors, log norms spread by
    0.3: 79 % of the top 20 against 99 %).

    Safe to search from several threads at once.
    """

    faiss_index: Any
    vectors_ID: np.ndarray
    """float32; may be a memory map, rows are read as they are needed."""
    config: IndexConfig
    largest_norm: float
    distinct: Distinct | None
    """The rows of the FAISS index, where it holds equal vectors once; None: its rows are the items."""

    @classmethod
    def build(cls, vectors_ID: np.ndarray, config: IndexConfig | None = None, merge_equal: bool = True) -> "ItemIndex":
        """An index over all rows; `vectors_ID` is kept, not copied, where it is contiguous float32.

        `merge_equal`: every factory but Flat holds equal vectors once. Without it the ids inside FAISS are the item
        indices, as other programs need them. Raises GraphRecError where FAISS cannot build the factory for these
        vectors, ValueError where they are not finite numbers of shape (I, D).
        """
        config = config or IndexConfig()
        vectors_ID = _checked(vectors_ID)
        largest_norm = _largest_norm(vectors_ID)
        factory = config.factory or default_factory(len(vectors_ID))
        try:
            index = _empty(factory, vectors_ID.shape[1])
            distinct = Distinct.of(vectors_ID) if merge_equal and not _is_exact(index) else None
            with _threads(config.build_threads):
                index = _filled(index, lambda: _empty(factory, vectors_ID.shape[1]), vectors_ID, distinct, config)
        except (RuntimeError, AssertionError) as error:  # all that FAISS raises
            raise GraphRecError(
                f'FAISS could not build the index "{factory}" over {len(vectors_ID)} vectors of dimension '
                f"{vectors_ID.shape[1]} ({_reason(error)}): set another index factory, such as Flat or HNSW32,Flat."
            ) from None
        return cls(index, vectors_ID, config, largest_norm, distinct)

    def extended(self, vectors_ID: np.ndarray) -> "ItemIndex":
        """An index over more items whose first rows are the present vectors; this one stays as it is.

        New rows are added to a copy; where a present row changed, it is built anew.
        """
        vectors_ID = _checked(vectors_ID)
        if len(vectors_ID) < len(self) or not np.array_equal(vectors_ID[: len(self)], self.vectors_ID):
            return ItemIndex.build(vectors_ID, self.config, merge_equal=self.distinct is not None)
        distinct = None if self.distinct is None else Distinct.of(vectors_ID)
        rows = _rows(vectors_ID, distinct)
        with _threads(self.config.build_threads):
            if isinstance(self.faiss_index, Shells):
                index = self.faiss_index.extended(vectors_ID, rows)
            else:
                index = faiss.clone_index(self.faiss_index)
                _add(index, vectors_ID, rows[index.ntotal :])
        return ItemIndex(index, vectors_ID, self.config, _largest_norm(vectors_ID), distinct)

    def save(self, path: Path) -> None:
        """Write the FAISS index; the vectors are the caller's to keep beside it (`np.save`)."""
        if isinstance(self.faiss_index, Shells):
            self.faiss_index.save(path)
        else:
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
            index = Shells.load(path, len(vectors_ID))
        except RuntimeError as error:
            raise GraphRecError(f"{path} cannot be read as a FAISS index ({_reason(error)}): build it again.") from None
        distinct = None if index.ntotal == len(vectors_ID) else Distinct.of(vectors_ID)
        num_rows = len(_rows(vectors_ID, distinct))
        if (index.ntotal, index.d) != (num_rows, vectors_ID.shape[1]):
            raise GraphRecError(
                f"{path} holds {index.ntotal} vectors of dimension {index.d}, which does not fit the "
                f"{num_rows} of dimension {vectors_ID.shape[1]} beside it: build it again."
            )
        _tune(index, config)
        return cls(index, vectors_ID, config, _largest_norm(vectors_ID), distinct)

    def __len__(self) -> int:
        return len(self.vectors_ID)

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
        a wrong score or order. Where they find too few, or too many tie, the query is scanned.

        Raises ValueError where shapes or indices do not fit or a query is not finite.
        """
        request = Request.of(query_BD, self.vectors_ID, k, exclude, self.largest_norm)
        return best_items(request, self.sources(checked_allowed(allowed, len(self))))

    def sources(self, allowed: np.ndarray | None) -> list[Source]:
        """Where candidates among these items (rising; None: all) come from, the quickest first."""
        if allowed is None and self.is_exact:
            return [self._index_source(None)]
        if allowed is None or (len(allowed) > self.config.scan_up_to and _can_filter(self.faiss_index)):
            return [self._index_source(allowed), self._scan_source(allowed)]
        return [self._scan_source(allowed)]

    def _index_source(self, allowed: np.ndarray | None) -> Source:
        is_allowed_I = None if allowed is None else _mask(allowed, len(self))
        parameters = None if is_allowed_I is None else self._filter(is_allowed_I)
        num_allowed = len(self) if allowed is None else len(allowed)
        # To follow a graph or its cells to more candidates than that costs more than to scan everything.
        most = num_allowed if self.is_exact else min(num_allowed, max(1024, num_allowed // 64))

        def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
            first_bn, items_bn = self.faiss_index.search(query_bD, n, params=parameters)
            first_bn[items_bn < 0] = np.nan
            if self.distinct is not None:
                first_bn, items_bn = self.distinct.expand(first_bn, items_bn)
            if is_allowed_I is not None:  # an item may share its vector with one that is allowed
                items_bn = np.where(is_allowed_I[items_bn], items_bn, -1)
            return first_bn, items_bn

        return Source(fetch, most, complete=self.is_exact)

    def _scan_source(self, allowed: np.ndarray | None) -> Source:
        vectors_PD = self.vectors_ID if allowed is None else np.ascontiguousarray(self.vectors_ID[allowed])

        def fetch(query_bD: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
            first_bn, position_bn = faiss.knn(query_bD, vectors_PD, n, metric=faiss.METRIC_INNER_PRODUCT)
            return first_bn, position_bn if allowed is None else allowed[position_bn]

        return Source(fetch, len(vectors_PD), complete=True)

    def _filter(self, is_allowed_I: np.ndarray) -> Any:
        """Search parameters that let through those rows of the FAISS index that have an allowed item."""
        if self.distinct is not None:
            is_allowed_I = np.logical_or.reduceat(is_allowed_I[self.distinct.members_I], self.distinct.start_G)
        selector = faiss.IDSelectorBitmap(np.packbits(is_allowed_I, bitorder="little"))
        if isinstance(self.faiss_index, faiss.IndexHNSW | Shells):
            return faiss.SearchParametersHNSW(sel=selector, efSearch=self.config.ef_search)
        return faiss.SearchParametersIVF(sel=selector, nprobe=self.config.nprobe)


def _checked(vectors_ID: np.ndarray) -> np.ndarray:
    if vectors_ID.ndim != 2 or not vectors_ID.size:
        raise ValueError(f"Expected vectors of shape (I, D) with at least one item, got {vectors_ID.shape}.")
    return np.ascontiguousarray(vectors_ID, dtype=np.float32)


def checked_allowed(allowed: np.ndarray | None, num_items: int) -> np.ndarray | None:
    """Rising, each once. Raises ValueError where there is no such item."""
    if allowed is None:
        return None
    allowed = np.unique(np.asarray(allowed, dtype=np.int64))
    if len(allowed) and not (allowed[0] >= 0 and allowed[-1] < num_items):
        raise ValueError(f"Expected allowed items in [0, {num_items}), got {allowed[0]}..{allowed[-1]}.")
    return allowed


def _mask(items: np.ndarray, num_items: int) -> np.ndarray:
    is_in_I = np.zeros(num_items, dtype=bool)
    is_in_I[items] = True
    return is_in_I


def _largest_norm(vectors_ID: np.ndarray) -> float:
    parts = (vectors_ID[start : start + _ROWS] for start in range(0, len(vectors_ID), _ROWS))
    largest = max(float(np.einsum("id,id->i", part, part, dtype=np.float64).max()) for part in parts)
    if not largest < np.finfo(np.float32).max:  # written so that nan fails too
        raise ValueError("Expected finite vectors of moderate norm, got nan, infinity or an overflow.")
    return float(np.sqrt(largest))


def _rows(vectors_ID: np.ndarray, distinct: Distinct | None) -> np.ndarray:
    """The item of each row of the FAISS index."""
    return np.arange(len(vectors_ID)) if distinct is None else distinct.item_G


def _filled(
    index: Any, empty: Callable[[], Any], vectors_ID: np.ndarray, distinct: Distinct | None, config: IndexConfig
) -> Any:
    """The trained index with all rows; in shells, where it is HNSW, nobody else reads its ids, and norms differ."""
    _tune(index, config)
    rows = _rows(vectors_ID, distinct)
    if distinct is not None and isinstance(index, faiss.IndexHNSWFlat):

        def tuned() -> Any:
            one = empty()
            _tune(one, config)
            return one

        shells = Shells.build(tuned, vectors_ID, rows)
        if shells is not None:
            return shells
    _train(index, vectors_ID)
    _add(index, vectors_ID, rows)
    return index


def _empty(factory: str, dim: int) -> Any:
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if not isinstance(index, faiss.Index) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise RuntimeError("it does not search by inner product")
    return index


def _train(index: Any, vectors_ID: np.ndarray) -> None:
    if not index.is_trained:
        step = -(-len(vectors_ID) // _TRAINING_ROWS)
        index.train(np.ascontiguousarray(vectors_ID[::step]))


def _add(index: Any, vectors_ID: np.ndarray, rows: np.ndarray) -> None:
    """FAISS numbers what it is given in order: its ids are the places in `rows`."""
    for start in range(0, len(rows), _ROWS):
        index.add(np.ascontiguousarray(vectors_ID[rows[start : start + _ROWS]]))


def _is_exact(index: Any) -> bool:
    return isinstance(index, faiss.IndexFlat)


def _can_filter(index: Any) -> bool:
    return isinstance(index, faiss.IndexHNSW | faiss.IndexIVF | Shells)


def _tune(index: Any, config: IndexConfig) -> None:
    """Hand the settings to the index inside any wrappers (rotation, re-ranking)."""
    if isinstance(index, Shells):
        for part in index.parts:
            _tune(faiss.downcast_index(part.index), config)
        return
    while isinstance(index, faiss.IndexPreTransform | faiss.IndexRefine):
        index = faiss.downcast_index(index.index if isinstance(index, faiss.IndexPreTransform) else index.base_index)
    if isinstance(index, faiss.IndexHNSW):
        index.hnsw.efConstruction = config.ef_construction
        index.hnsw.efSearch = config.ef_search
    if isinstance(index, faiss.IndexIVF):
        index.nprobe = config.nprobe


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
