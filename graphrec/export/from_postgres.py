"""Vectors of any PostgreSQL table as own vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphrec.errors import GraphRecError
from graphrec.export.stores.vector_file import Row, write_vectors

try:
    import psycopg
    from psycopg import sql

    from graphrec.export.stores.postgres_connection import refusals
except ModuleNotFoundError as error:
    if error.name not in ("psycopg", "pgvector"):
        raise
    raise GraphRecError("PostgreSQL needs psycopg and pgvector: pip install 'graphrec[postgres]'.") from None

_ROWS = 2_000  # fetched at a time


def own_vectors_from_postgres(
    connection: "psycopg.Connection[Any]",
    table: str,
    out: str | Path,
    id_column: str = "item_id",
    vector_column: str = "vector",
) -> int:
    """Write a table's vectors to a parquet file for `vectors:` in dataset.yaml; returns how many.

    `table` is a name or schema.name; the vectors may be of type vector, halfvec, real[] or double precision[]. float32
    arrives bit for bit. Rows with a `removed_at`, as `PostgresItems` leaves them, are left out. Raises GraphRecError
    where the table or a column is missing, is empty, or holds vectors of two model versions.
    """
    with refusals(), connection.transaction():
        return write_vectors(_rows(connection, table, id_column, vector_column), Path(out), f"Table {table}")


def _rows(connection: "psycopg.Connection[Any]", table: str, id_column: str, vector_column: str) -> Iterator[Row]:
    name = sql.Identifier(*table.split("."))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name))
        columns = {column.name for column in cursor.description or ()}
    version = sql.SQL("model_version") if "model_version" in columns else sql.SQL("NULL::text")
    kept = sql.SQL("WHERE removed_at IS NULL") if "removed_at" in columns else sql.SQL("")
    statement = sql.SQL("SELECT {id}::text, {vector}::real[], {version} FROM {table} {kept}").format(
        id=sql.Identifier(id_column), vector=sql.Identifier(vector_column), version=version, table=name, kept=kept
    )
    with connection.cursor("graphrec_vectors", binary=True) as cursor:
        cursor.itersize = _ROWS
        yield from cursor.execute(statement)
