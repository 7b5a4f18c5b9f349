"""Item vectors in PostgreSQL with pgvector: one table, one transaction per upsert, exact or HNSW search."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.export.stores.candidates import Candidates
from graphrec.export.stores.item_store import ItemStore, Request, Upserted, keys_of, other_version
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.progress import Progress, silent

try:
    import psycopg
    from psycopg import sql

    from graphrec.export.stores import postgres_schema as schema
    from graphrec.export.stores.postgres_connection import connect, pgvector_version, prepare, refusals
    from graphrec.export.stores.postgres_known import PostgresKnown, where
    from graphrec.export.stores.postgres_upsert import upsert_items, upsert_users
except ModuleNotFoundError as error:
    if error.name not in ("psycopg", "pgvector"):
        raise
    raise GraphRecError("PostgreSQL needs psycopg and pgvector: pip install 'graphrec[postgres]'.") from None

_ITERATIVE = (0, 8)  # pgvector that goes on searching where a filter leaves too few
_MOST_EFFORT = 1_000  # that pgvector takes


@dataclass(frozen=True)
class Hnsw:
    """How the index is built (Malkov & Yashunin 2016); it is made by the first upsert and kept by later ones."""

    m: int = 32
    """Links of an item: more is larger and finds more. pgvector's own 16 found less where items lie in clusters."""
    ef_construction: int = 200
    """Candidates looked at when an item is linked: more is slower to build and finds more."""
    memory_mb: int | None = None
    """`maintenance_work_mem` while it is built; None: the server's. A build that does not fit is far slower."""


class PostgresItems(ItemStore):
    """A table of items in a database with pgvector, and beside it `<table>_users` for stored queries.

    Every call is one transaction: killed, it has done nothing. Where the connection is in a transaction already, it is
    a part of that one. `hnsw` None: no index is made, and searches scan.
    """

    def __init__(
        self, connection: "psycopg.Connection[Any]", table: str = "graphrec_items", hnsw: Hnsw | None = Hnsw()
    ) -> None:
        self.connection = connection
        self.names = schema.Names.of(table)
        self.hnsw = hnsw
        self._can_read = False  # of this connection: whether it knows the type of vectors

    @classmethod
    @contextmanager
    def open(
        cls, dsn: str, table: str = "graphrec_items", hnsw: Hnsw | None = Hnsw(), named: str = "the connection string"
    ) -> Iterator["PostgresItems"]:
        """With a connection of its own. Raises GraphRecError, which calls the string `named` and never shows it."""
        with connect(dsn, named) as connection:
            yield cls(connection, table, hnsw)

    def upsert(
        self, items: ItemRecords, users: Queries | None = None, *, replace: bool = False, progress: Progress = silent
    ) -> Upserted:
        """See `ItemStore.upsert`; readers see the earlier rows until all is there."""
        dim, version = items.embeddings.dim, items.model_version
        if users is not None and (users.vectors_BD.shape[1], users.model_version) != (dim, version):
            raise ValueError("Expected users of the same model as the items.")
        if self.hnsw is not None:
            schema.check_can_be_indexed(dim)
        with refusals(), self.connection.transaction():
            # Two upserts of one table at a time would wait for each other's rows anyway, or deadlock.
            self.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(self.names)])
            prepare(self.connection, create=True)
            schema.create_tables(self.connection, self.names, dim)
            if not replace:
                self._refuse_others(version)
            dropped = upsert_items(self.connection, self.names, items, replace, progress)
            num_users = upsert_users(self.connection, self.names, users, replace, progress)
            if self.hnsw is not None:
                self._build_index(self.hnsw, progress)
            still_removed = self._count_removed(items)
            self.connection.execute(sql.SQL("ANALYZE {}").format(self.names.items))
        return Upserted(len(items), num_users, still_removed, dropped)

    def delete(self, item_ids: Sequence[str]) -> int:
        """See `ItemStore.delete`; the row stays, with the time in `removed_at`."""
        return self._mark(item_ids, "removed_at = now(), removed_by = 'hand'", "removed_at IS NULL")

    def restore(self, item_ids: Sequence[str]) -> int:
        """See `ItemStore.restore`."""
        return self._mark(item_ids, "removed_at = NULL, removed_by = NULL", "removed_at IS NOT NULL")

    def delete_users(self, user_ids: Sequence[str]) -> int:
        """See `ItemStore.delete_users`."""
        keys_of(user_ids)
        statement = sql.SQL("DELETE FROM {} WHERE user_id = ANY(%s)").format(self.names.users)
        with refusals(), self.connection.transaction():
            return self.connection.execute(statement, [list(user_ids)]).rowcount

    def queries(self, user_ids: Sequence[str]) -> Queries:
        """See `ItemStore.queries`."""
        keys_of(user_ids)
        statement = sql.SQL("SELECT user_id, vector, seen, model_version FROM {} WHERE user_id = ANY(%s)")
        with self._reading():
            rows = self._cursor().execute(statement.format(self.names.users), [list(user_ids)]).fetchall()
        stored = {row[0]: row for row in rows}
        missing = [user_id for user_id in user_ids if user_id not in stored]
        if missing or not len(user_ids):
            what = f"no user {missing[0]!r}" if missing else "nobody to answer without a user id"
            raise GraphRecError(f"Table {self.names}_users has {what}: upsert the run with its users.")
        wanted = [stored[user_id] for user_id in user_ids]
        return Queries(
            np.array(user_ids, dtype=object),
            np.stack([_numbers(row[1]) for row in wanted]),
            [np.array(row[2], dtype=np.int64) for row in wanted],
            wanted[0][3],
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with refusals(), self.connection.transaction():
            if not self._can_read:
                prepare(self.connection, create=False)
                self._can_read = True
            yield

    def _check_version(self, model_version: str) -> None:
        if not self._refuse_others(model_version):
            raise GraphRecError(f"Table {self.names} is empty: upsert a run first.")

    def _refuse_others(self, model_version: str) -> bool:
        """Whether there is any row; raises GraphRecError where one is of another version."""
        statement = sql.SQL("SELECT min(model_version), max(model_version) FROM {}").format(self.names.items)
        row = self.connection.execute(statement).fetchone()
        there = {one for one in row or () if one is not None}
        if there - {model_version}:
            raise other_version(f"Table {self.names}", sorted(there), model_version)
        return bool(there)

    def _known(self) -> PostgresKnown:
        return PostgresKnown(self.connection, self.names)

    def _largest_norm(self) -> float:
        row = self.connection.execute(sql.SQL("SELECT max(norm) FROM {}").format(self.names.items)).fetchone()
        return float(row[0] or 0) if row else 0.0

    def _candidates(self, request: Request, n: int) -> Candidates:
        if not request.exact:
            self._set_search(request, n)
        condition, values = where(request.conditions, [int(one) for one in request.seen])
        order = _EXACT_ORDER if request.exact else _HNSW_ORDER
        statement = _SEARCH.format(table=self.names.items, condition=condition, order=order)
        values |= {"query": request.query_D, "n": n}
        # Prepared, it would be planned for any n and any filter, and HNSW be passed over.
        rows = self._cursor().execute(statement, values, prepare=False).fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        item_id_n, title_n, source_n = (np.array(one, dtype=object) for one in columns[:3])
        vectors = [_numbers(one) for one in columns[6]]
        return Candidates(
            item_id_n,
            title_n,
            source_n,
            np.array(columns[3], dtype=np.int64),
            np.array(columns[4], dtype=np.int64),
            np.array(columns[5], dtype=np.float64),
            np.stack(vectors) if vectors else np.empty((0, len(request.query_D)), dtype=np.float32),
        )

    def _set_search(self, request: Request, n: int) -> None:
        """Settings of the transaction alone."""
        settings = {"hnsw.ef_search": str(self._effort(request, n))}
        if self._is_iterative:
            settings["hnsw.iterative_scan"] = "relaxed_order"
        self.connection.execute(
            "SELECT " + ", ".join(["set_config(%s, %s, true)"] * len(settings)),
            [part for setting in settings.items() for part in setting],
        )

    def _effort(self, request: Request, n: int) -> int:
        """pgvector looks at so many items and filters them afterwards; before 0.8, that is all that it looks at."""
        if request.conditions and not self._is_iterative:
            return _MOST_EFFORT
        needed = n + len(request.seen) + len(request.conditions.excluded)
        return min(_MOST_EFFORT, max(needed, request.effort))

    @property
    def _is_iterative(self) -> bool:
        if not hasattr(self, "_version"):
            self._version = pgvector_version(self.connection)
        return self._version >= _ITERATIVE

    def _cursor(self) -> "psycopg.Cursor[Any]":
        return self.connection.cursor(binary=True)

    def _build_index(self, hnsw: Hnsw, progress: Progress) -> None:
        if schema.exists(self.connection, self.names.index_in_schema("hnsw")):
            return
        if hnsw.memory_mb is not None:
            self.connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [f"{hnsw.memory_mb}MB"])
        for _ in progress(range(1), "Building the HNSW index", 1):
            schema.create_hnsw(self.connection, self.names, hnsw.m, hnsw.ef_construction)

    def _count_removed(self, items: ItemRecords) -> int:
        statement = sql.SQL("SELECT stable_id FROM {} WHERE removed_at IS NOT NULL").format(self.names.items)
        removed = [row[0] for row in self.connection.execute(statement)]
        return int(np.isin(items.stable_id_N, np.array(removed, dtype=np.int64)).sum())

    def _mark(self, item_ids: Sequence[str], mark: str, before: str) -> int:
        text = f"UPDATE {{}} SET {mark} WHERE stable_id = ANY(%s) AND {before}"
        with refusals(), self.connection.transaction():
            return self.connection.execute(sql.SQL(text).format(self.names.items), [keys_of(item_ids)]).rowcount


def _numbers(value: Any) -> np.ndarray:
    """float32; older versions of the pgvector package read vectors as arrays, newer ones as `Vector`."""
    return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value, dtype=np.float32)


_SEARCH = sql.SQL("""
SELECT item_id, title, source, degree, position, -(vector <#> %(query)s) AS first, vector
FROM {table} WHERE {condition} ORDER BY {order} LIMIT %(n)s""")
_HNSW_ORDER = sql.SQL("vector <#> %(query)s")
# No index has this expression, whatever the planner is told to prefer.
_EXACT_ORDER = sql.SQL("(vector <#> %(query)s) + 0")
