"""A real PostgreSQL with pgvector, started on a folder."""

import subprocess
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from made_up_items import lists, made_up_items, made_up_queries, naive_lists, of_version
from psycopg import sql
from store_promises import StorePromises, filled, items, queries, refusal  # noqa: F401

from graphrec.data.catalogue import Attributes
from graphrec.data.filters import Filters
from graphrec.data.own_vectors import read_own_vectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.errors import GraphRecError
from graphrec.export.from_postgres import own_vectors_from_postgres
from graphrec.export.pgvector import PostgresItems
from graphrec.retrieval.item_index import ItemIndex


@pytest.fixture(scope="session")
def postgres_uri():
    """Of a server of this test process alone, which is stopped at its end.

    Not under pytest's own folder: for root the server runs as another user, and every pytest that starts closes that
    folder to others.
    """
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # it tells where its sockets lie
        pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this platform")
        try:
            server = started(pgserver, folder)
        except Exception as error:
            pytest.skip(f"pgserver cannot start a server here: {type(error).__name__}: {error}")
        yield server.get_uri()
        server.cleanup()


def started(pgserver, folder):
    """It gives a server ten seconds, which a busy machine may not have; the second look finds it running."""
    try:
        return pgserver.get_server(folder, cleanup_mode="stop")
    except subprocess.TimeoutExpired:
        return pgserver.PostgresServer(Path(folder), cleanup_mode="stop")


@pytest.fixture
def store(postgres_uri):
    """An empty place: a schema of its own, which is dropped afterwards."""
    with PostgresItems.open(postgres_uri, "test_store.items") as store:
        store.connection.execute("DROP SCHEMA IF EXISTS test_store CASCADE")
        store.connection.execute("CREATE SCHEMA test_store")
        yield store


@pytest.fixture
def own_vectors(tmp_path):
    def read(store):
        own_vectors_from_postgres(store.connection, "test_store.items", tmp_path / "own.parquet")
        own = read_own_vectors(tmp_path / "own.parquet", None, SetAsideCollector())
        return own.ids, own.x_RF

    return read


def tables(store):
    rows = store.connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'test_store'"
    )
    return sorted(row[0] for row in rows)


class TestPostgres(StorePromises):
    def rows(self, store):
        return sorted(store.connection.execute("SELECT * FROM test_store.items").fetchall(), key=lambda row: row[0])


def test_a_name_with_quotes_can_be_filtered_by(filled, items, queries):  # noqa: F811
    found = filled.search(queries, 20, filters=Filters(where=['size "in" cm=10..13']))
    assert lists(found) == naive_lists(items, queries, 20, allowed=range(10, 14))


def test_a_row_that_is_as_it_was_is_not_written_again(filled, items, queries):  # noqa: F811
    """Or HNSW would hold its vector twice until the next vacuum."""
    versions = "SELECT stable_id, xmin::text FROM test_store.items ORDER BY stable_id"
    before = filled.connection.execute(versions).fetchall()
    changed = replace(items, title_N=items.title_N.copy())
    changed.title_N[5] = "another title"
    filled.upsert(changed)
    after = filled.connection.execute(versions).fetchall()
    assert [one[0] for one, other in zip(before, after, strict=True) if one != other] == [items.stable_id_N[5]]


def test_hnsw_finds_nearly_what_a_scan_finds(store):
    """3,000 clustered items; that the index is used is seen from the plan."""
    rng = np.random.default_rng(0)
    large = made_up_items(num_items=3000, dim=16)
    large.embeddings.vectors[:] = rng.normal(size=(40, 16))[rng.integers(0, 40, 3000)] + rng.normal(size=(3000, 16)) / 3
    asking = made_up_queries(large, num_users=50)
    store.upsert(large)
    store.connection.execute("SET enable_seqscan = off")
    plan = store.connection.execute(
        "EXPLAIN SELECT item_id FROM test_store.items WHERE removed_at IS NULL ORDER BY vector <#> %s LIMIT 20",
        [asking.vectors_BD[0]],
    ).fetchall()
    assert any("items_hnsw" in line for (line,) in plan)
    found = ItemIndex.build(large.embeddings.vectors).search(asking.vectors_BD, 20)
    expected = {
        (u, i) for u, row in zip(asking.user_ids, found.items_BK, strict=True) for i in large.embeddings.ids[row]
    }
    answered = set(lists(store.search(asking, 20, exclude_seen=False)))
    assert len(answered) == len(expected)
    assert len(answered & expected) / len(expected) >= 0.99
    store.connection.execute("SET enable_seqscan = on")


def test_where_hnsw_runs_dry_everything_is_scanned(store):
    """The index looks at a thousand of 1,500 items before the filter, which lets through those of least score."""
    many = made_up_items(num_items=1500)
    asking = made_up_queries(many, num_users=5)
    score_UI = asking.vectors_BD @ many.embeddings.vectors.T
    last = np.sort(np.argsort(score_UI[0])[:30])
    price = np.zeros(1500)
    price[last] = 1
    store.upsert(replace(many, attributes=Attributes(numeric={"price": price})))
    store.connection.execute("SET enable_seqscan = off")
    found = store.search(asking, 20, filters=Filters(where=["price=1"]))
    store.connection.execute("SET enable_seqscan = on")
    assert lists(found) == naive_lists(many, asking, 20, allowed=last)


def test_an_upsert_that_is_cut_short_leaves_the_old_state(filled, items, queries, monkeypatch):  # noqa: F811
    newer, asking = of_version(made_up_items(seed=5), queries, "v2")
    before, expected = TestPostgres().rows(filled), lists(filled.search(queries, 9, exact=True))

    def killed(steps, description, total=None):
        for _ in steps:
            yield _
            raise KeyboardInterrupt

    monkeypatch.setattr("graphrec.export.stores.postgres_upsert._ROWS", 25)
    with pytest.raises(KeyboardInterrupt):
        filled.upsert(newer, asking, replace=True, progress=killed)
    monkeypatch.setattr("graphrec.export.pgvector.upsert_users", lambda *_: 1 / 0)  # when all items are in
    with pytest.raises(ZeroDivisionError):
        filled.upsert(newer, asking, replace=True)
    monkeypatch.undo()
    assert TestPostgres().rows(filled) == before
    assert lists(filled.search(queries, 9, exact=True)) == expected
    filled.upsert(newer, asking, replace=True)
    assert lists(filled.search(asking, 9, exact=True)) == naive_lists(newer, asking, 9)


def test_readers_see_the_old_lists_until_a_replacement_is_complete(filled, items, queries, postgres_uri):  # noqa: F811
    newer, asking = of_version(made_up_items(seed=5), queries, "v2")
    expected = lists(filled.search(queries, 9, exact=True))
    seen = []

    def looked_at(steps, description, total=None):
        yield from steps
        with PostgresItems.open(postgres_uri, "test_store.items") as reader:
            seen.append(lists(reader.search(queries, 9, exact=True)))

    filled.upsert(newer, asking, replace=True, progress=looked_at)
    assert seen == [expected] * len(seen)
    assert len(seen) >= 2


@pytest.mark.parametrize(
    "name",
    ["items; DROP TABLE items", 'items"; DROP TABLE x; --', "", ".", "a.b.c", "1st", "items\0", "x" * 50, "items'"],
)
def test_a_table_name_that_is_no_name_is_refused(store, name):
    assert "expected letters, digits and _" in refusal(PostgresItems, store.connection, name)


def test_names_that_need_quotes_are_quoted(store, items, queries):  # noqa: F811
    """A reserved word, and capitals that SQL would fold."""
    for name in ("select", "Items"):
        odd = PostgresItems(store.connection, f"test_store.{name}")
        odd.upsert(items)
        assert lists(odd.search(queries, 3, exact=True)) == naive_lists(items, queries, 3)
    assert tables(store) == ["Items", "Items_users", "select", "select_users"]


def test_a_table_of_somebody_else_is_left_alone(store, items):  # noqa: F811
    store.connection.execute("CREATE TABLE test_store.items (stable_id bigint, note text)")
    store.connection.execute("INSERT INTO test_store.items VALUES (1, 'mine')")
    assert "exists and is not graphrec's (it has no column item_id)" in refusal(store.upsert, items)
    assert store.connection.execute("SELECT * FROM test_store.items").fetchall() == [(1, "mine")]
    assert tables(store) == ["items"]


def test_a_nul_is_refused_with_the_item_that_holds_it(store, items):  # noqa: F811
    broken = replace(items, title_N=items.title_N.copy())
    broken.title_N[3] = "half\0title"
    assert """Item "o'brien": its id, title, site or attributes hold a NUL""" in refusal(store.upsert, broken)
    assert tables(store) == []


def test_too_many_dimensions_for_hnsw_are_refused_before_anything_is_written(store):
    wide = made_up_items(dim=2001)
    assert "at most 2,000 dimensions, these vectors have 2,001" in refusal(store.upsert, wide)
    assert tables(store) == []
    asking = made_up_queries(wide)
    unindexed = PostgresItems(store.connection, "test_store.items", hnsw=None)
    unindexed.upsert(wide)
    assert lists(unindexed.search(asking, 5)) == naive_lists(wide, asking, 5)


def test_no_message_of_a_failed_connection_holds_the_password():
    for dsn in (
        "postgresql://me:hunter2@127.0.0.1:1/db",
        "postgresql://me:hun@ter2@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=hunter2 user=me",
        "host=127.0.0.1 hunter2",
        "postgresql://me:hunter2@127.0.0.1:port/db",
    ):
        told = refusal(PostgresItems.open(dsn, named="$DATABASE_URL").__enter__)
        assert "ter2" not in told
        assert "$DATABASE_URL" in told


def test_a_user_without_rights_is_told_in_one_line(store, items, queries, postgres_uri):  # noqa: F811
    store.upsert(items)
    store.connection.execute("DROP ROLE IF EXISTS stranger")
    store.connection.execute("CREATE ROLE stranger LOGIN")
    with PostgresItems.open(postgres_uri.replace("postgres:@", "stranger:@"), "test_store.items") as stranger:
        assert "PostgreSQL refused: permission denied" in refusal(stranger.search, queries)
        assert "PostgreSQL refused: permission denied" in refusal(stranger.upsert, items)


def test_who_may_only_write_rows_may_upsert(store, items, queries, postgres_uri):  # noqa: F811
    store.upsert(items, queries)
    store.connection.execute("DROP ROLE IF EXISTS writer")
    store.connection.execute("CREATE ROLE writer LOGIN")
    store.connection.execute("GRANT USAGE ON SCHEMA test_store TO writer")
    store.connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA test_store TO writer")
    more = made_up_items(seed=5)
    with PostgresItems.open(postgres_uri.replace("postgres:@", "writer:@"), "test_store.items") as writer:
        writer.upsert(more, queries)
        assert lists(writer.search(queries, 9, exact=True)) == naive_lists(more, queries, 9)


def test_a_connection_that_does_not_commit_by_itself_is_left_outside_a_transaction(
    store,
    items,  # noqa: F811
    queries,  # noqa: F811
    postgres_uri,
):
    with psycopg.connect(postgres_uri) as connection:
        theirs = PostgresItems(connection, "test_store.items")
        theirs.upsert(items)
        theirs.search(queries, 3)
        theirs.delete(["007"])
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    left = range(1, len(items))
    assert lists(store.search(queries, 3, exact=True)) == naive_lists(items, queries, 3, left)


def test_a_caller_s_transaction_is_left_to_the_caller(store, items, queries):  # noqa: F811
    with store.connection.transaction() as outer:
        store.upsert(items)
        assert lists(store.search(queries, 3, exact=True)) == naive_lists(items, queries, 3)
        raise psycopg.Rollback(outer)
    assert tables(store) == []


def test_vectors_of_any_table_become_own_vectors(store, tmp_path):
    store.connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    store.connection.execute('CREATE TABLE test_store."Their ""s" (sku int, "the vec" real[])')
    statement = sql.SQL("INSERT INTO {} VALUES (%s, %s)").format(sql.Identifier("test_store", 'Their "s'))
    vectors = np.array([[0.1, -0.0, 3e-38], [1, 2, 3]], dtype=np.float32)
    for row, vector in enumerate(vectors):
        store.connection.execute(statement, [row, [float(one) for one in vector]])
    out = tmp_path / "v.parquet"
    assert own_vectors_from_postgres(store.connection, 'test_store.Their "s', out, "sku", "the vec") == 2
    own = read_own_vectors(out, None, SetAsideCollector())
    assert own.ids.tolist() == ["0", "1"]
    np.testing.assert_array_equal(own.x_RF.view(np.uint32), vectors.view(np.uint32))
    for table, column in (("test_store.nothing", "sku"), ('test_store.Their "s', "id"), ("test_store.", "sku")):
        assert "PostgreSQL refused" in refusal(
            own_vectors_from_postgres, store.connection, table, out, column, "the vec"
        )


def test_vectors_of_two_versions_are_no_own_vectors(filled, tmp_path):  # noqa: F811
    filled.connection.execute("UPDATE test_store.items SET model_version = 'v2' WHERE degree = 0")
    with pytest.raises(GraphRecError, match="model versions v1 and v2, which are not comparable"):
        own_vectors_from_postgres(filled.connection, "test_store.items", tmp_path / "v.parquet")
    assert not (tmp_path / "v.parquet").exists()


def test_the_plain_statement_that_an_application_sends_gives_the_same_items(filled, items, queries):  # noqa: F811
    """As the documentation shows it: without graphrec, from the stored query alone."""
    statement = """
        SELECT item_id FROM test_store.items AS item, test_store.items_users AS asking
        WHERE asking.user_id = %s AND removed_at IS NULL AND stable_id <> ALL (asking.seen)
        ORDER BY item.vector <#> asking.vector, position LIMIT 5"""
    for user_id in queries.user_ids:
        found = [(user_id, row[0]) for row in filled.connection.execute(statement, [user_id])]
        assert found == [pair for pair in naive_lists(items, queries, 5) if pair[0] == user_id]


def test_the_command_fills_a_table(graphrec, saved_run, store, postgres_uri, fitted, monkeypatch):
    monkeypatch.setenv("SHOP_DATABASE", postgres_uri)
    arguments = ("export", "--run", saved_run, "--to", "postgres", "--table", "test_store.items", "--users", "--json")
    code, out, err = graphrec(*arguments, "--dsn-env", "SHOP_DATABASE")
    assert (code, f'"items": {len(fitted.embeddings("item"))}' in out) == (0, True), err
    users = [str(one) for one in fitted.embeddings("user").ids[:3]]
    found = store.search(store.queries(users), exact=True)
    assert found["item_id"].tolist() == fitted.recommend(users)["item_id"].tolist()
    assert graphrec(*arguments)[0] == 2
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://me:hunter2@127.0.0.1:1/db")
    code, out, err = graphrec(*arguments, "--dsn-env", "SHOP_DATABASE")
    assert (code, out, err.count("\n"), "hunter2" in err) == (1, "", 1, False)
