"""The tables that pgvector searches: their names, columns and indexes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from graphrec.errors import GraphRecError

COLUMNS = (
    "stable_id", "item_id", "vector", "degree", "source", "model_version", "title", "site", "attributes", "facets",
    "position", "norm",
)  # fmt: skip
"""Of the items, as they are copied in."""
REMOVAL = ("removed_at", "removed_by")
"""When an item was removed, and whether by hand or because the run has it no more; both null where it was not."""
TYPES = ("int8", "text", "vector", "int8", "text", "text", "text", "text", "jsonb", "text[]", "int8", "float8")
USER_COLUMNS = ("user_id", "vector", "seen", "model_version")
USER_TYPES = ("text", "vector", "int8[]", "text")
MOST_DIMENSIONS = 16_000
MOST_INDEXED_DIMENSIONS = 2_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_LONGEST_NAME = 63 - len("_model_version")


@dataclass(frozen=True)
class Names:
    """Identifiers of the items' table, the users' table and the indexes, quoted wherever they are used."""

    schema: str | None
    table: str

    @classmethod
    def of(cls, table: str) -> "Names":
        """From `table` or `schema.table`. Raises GraphRecError for anything that is no plain name."""
        schema, dot, name = table.rpartition(".")
        parts = [schema, name] if dot else [name]
        if not all(_NAME.fullmatch(part) and len(part) <= _LONGEST_NAME for part in parts):
            raise GraphRecError(
                f"Table name {table!r}: expected letters, digits and _, at most {_LONGEST_NAME} of them, such as items "
                "or shop.items."
            )
        return cls(schema or None, name)

    @property
    def items(self) -> sql.Identifier:
        """The items' table."""
        return self._in_schema(self.table)

    @property
    def users(self) -> sql.Identifier:
        """The users' table."""
        return self._in_schema(f"{self.table}_users")

    def index(self, of: str) -> sql.Identifier:
        """An index of the items' table; it lies in the schema of its table."""
        return sql.Identifier(f"{self.table}_{of}")

    def index_in_schema(self, of: str) -> sql.Identifier:
        """The same, as it is looked up."""
        return self._in_schema(f"{self.table}_{of}")

    def __str__(self) -> str:
        return self.table if self.schema is None else f"{self.schema}.{self.table}"

    def _in_schema(self, name: str) -> sql.Identifier:
        return sql.Identifier(name) if self.schema is None else sql.Identifier(self.schema, name)


def create_tables(connection: Connection[Any], names: Names, dim: int) -> None:
    """Make both tables and their plain indexes where they are not; raise GraphRecError where they do not fit.

    The index for filters and those for the version and the norm are made here, HNSW by `create_hnsw`. Nothing is asked
    to be made that is there: who may only write rows may upsert.
    """
    if dim > MOST_DIMENSIONS:
        raise GraphRecError(f"pgvector holds at most {MOST_DIMENSIONS:,} dimensions, these vectors have {dim:,}.")
    for table, statement in ((names.items, _ITEMS), (names.users, _USERS)):
        if not exists(connection, table):
            connection.execute(statement.format(table=table, dim=sql.Literal(dim)))
    _check_columns(connection, names.items, (*COLUMNS, *REMOVAL))
    _check_columns(connection, names.users, USER_COLUMNS)
    _check_dim(connection, names, dim)
    for of, expression in _PLAIN_INDEXES.items():
        if not exists(connection, names.index_in_schema(of)):
            statement = sql.SQL("CREATE INDEX {index} ON {table} " + expression)
            connection.execute(statement.format(index=names.index(of), table=names.items))


def create_hnsw(connection: Connection[Any], names: Names, m: int, ef_construction: int) -> None:
    """Make the HNSW index over the items that are not removed."""
    connection.execute(
        _HNSW.format(
            index=names.index("hnsw"), table=names.items, m=sql.Literal(m), ef_construction=sql.Literal(ef_construction)
        )
    )


def check_can_be_indexed(dim: int) -> None:
    """Raises GraphRecError where pgvector's HNSW cannot hold vectors of so many dimensions."""
    if dim > MOST_INDEXED_DIMENSIONS:
        raise GraphRecError(
            f"pgvector's HNSW index holds at most {MOST_INDEXED_DIMENSIONS:,} dimensions, these vectors have {dim:,}: "
            "upsert with hnsw off and search exactly, or train with fewer (model.encoder.dim, model.raw_dim)."
        )


def exists(connection: Connection[Any], name: sql.Identifier) -> bool:
    """Whether there is such a table or index."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name.as_string(connection)]).fetchone()
    return bool(row and row[0])


def _check_columns(connection: Connection[Any], table: sql.Identifier, expected: Sequence[str]) -> None:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [table.as_string(connection)],
    )
    there = {row[0] for row in rows}
    missing = [name for name in expected if name not in there]
    if missing:
        raise GraphRecError(
            f"Table {table.as_string(connection)} exists and is not graphrec's (it has no column {missing[0]}): name "
            "another."
        )


def _check_dim(connection: Connection[Any], names: Names, dim: int) -> None:
    for table in (names.items, names.users):
        row = connection.execute(
            "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'vector'",
            [table.as_string(connection)],
        ).fetchone()
        if row is not None and row[0] != dim:
            raise GraphRecError(
                f"Table {table.as_string(connection)} holds vectors of dimension {row[0]}, these have {dim}: name "
                "another table."
            )


_ITEMS = sql.SQL("""
CREATE TABLE {table} (
    stable_id bigint PRIMARY KEY,
    item_id text NOT NULL,
    vector vector({dim}) NOT NULL,
    degree bigint NOT NULL,
    source text NOT NULL,
    model_version text NOT NULL,
    title text NOT NULL,
    site text NOT NULL,
    attributes jsonb NOT NULL,
    facets text[] NOT NULL,
    position bigint NOT NULL,
    norm double precision NOT NULL,
    removed_at timestamptz,
    removed_by text
)""")
_USERS = sql.SQL("""
CREATE TABLE {table} (
    user_id text PRIMARY KEY,
    vector vector({dim}) NOT NULL,
    seen bigint[] NOT NULL,
    model_version text NOT NULL
)""")
# The last two make the checks before every search a look at one end of an index.
_PLAIN_INDEXES = {
    "facets": "USING gin (facets)",
    "site": "(site)",
    "model_version": "(model_version)",
    "norm": "(norm)",
}
_HNSW = sql.SQL("""
CREATE INDEX {index} ON {table} USING hnsw (vector vector_ip_ops)
WITH (m = {m}, ef_construction = {ef_construction}) WHERE removed_at IS NULL""")
