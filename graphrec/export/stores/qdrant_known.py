"""What a collection knows of its items, and conditions as Qdrant's filters."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from qdrant_client import QdrantClient, models

from graphrec.errors import GraphRecError
from graphrec.export.stores.conditions import Between, Conditions, Kind

REMOVED = "removed"
REMOVAL = (REMOVED, "removed_at", "removed_by")
"""Whether an item was removed, when, and whether by hand or because the run has it no more."""
NOT_REMOVED = {REMOVED: False, "removed_at": None, "removed_by": None}
_PAGE = 1_000


class QdrantKnown:
    """See `conditions.Known`."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self.client = client
        self.collection = collection

    def kind_of(self, attribute: str) -> Kind | None:
        """Told by the type of one item's value."""
        path = _path(attribute)
        has_it = models.IsEmptyCondition(is_empty=models.PayloadField(key=path))
        payload = self.first(models.Filter(must_not=[has_it, is_removed()]), ["attributes"])
        if payload is None:
            return None
        return "number" if isinstance(payload["attributes"][attribute], int | float) else "words"

    def has_facet(self, wanted: str) -> bool:
        """Found in the index over facets."""
        return self.first(models.Filter(must=[equals("facets", wanted)], must_not=[is_removed()])) is not None

    def has_site(self, site: str) -> bool:
        """Found in the index over sites."""
        return self.first(models.Filter(must=[equals("site", site)], must_not=[is_removed()])) is not None

    def unknown_items(self, numbers: Sequence[int]) -> set[int]:
        """Removed items are known."""
        points = self.client.retrieve(self.collection, list(numbers), with_payload=False)
        return set(numbers) - {int(point.id) for point in points}

    def attribute_names(self) -> set[str]:
        """Of all items."""
        return {name for payload in self._payloads(["attributes"]) for name in payload["attributes"]}

    def values_of(self, attribute: str) -> set[str]:
        """As they were given."""
        held = [payload["attributes"].get(attribute, []) for payload in self._payloads(["attributes"])]
        return {value for one in held for value in (one if isinstance(one, list) else [one])}

    def sites(self) -> set[str]:
        """Of all items."""
        return {payload["site"] for payload in self._payloads(["site"])} - {""}

    def first(self, condition: models.Filter | None, fields: Sequence[str] = ()) -> dict[str, Any] | None:
        """The payload of one point that meets the condition, with these fields; None where there is none."""
        points, _ = self.client.scroll(self.collection, condition, limit=1, with_payload=list(fields) or False)
        return (points[0].payload or {}) if points else None

    def _payloads(self, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        for point in every_point(self.client, self.collection, None, fields, with_vectors=False):
            yield point.payload or {}


def every_point(
    client: QdrantClient, collection: str, condition: models.Filter | None, fields: Sequence[str], with_vectors: bool
) -> Iterator[models.Record]:
    """All points that meet the condition, a page at a time."""
    offset = None
    while True:
        points, offset = client.scroll(
            collection, condition, _PAGE, offset=offset, with_payload=list(fields), with_vectors=with_vectors
        )
        yield from points
        if offset is None:
            return


def filter_of(conditions: Conditions, seen: Sequence[int]) -> models.Filter:
    """What a search's answer must meet, as Qdrant writes it."""
    must: list[models.Condition] = []
    must_not: list[models.Condition] = [is_removed()]
    if conditions.only_new:
        must.append(equals("degree", 0))
    if conditions.sites:
        must.append(_any_of("site", conditions.sites))
    if conditions.excluded or len(seen):
        must_not.append(models.HasIdCondition(has_id=[*conditions.excluded, *seen]))
    for one in conditions.attributes:
        must.append(_between(one) if isinstance(one, Between) else _any_of("facets", one.facets))
    return models.Filter(must=must or None, must_not=must_not)


def is_removed() -> models.FieldCondition:
    """That an item is a tombstone."""
    return equals(REMOVED, True)


def equals(field: str, value: str | int | bool) -> models.FieldCondition:
    """That a field of the payload has this value, or holds it."""
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def of_version(model_version: str) -> models.Filter:
    """Points of this model version."""
    return models.Filter(must=[equals("model_version", model_version)])


def of_other_versions(model_version: str) -> models.Filter:
    """Points of any other."""
    return models.Filter(must_not=[equals("model_version", model_version)])


def _any_of(field: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))


def _between(one: Between) -> models.FieldCondition:
    low, high = (end if math.isfinite(end) else None for end in (one.low, one.high))
    return models.FieldCondition(key=_path(one.name), range=models.Range(gte=low, lte=high))


def _path(attribute: str) -> str:
    """Where the payload holds it. Raises GraphRecError for a name that Qdrant cannot be asked for."""
    if '"' in attribute or "\\" in attribute:
        raise GraphRecError(f"--where {attribute}: Qdrant cannot filter by a name that holds a quote; rename it.")
    return f"attributes.{json.dumps(attribute, ensure_ascii=False)}"
