"""Item vectors in Qdrant: a server, or the embedded mode of its client."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.stores.candidates import Candidates
from graphrec.export.stores.item_store import ItemStore, Request, Upserted, keys_of, other_version
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.progress import Progress, silent

try:
    from qdrant_client import QdrantClient, models

    from graphrec.export.stores.qdrant_collection import (
        connect,
        create_collection,
        create_payload_indexes,
        is_embedded,
        refusals,
    )
    from graphrec.export.stores.qdrant_known import (
        NOT_REMOVED,
        REMOVAL,
        REMOVED,
        QdrantKnown,
        filter_of,
        is_removed,
        of_other_versions,
        of_version,
    )
except ModuleNotFoundError as error:
    if error.name != "qdrant_client":
        raise
    raise GraphRecError("Qdrant needs its client: pip install 'graphrec[qdrant]'.") from None

_POINTS = 256  # of a request
_HNSW = models.HnswConfigDiff(m=32, ef_construct=200)  # as in `retrieval.item_index` and `export.pgvector`
_NO_HNSW = models.HnswConfigDiff(m=0)
_SHOWN = ["item_id", "title", "source", "degree", "position"]


class QdrantItems(ItemStore):
    """A collection of items by dot product, and beside it `<collection>_users` for stored queries.

    Qdrant has no transactions. An upsert that was cut short leaves some points as they were: the same call does the
    rest, and until then vectors of two versions are told apart and refused.
    """

    def __init__(self, client: "QdrantClient", collection: str = "graphrec_items") -> None:
        if not collection:
            raise GraphRecError("Expected the name of a collection, got none.")
        self.client = client
        self.collection = collection
        self.users = f"{collection}_users"

    @classmethod
    @contextmanager
    def open(
        cls,
        path: str | Path | None = None,
        url: str | None = None,
        api_key: str | None = None,
        collection: str = "graphrec_items",
    ) -> Iterator["QdrantItems"]:
        """With a client of its own: of a folder, of a server, or of memory; see `qdrant_collection.connect`."""
        client = connect(None if path is None else Path(path), url, api_key)
        try:
            yield cls(client, collection)
        finally:
            client.close()

    def upsert(
        self, items: ItemRecords, users: Queries | None = None, *, replace: bool = False, progress: Progress = silent
    ) -> Upserted:
        """See `ItemStore.upsert`; readers see points change one request after another."""
        dim, version = items.embeddings.dim, items.model_version
        if users is not None and (users.vectors_BD.shape[1], users.model_version) != (dim, version):
            raise ValueError("Expected users of the same model as the items.")
        with refusals():
            create_collection(self.client, self.collection, dim, _HNSW)
            create_payload_indexes(self.client, self.collection)
            if not replace:
                self._refuse_others(version)
            still_removed = 0
            for rows in progress(items.batches(_POINTS), "Upserting items", -(-len(items) // _POINTS)):
                still_removed += self._upsert_batch(items, rows)
            self._mark(items.removed, _removal("run"), was_removed=False)
            if users is not None:
                self._upsert_users(users, progress)
            dropped = self._drop_others(version) if replace else 0
        return Upserted(len(items), 0 if users is None else len(users), still_removed, dropped)

    def delete(self, item_ids: Sequence[str]) -> int:
        """See `ItemStore.delete`; the point stays, with the time in `removed_at`."""
        return self._mark(item_ids, _removal("hand"), was_removed=False)

    def restore(self, item_ids: Sequence[str]) -> int:
        """See `ItemStore.restore`."""
        return self._mark(item_ids, NOT_REMOVED, was_removed=True)

    def delete_users(self, user_ids: Sequence[str]) -> int:
        """See `ItemStore.delete_users`."""
        keys = keys_of(user_ids)
        with refusals():
            if not keys or not self.client.collection_exists(self.users):
                return 0
            chosen = models.Filter(must=[models.HasIdCondition(has_id=keys)])
            count = self.client.count(self.users, chosen, exact=True).count
            self.client.delete(self.users, models.FilterSelector(filter=chosen), wait=True)
        return int(count)

    def queries(self, user_ids: Sequence[str]) -> Queries:
        """See `ItemStore.queries`."""
        keys = keys_of(user_ids)
        with refusals():
            there = bool(keys) and self.client.collection_exists(self.users)
            points = self.client.retrieve(self.users, keys, with_payload=True, with_vectors=True) if there else []
        stored = {int(point.id): point for point in points}
        missing = [user_id for user_id, key in zip(user_ids, keys, strict=True) if key not in stored]
        if missing or not keys:
            what = f"no user {missing[0]!r}" if missing else "nobody to answer without a user id"
            raise GraphRecError(f"Collection {self.users} has {what}: upsert the run with its users.")
        wanted = [stored[key] for key in keys]
        return Queries(
            np.array(user_ids, dtype=object),
            np.array([point.vector for point in wanted], dtype=np.float32),
            [np.array(point.payload["seen"], dtype=np.int64) for point in wanted],
            wanted[0].payload["model_version"],
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with refusals():
            if not self.client.collection_exists(self.collection):
                raise GraphRecError(f"There is no collection {self.collection!r} in this Qdrant: upsert a run first.")
            yield

    def _check_version(self, model_version: str) -> None:
        if not self._refuse_others(model_version):
            raise GraphRecError(f"Collection {self.collection!r} is empty: upsert a run first.")

    def _refuse_others(self, model_version: str) -> bool:
        """Whether there is any point; raises GraphRecError where one is of another version."""
        known = self._known()
        other = known.first(of_other_versions(model_version), ["model_version"])
        if other is not None:
            is_mixed = known.first(of_version(model_version)) is not None
            there = [other.get("model_version", "none"), *([model_version] if is_mixed else [])]
            raise other_version(f"Collection {self.collection!r}", there, model_version)
        return known.first(None) is not None

    def _known(self) -> QdrantKnown:
        return QdrantKnown(self.client, self.collection)

    def _largest_norm(self) -> float:
        order = models.OrderBy(key="norm", direction=models.Direction.DESC)
        points, _ = self.client.scroll(self.collection, limit=1, order_by=order, with_payload=["norm"])
        return float(points[0].payload["norm"]) if points else 0.0

    def _candidates(self, request: Request, n: int) -> Candidates:
        params = models.SearchParams(exact=request.exact, hnsw_ef=request.effort)
        points = self.client.query_points(
            self.collection,
            query=[float(one) for one in request.query_D],
            query_filter=filter_of(request.conditions, [int(one) for one in request.seen]),
            search_params=None if is_embedded(self.client) else params,
            limit=n,
            with_payload=_SHOWN,
            with_vectors=True,
        ).points
        item_id_n, title_n, source_n, degree_n, position_n = (
            np.array([point.payload[name] for point in points], dtype=kind)
            for name, kind in zip(_SHOWN, (object, object, object, np.int64, np.int64), strict=True)
        )
        return Candidates(
            item_id_n,
            title_n,
            source_n,
            degree_n,
            position_n,
            np.array([point.score for point in points], dtype=np.float64),
            np.array([point.vector for point in points], dtype=np.float32).reshape(len(points), len(request.query_D)),
        )

    def _upsert_batch(self, items: ItemRecords, rows: range) -> int:
        """Returns how many of the items stay removed."""
        keys = [int(items.stable_id_N[row]) for row in rows]
        fields = ["item_id", *REMOVAL]
        there = {point.id: point.payload for point in self.client.retrieve(self.collection, keys, with_payload=fields)}
        payloads = []
        for row, key in zip(rows, keys, strict=True):
            before: dict[str, Any] = there.get(key, {})
            payload = items.fields(row)
            if before.get("item_id", payload["item_id"]) != payload["item_id"]:
                raise GraphRecError(
                    f"Ids {before['item_id']!r} and {payload['item_id']!r} have the same stable id: rename one of the "
                    "two."
                )
            is_by_hand = before.get("removed_by") == "hand"
            payloads.append(payload | ({name: before[name] for name in REMOVAL} if is_by_hand else NOT_REMOVED))
        vectors = items.embeddings.vectors[rows.start : rows.stop].tolist()
        self.client.upsert(self.collection, models.Batch(ids=keys, payloads=payloads, vectors=vectors), wait=True)
        return sum(payload[REMOVED] for payload in payloads)

    def _upsert_users(self, users: Queries, progress: Progress) -> None:
        # They are read by id and never searched, so no graph is built over them.
        create_collection(self.client, self.users, users.vectors_BD.shape[1], _NO_HNSW)
        keys = stable_ids(users.user_ids)
        starts = range(0, len(users), _POINTS)
        for start in progress(starts, "Upserting users", len(starts)):
            rows = range(start, min(start + _POINTS, len(users)))
            payloads = [
                {
                    "user_id": str(users.user_ids[row]),
                    "seen": [int(one) for one in users.seen[row]],
                    "model_version": users.model_version,
                }
                for row in rows
            ]
            ids = [int(keys[row]) for row in rows]
            vectors = users.vectors_BD[rows.start : rows.stop].tolist()
            self.client.upsert(self.users, models.Batch(ids=ids, payloads=payloads, vectors=vectors), wait=True)

    def _drop_others(self, model_version: str) -> int:
        """Deletes items and users of other versions; returns how many items."""
        others = of_other_versions(model_version)
        count = self.client.count(self.collection, others, exact=True).count
        self.client.delete(self.collection, models.FilterSelector(filter=others), wait=True)
        if self.client.collection_exists(self.users):
            self.client.delete(self.users, models.FilterSelector(filter=others), wait=True)
        return int(count)

    def _mark(self, item_ids: Sequence[str], payload: dict[str, Any], was_removed: bool) -> int:
        keys = keys_of(item_ids)
        with self._reading():
            if not keys:
                return 0
            chosen = models.Filter(
                must=[models.HasIdCondition(has_id=keys), *([is_removed()] if was_removed else [])],
                must_not=None if was_removed else [is_removed()],
            )
            count = self.client.count(self.collection, chosen, exact=True).count
            if count:
                self.client.set_payload(
                    self.collection, payload, points=models.FilterSelector(filter=chosen), wait=True
                )
        return int(count)


def _removal(by: str) -> dict[str, Any]:
    return {REMOVED: True, "removed_at": datetime.now(UTC).isoformat(timespec="seconds"), "removed_by": by}
