"""Connecting to PostgreSQL, and its refusals as one line that never holds a password."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector

from graphrec.errors import GraphRecError

_REASONS = {
    "authentication failed": "the user or the password is not accepted",
    "no password supplied": "the server asks for a password",
    "Connection refused": "nothing answers at that address",
    "No such file": "no server listens on that socket",
    "could not translate host": "the host is not known",
    "failed to resolve host": "the host is not known",
    "timeout": "the server did not answer in time",
    "does not exist": "the server has no such user or database",
}


def connect(dsn: str, named: str = "the connection string") -> psycopg.Connection[Any]:
    """A connection that commits by itself outside transactions. Raises GraphRecError without any part of `dsn`.

    What the driver says of a connection string may repeat it: a password that holds an @ is read as a host.
    """
    try:
        return psycopg.connect(dsn, autocommit=True, application_name="graphrec")
    except psycopg.OperationalError as error:
        reason = next((ours for theirs, ours in _REASONS.items() if theirs in str(error)), "the connection failed")
        raise GraphRecError(f"No connection to PostgreSQL: {reason}. Check {named}.") from None
    except psycopg.Error:
        raise GraphRecError(
            f"No connection to PostgreSQL: {named} cannot be read; expected postgresql://user:password@host/database."
        ) from None


def prepare(connection: psycopg.Connection[Any], create: bool) -> None:
    """Let the connection read and write vectors; `create`: make the extension where the database lacks it."""
    if not _has_extension(connection):
        if not create:
            raise GraphRecError("This database has no pgvector, so no vectors are in it: upsert a run first.")
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise GraphRecError(
                f"This database has no pgvector ({_primary(error)}): install pgvector on the server and let the owner "
                "of the database call CREATE EXTENSION vector."
            ) from None
    register_vector(connection)


def pgvector_version(connection: psycopg.Connection[Any]) -> tuple[int, ...]:
    """Of the extension in this database, such as (0, 8, 0)."""
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return tuple(int(part) for part in row[0].split(".")) if row else ()


@contextmanager
def refusals() -> Iterator[None]:
    """What the server refuses, as a GraphRecError."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise GraphRecError(
            f"PostgreSQL gave up ({_primary(error)}): nothing of this call was kept, call again."
        ) from None
    except psycopg.ProgrammingError as error:
        raise GraphRecError(f"PostgreSQL refused: {_primary(error)}. {_what_to_do(error)}") from None


def _what_to_do(error: psycopg.ProgrammingError) -> str:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "Ask for the right, or name another table."
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "Name a table that is there, or upsert a run first."
    if isinstance(error, psycopg.errors.InvalidSchemaName):
        return "Create the schema first."
    return "Check the names of the table and its columns."


def _has_extension(connection: psycopg.Connection[Any]) -> bool:
    return bool(pgvector_version(connection))


def _primary(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__
