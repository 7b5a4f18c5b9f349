"""What a table knows of its items, and conditions as SQL with parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, sql

from graphrec.export.stores.conditions import Between, Conditions, Kind
from graphrec.export.stores.postgres_schema import Names


class PostgresKnown:
    """See `conditions.Known`."""

    def __init__(self, connection: Connection[Any], names: Names) -> None:
        self.connection = connection
        self.names = names

    def kind_of(self, attribute: str) -> Kind | None:
        """Told by the type of one item's value."""
        row = self._row(
            "SELECT jsonb_typeof(attributes -> %(name)s) FROM {table} "
            "WHERE attributes ? %(name)s AND removed_at IS NULL LIMIT 1",
            {"name": attribute},
        )
        return None if row is None else "number" if row[0] == "number" else "words"

    def has_facet(self, wanted: str) -> bool:
        """Found in the index over facets."""
        return self._any("facets @> ARRAY[%(wanted)s]", {"wanted": wanted})

    def has_site(self, site: str) -> bool:
        """Found in the index over sites."""
        return self._any("site = %(site)s", {"site": site})

    def unknown_items(self, numbers: Sequence[int]) -> set[int]:
        """Removed items are known."""
        rows = self._rows("SELECT stable_id FROM {table} WHERE stable_id = ANY(%(numbers)s)", {"numbers": [*numbers]})
        return set(numbers) - {row[0] for row in rows}

    def attribute_names(self) -> set[str]:
        """Of all items."""
        return {row[0] for row in self._rows("SELECT DISTINCT jsonb_object_keys(attributes) FROM {table}", {})}

    def values_of(self, attribute: str) -> set[str]:
        """As they were given."""
        held = self._rows("SELECT DISTINCT attributes -> %(name)s FROM {table}", {"name": attribute})
        return {value for (one,) in held if one is not None for value in (one if isinstance(one, list) else [one])}

    def sites(self) -> set[str]:
        """Of all items."""
        return {row[0] for row in self._rows("SELECT DISTINCT site FROM {table} WHERE site <> ''", {})}

    def _any(self, condition: str, values: Mapping[str, Any]) -> bool:
        statement = "SELECT 1 FROM {table} WHERE " + condition + " AND removed_at IS NULL LIMIT 1"
        return self._row(statement, values) is not None

    def _row(self, statement: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        rows = self._rows(statement, values)
        return rows[0] if rows else None

    def _rows(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.SQL(statement).format(table=self.names.items), values).fetchall()


def where(conditions: Conditions, seen: Sequence[int]) -> tuple[sql.Composable, dict[str, Any]]:
    """The condition of a search and its parameters."""
    parts, values = ["removed_at IS NULL"], dict[str, Any]()
    if conditions.only_new:
        parts.append("degree = 0")
    if conditions.sites:
        parts.append("site = ANY(%(sites)s)")
        values["sites"] = list(conditions.sites)
    if conditions.excluded or len(seen):
        parts.append("stable_id <> ALL(%(excluded)s)")
        values["excluded"] = [*conditions.excluded, *seen]
    for number, one in enumerate(conditions.attributes):
        if isinstance(one, Between):
            parts.append(_BETWEEN.replace("#", str(number)))
            values |= {f"name{number}": one.name, f"low{number}": one.low, f"high{number}": one.high}
        else:
            parts.append(f"facets && %(facets{number})s")
            values[f"facets{number}"] = list(one.facets)
    return sql.SQL(" AND ".join(parts)), values


# A cast of another item's words to a number would fail, in whatever order the parts are looked at.
_BETWEEN = (
    "CASE WHEN jsonb_typeof(attributes -> %(name#)s) = 'number' "
    "THEN (attributes ->> %(name#)s)::float8 BETWEEN %(low#)s AND %(high#)s ELSE false END"
)
