"""One way to fill and ask a vector database, whichever it is.

Shapes: B queries, D dimensions, K ranks, n candidates.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from graphrec.data.filters import NO_FILTERS, Filters
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.stores.candidates import Best, Candidates, best_of
from graphrec.export.stores.conditions import Conditions, Known, conditions_of
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.progress import Progress, silent
from graphrec.retrieval.rescoring import product_error

MARGIN = 16
"""Candidates beyond k in the first request."""
EFFORT = 256
"""Candidates that HNSW keeps while it searches, where nothing else is asked for."""


@dataclass(frozen=True)
class Upserted:
    """What an upsert left behind."""

    items: int
    users: int
    still_removed: int
    """Items among them that were removed by `delete`, and stay so until `restore`."""
    dropped: int
    """Items of an earlier version that this one does not have."""


@dataclass(frozen=True)
class Request:
    """What one query asks of a database."""

    query_D: np.ndarray
    conditions: Conditions
    seen: np.ndarray
    """Stable ids that must not be answered, int64."""
    exact: bool
    effort: int
    """Candidates that HNSW keeps while it searches: more is slower and finds more."""


class ItemStore(ABC):
    """The items of one model version in a database, found by inner product.

    Keys are stable ids. Removed items stay as tombstones that no answer holds. What was removed here (`delete`) no
    upsert brings back; what the run removed comes back when the run has it again.
    """

    @abstractmethod
    def upsert(
        self, items: ItemRecords, users: Queries | None = None, *, replace: bool = False, progress: Progress = silent
    ) -> Upserted:
        """Insert or update these items, and the users' queries if given; the same call again changes nothing.

        Items that the run has removed are removed here. Other items, and users who are not given, stay as they are.
        Vectors of another model version than those that are there are refused, unless `replace`: then the items and
        users that are not given leave.
        """

    @abstractmethod
    def delete(self, item_ids: Sequence[str]) -> int:
        """Remove items from every answer; returns how many were there and not removed before."""

    @abstractmethod
    def restore(self, item_ids: Sequence[str]) -> int:
        """Take removals back; returns how many there were."""

    @abstractmethod
    def delete_users(self, user_ids: Sequence[str]) -> int:
        """Delete stored queries, for good; returns how many there were."""

    @abstractmethod
    def queries(self, user_ids: Sequence[str]) -> Queries:
        """Stored queries. Raises GraphRecError for a user who is not stored."""

    def search(
        self,
        queries: Queries,
        k: int = 20,
        *,
        exclude_seen: bool = True,
        filters: Filters = NO_FILTERS,
        exact: bool = False,
        effort: int = EFFORT,
    ) -> pd.DataFrame:
        """The k best items for each user, as `Recommender.recommend` answers: the same columns, and the same lists.

        The database proposes, the score is computed again from the stored vectors. With `exact` the lists are those of
        a full scan, ties included; otherwise HNSW may miss items. A list is shorter than k only where fewer items are
        eligible: where HNSW runs dry, everything is scanned. `effort`: see `Request`.

        Raises GraphRecError where the vectors are of another version, a filter cannot be met, or k is below 1.
        """
        if k < 1:
            raise GraphRecError(f"Expected k of at least 1, got {k}.")
        with self._reading():
            self._check_version(queries.model_version)
            conditions = conditions_of(filters, self._known())
            bound = _Bound(self)
            found = []
            for row, query_D in enumerate(queries.vectors_BD):
                seen = np.asarray(queries.seen[row] if exclude_seen else [], dtype=np.int64)
                request = Request(query_D, conditions, seen, exact, effort)
                found.append(self._best(request, k, bound))
        if conditions and not any(len(best.order_K) for best in found):
            raise GraphRecError("The filters leave no item to answer with: widen or drop one.")
        return _table(queries.user_ids, found)

    def _best(self, request: Request, k: int, bound: "_Bound") -> Best:
        n = k + MARGIN
        while True:
            candidates = self._candidates(request, n)
            best = best_of(candidates, request.query_D, k)
            if len(candidates) < n or not request.exact or best.is_sure(k, bound.error(request.query_D)):
                break
            n *= 2
        if not request.exact and len(candidates) < n:  # an index that runs dry has not seen everything
            return self._best(replace(request, exact=True), k, bound)
        return best

    @abstractmethod
    def _reading(self) -> AbstractContextManager[object]:
        """Within it every look sees one state, as far as the database can do that."""

    @abstractmethod
    def _check_version(self, model_version: str) -> None:
        """Raises GraphRecError where nothing is there, or anything of another version."""

    @abstractmethod
    def _known(self) -> Known:
        """What filters may name."""

    @abstractmethod
    def _largest_norm(self) -> float:
        """Of the items' vectors."""

    @abstractmethod
    def _candidates(self, request: Request, n: int) -> Candidates:
        """The n best items that the conditions allow, as the database sees it; fewer where it finds no more."""


class _Bound:
    """How far a score of the database can be off; the largest norm is looked up once, where it is needed."""

    def __init__(self, store: ItemStore) -> None:
        self.store = store

    @cached_property
    def largest_norm(self) -> float:
        return self.store._largest_norm()

    def error(self, query_D: np.ndarray) -> float:
        return float(product_error(query_D[None], self.largest_norm)[0])


def keys_of(item_ids: Sequence[str]) -> list[int]:
    """Stable ids of a list of ids. Raises GraphRecError where it is a single string."""
    if isinstance(item_ids, str):
        raise GraphRecError(f"Expected a list of ids, got {item_ids!r}: write [{item_ids!r}].")
    return [int(number) for number in stable_ids(item_ids)]


def other_version(where: str, there: Sequence[str], given: str) -> GraphRecError:
    """The refusal of vectors of another version."""
    versions = " and ".join(sorted(there))
    what = f"vectors of model version {versions}" if len(there) == 1 else f"a mix of model versions ({versions})"
    return GraphRecError(
        f"{where} holds {what}, not of {given}: scores between versions mean nothing. Upsert this model with replace, "
        "or into a place of its own, or ask with the model that it came from."
    )


def _table(user_ids: np.ndarray, found: Sequence[Best]) -> pd.DataFrame:
    row_N = np.repeat(np.arange(len(found)), [len(best.order_K) for best in found])
    columns = {
        "user_id": user_ids[row_N],
        "rank": np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(len(best.order_K)) + 1 for best in found)]),
    }
    for name, part, empty in (
        ("item_id", "item_id_n", object),
        ("score", None, np.float32),
        ("title", "title_n", object),
        ("degree", "degree_n", np.int64),
        ("source", "source_n", object),
    ):
        parts = [best.score_K if part is None else getattr(best.candidates, part)[best.order_K] for best in found]
        columns[name] = np.concatenate([np.empty(0, dtype=empty), *parts])
    return pd.DataFrame(columns)
