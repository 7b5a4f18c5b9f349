"""Rows into the tables that pgvector searches: copied beside them, then merged, all in the caller's transaction."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from graphrec.errors import GraphRecError
from graphrec.export.stores import postgres_schema as schema
from graphrec.export.stores.item_store import keys_of
from graphrec.export.stores.postgres_schema import Names
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.progress import Progress

_ROWS = 1_000  # between two steps of the progress bar


def upsert_items(
    connection: Connection[Any], names: Names, items: ItemRecords, replace: bool, progress: Progress
) -> int:
    """Insert or update items and remove those that the run removed; `replace` deletes all that are not given.

    Returns how many were deleted. Raises GraphRecError for a text that PostgreSQL cannot store, and where an id has the
    stable id of another one that is there.
    """
    _copy_items(connection, names, items, progress)
    return _merge_items(connection, names, items.removed, replace)


def upsert_users(
    connection: Connection[Any], names: Names, users: Queries | None, replace: bool, progress: Progress
) -> int:
    """Insert or update stored queries; `replace` deletes those that are there first. Returns how many were given."""
    if replace:
        connection.execute(sql.SQL("DELETE FROM {}").format(names.users))
    if users is None:
        return 0
    _make_incoming(connection, names.users)
    with connection.cursor() as cursor, cursor.copy(_copy(schema.USER_COLUMNS)) as copy:
        copy.set_types(schema.USER_TYPES)
        for row in progress(range(len(users)), "Upserting users", len(users)):
            seen = [int(one) for one in users.seen[row]]
            _check_text("User", users.user_ids[row], users.user_ids[row])
            copy.write_row([users.user_ids[row], users.vectors_BD[row], seen, users.model_version])
    columns = sql.SQL(", ").join(map(sql.Identifier, schema.USER_COLUMNS))
    changes = _changes(schema.USER_COLUMNS)
    connection.execute(_MERGE_USERS.format(table=names.users, columns=columns, changes=changes))
    connection.execute("DROP TABLE graphrec_incoming")
    return len(users)


def _copy_items(connection: Connection[Any], names: Names, items: ItemRecords, progress: Progress) -> None:
    _make_incoming(connection, names.items)
    with connection.cursor() as cursor, cursor.copy(_copy(schema.COLUMNS)) as copy:
        copy.set_types(schema.TYPES)
        for rows in progress(items.batches(_ROWS), "Upserting items", -(-len(items) // _ROWS)):
            for row in rows:
                fields = items.fields(row) | {"stable_id": int(items.stable_id_N[row])}
                _check_text("Item", fields["item_id"], fields)
                fields["vector"] = items.embeddings.vectors[row]
                fields["attributes"] = Jsonb(fields["attributes"])
                copy.write_row([fields[name] for name in schema.COLUMNS])


def _merge_items(connection: Connection[Any], names: Names, removed: Sequence[str], replace: bool) -> int:
    """Take the rows that were copied in; returns how many others were deleted."""
    clash = connection.execute(_CLASH.format(table=names.items)).fetchone()
    if clash is not None:
        raise GraphRecError(f"Ids {clash[0]!r} and {clash[1]!r} have the same stable id: rename one of the two.")
    dropped = connection.execute(_DROP.format(table=names.items)).rowcount if replace else 0
    columns = sql.SQL(", ").join(map(sql.Identifier, schema.COLUMNS))
    connection.execute(
        _MERGE.format(
            table=names.items,
            columns=columns,
            changes=_changes(schema.COLUMNS),
            old=_row("there", schema.COLUMNS),
            new=_row("excluded", schema.COLUMNS),
        )
    )
    connection.execute(_BACK.format(table=names.items))
    connection.execute(_GONE.format(table=names.items), [keys_of(removed)])
    connection.execute("DROP TABLE graphrec_incoming")
    return dropped


def _make_incoming(connection: Connection[Any], like: sql.Identifier) -> None:
    statement = sql.SQL("CREATE TEMPORARY TABLE graphrec_incoming (LIKE {}) ON COMMIT DROP").format(like)
    connection.execute(statement)


def _copy(columns: Sequence[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY graphrec_incoming ({}) FROM STDIN (FORMAT BINARY)").format(names)


def _changes(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns[1:])


def _row(of: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier(of, name) for name in columns))


def _check_text(what: str, id_: str, held: Any) -> None:
    """Raises GraphRecError where a text of these values is one that PostgreSQL cannot hold."""
    if _holds_nul(held):
        raise GraphRecError(
            f"{what} {id_!r}: its id, title, site or attributes hold a NUL character, which PostgreSQL cannot store: "
            "take it out."
        )


def _holds_nul(held: Any) -> bool:
    if isinstance(held, str):
        return "\0" in held
    if isinstance(held, dict):
        return any(_holds_nul(one) for pair in held.items() for one in pair)
    return isinstance(held, list) and any(map(_holds_nul, held))


_CLASH = sql.SQL("""
SELECT there.item_id, incoming.item_id FROM {table} there JOIN graphrec_incoming incoming USING (stable_id)
WHERE there.item_id <> incoming.item_id LIMIT 1""")
_DROP = sql.SQL("""
DELETE FROM {table} there
WHERE NOT EXISTS (SELECT FROM graphrec_incoming incoming WHERE incoming.stable_id = there.stable_id)""")
# A row that is as it was is not written again: HNSW would link its vector a second time.
_MERGE = sql.SQL("""
INSERT INTO {table} AS there ({columns}) SELECT {columns} FROM graphrec_incoming ORDER BY position
ON CONFLICT (stable_id) DO UPDATE SET {changes} WHERE {old} IS DISTINCT FROM {new}""")
_BACK = sql.SQL("""
UPDATE {table} there SET removed_at = NULL, removed_by = NULL FROM graphrec_incoming incoming
WHERE incoming.stable_id = there.stable_id AND there.removed_by = 'run'""")
_GONE = sql.SQL("""
UPDATE {table} SET removed_at = now(), removed_by = 'run' WHERE stable_id = ANY(%s) AND removed_at IS NULL""")
_MERGE_USERS = sql.SQL("""
INSERT INTO {table} ({columns}) SELECT {columns} FROM graphrec_incoming
ON CONFLICT (user_id) DO UPDATE SET {changes}""")
