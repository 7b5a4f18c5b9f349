"""Vectors of any Qdrant collection as own vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphrec.errors import GraphRecError
from graphrec.export.stores.vector_file import Row, write_vectors

try:
    from qdrant_client import QdrantClient, models

    from graphrec.export.stores.qdrant_collection import refusals
    from graphrec.export.stores.qdrant_known import every_point, is_removed
except ModuleNotFoundError as error:
    if error.name != "qdrant_client":
        raise
    raise GraphRecError("Qdrant needs its client: pip install 'graphrec[qdrant]'.") from None


def own_vectors_from_qdrant(
    client: "QdrantClient",
    collection: str,
    out: str | Path,
    id_field: str | None = "item_id",
    vector_name: str | None = None,
) -> int:
    """Write a collection's vectors to a parquet file for `vectors:` in dataset.yaml; returns how many.

    `id_field` is the field of the payload that holds the item's id; None: the point's own id. `vector_name`: where a
    point has several. float32 arrives bit for bit (in a collection by cosine, Qdrant has normalised it). Points that
    are `removed`, as `QdrantItems` leaves them, are left out. Raises GraphRecError where the collection is missing or
    empty, has no such vector, or holds vectors of two model versions.
    """
    with refusals():
        if not client.collection_exists(collection):
            raise GraphRecError(f"There is no collection {collection!r} in this Qdrant.")
        return write_vectors(_rows(client, collection, id_field, vector_name), Path(out), f"Collection {collection!r}")


def _rows(client: "QdrantClient", collection: str, id_field: str | None, vector_name: str | None) -> Iterator[Row]:
    fields = ["model_version", *([id_field] if id_field else [])]
    kept = models.Filter(must_not=[is_removed()])
    for point in every_point(client, collection, kept, fields, with_vectors=True):
        payload = point.payload or {}
        given = point.id if id_field is None else payload.get(id_field)
        item_id = None if given is None else str(given)
        yield item_id, _vector(point.vector, vector_name, collection), payload.get("model_version")


def _vector(vector: Any, name: str | None, collection: str) -> Any:
    if not isinstance(vector, dict):
        return vector
    if name is None and len(vector) == 1:
        return next(iter(vector.values()))
    if name not in vector:
        have = ", ".join(sorted(vector)) or "none"
        raise GraphRecError(f"Collection {collection!r} has several vectors to a point: name one (it has: {have}).")
    return vector[name]
