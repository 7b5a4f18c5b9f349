"""Do Qdrant and PostgreSQL give graphrec's own lists, what does HNSW miss, and what does it all cost?

python experiments/021-vector-stores/run.py --root DATA writes metrics.json beside this file and the tables of README.md
here. One world at a time with --worlds NAME; what was measured of the others is kept.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pgserver
from worlds import NAMES, World, world_of

from graphrec.data.filters import Filters
from graphrec.export.pgvector import Hnsw, PostgresItems
from graphrec.export.qdrant import QdrantItems
from graphrec.export.stores.item_store import EFFORT, ItemStore
from graphrec.export.stores.queries import Queries

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, write_metrics, write_table  # noqa: E402

K = 20
QUERIES = 300
TIMED = 100
EFFORTS = (100, 256, 512, 1000)
HNSW = Hnsw(memory_mb=2048)
PLAIN = """
SELECT item_id FROM items WHERE removed_at IS NULL AND stable_id <> ALL (%s)
ORDER BY vector <#> %s LIMIT 20"""


def own_lists(world: World, only_new: bool = False) -> list[tuple[str, str]]:
    """(user_id, item_id) in order, by graphrec's own index."""
    allowed = np.flatnonzero(world.items.embeddings.degree == 0) if only_new else None
    exclude = [world.seen_rows(row) for row in range(len(world.queries))]
    found = world.index.search(world.queries.vectors_BD, K, exclude=exclude, allowed=allowed)
    row, place = np.nonzero(found.items_BK >= 0)
    ids = world.items.embeddings.ids[found.items_BK[row, place]]
    return list(zip(world.queries.user_ids[row], ids, strict=True))


def pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["user_id"], table["item_id"], strict=True))


def equal_lists(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> int:
    """How many users get the same items in the same order."""
    lists: tuple[dict[str, list[str]], ...] = ({}, {})
    for held, some in zip(lists, (found, expected), strict=True):
        for user_id, item_id in some:
            held.setdefault(user_id, []).append(item_id)
    return sum(lists[0].get(user_id) == items for user_id, items in lists[1].items())


def recall(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> float:
    return len(set(found) & set(expected)) / len(expected)


def one(queries: Queries, row: int) -> Queries:
    return Queries(queries.user_ids[[row]], queries.vectors_BD[[row]], [queries.seen[row]], queries.model_version)


def p50(ask: Callable[[int], object], count: int) -> float:
    """Milliseconds of the middle of so many single questions, after three that do not count."""
    seconds = []
    for row in [*range(3), *range(count)]:
        start = time.perf_counter()
        ask(row)
        seconds.append(time.perf_counter() - start)
    return round(float(np.median(seconds[3:])) * 1e3, 2)


def searched(store: ItemStore, world: World, expected: list[tuple[str, str]], **options: Any) -> dict[str, Any]:
    found = pairs(store.search(world.queries, K, **options))
    return {
        "users": len(world.queries),
        "equal_lists": equal_lists(found, expected),
        "recall@20": recall(found, expected),
        "p50_ms": p50(lambda row: store.search(one(world.queries, row), K, **options), TIMED),
    }


@contextmanager
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        running = pgserver.get_server(folder)
        yield running.get_uri()
        running.cleanup()


def postgres(world: World) -> dict[str, Any]:
    expected, new = own_lists(world), own_lists(world, only_new=True)
    with server() as uri, PostgresItems.open(uri, "items", hnsw=None) as store:
        result: dict[str, Any] = {"upsert_seconds": timed(lambda: store.upsert(world.items))}
        store.hnsw = HNSW
        result["index_seconds"] = timed(lambda: store.upsert(world.items))  # nothing else changes
        result["again_seconds"] = timed(lambda: store.upsert(world.items))
        sizes = store.connection.execute("SELECT pg_table_size('items'), pg_relation_size('items_hnsw')").fetchone()
        result |= dict(zip(("table_mb", "index_mb"), (round(size / 2**20) for size in sizes), strict=True))
        result["version"] = " / ".join(version(store))
        result["exact"] = searched(store, world, expected, exact=True)
        store.connection.execute("SET enable_seqscan = off")  # a small table would be scanned, which is exact
        result["hnsw"] = {str(effort): searched(store, world, expected, effort=effort) for effort in EFFORTS}
        result["hnsw_only_new"] = searched(store, world, new, filters=Filters(only_new=True))
        store.connection.execute(f"SET hnsw.ef_search = {EFFORT}")
        result["plain_sql"] = plain(store, world, expected)
        assert "items_hnsw" in plan(store, world)
    return result


def plain(store: PostgresItems, world: World, expected: list[tuple[str, str]]) -> dict[str, Any]:
    """The statement that an application sends."""

    def ask(row: int) -> list[tuple[str, str]]:
        values = [[int(number) for number in world.queries.seen[row]], world.queries.vectors_BD[row]]
        answer = store.connection.execute(PLAIN, values, prepare=False)
        return [(world.queries.user_ids[row], item_id) for (item_id,) in answer]

    found = [pair for row in range(len(world.queries)) for pair in ask(row)]
    return {"recall@20": recall(found, expected), "p50_ms": p50(ask, TIMED)}


def plan(store: PostgresItems, world: World) -> str:
    values = [[int(number) for number in world.queries.seen[0]], world.queries.vectors_BD[0]]
    return "\n".join(row[0] for row in store.connection.execute(f"EXPLAIN {PLAIN}", values))


def version(store: PostgresItems) -> list[str]:
    row = store.connection.execute(
        "SELECT 'PostgreSQL ' || current_setting('server_version'), 'pgvector ' || extversion "
        "FROM pg_extension WHERE extname = 'vector'"
    ).fetchone()
    return list(row or ())


def qdrant(world: World) -> dict[str, Any]:
    """Embedded, in memory: it scans in Python, so few questions are asked of a large catalogue."""
    count = 20 if len(world.items) > 20_000 else TIMED
    few = Queries(
        world.queries.user_ids[:count], world.queries.vectors_BD[:count], world.queries.seen[:count],
        world.queries.model_version,
    )  # fmt: skip
    asking = set(few.user_ids)
    expected = [pair for pair in own_lists(world) if pair[0] in asking]
    with QdrantItems.open() as store:
        result: dict[str, Any] = {"upsert_seconds": timed(lambda: store.upsert(world.items))}
        found = pairs(store.search(few, K, exact=True))
        result |= {"users": len(few), "equal_lists": equal_lists(found, expected), "recall@20": recall(found, expected)}
        result["p50_ms"] = p50(lambda row: store.search(one(few, row), K, exact=True), count - 3)
    return result


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 2)


def measured(world: World) -> dict[str, Any]:
    def own(row: int) -> object:
        return world.index.search(world.queries.vectors_BD[[row]], K, exclude=[world.seen_rows(row)])

    result = {"items": len(world.items), "dim": world.items.embeddings.dim, "own_index_p50_ms": p50(own, TIMED)}
    result["postgres"] = postgres(world)
    print(json.dumps(result), flush=True)
    result["qdrant"] = qdrant(world)
    print(json.dumps(result["qdrant"]), flush=True)
    return result


def lists_table(worlds: dict[str, Any]) -> str:
    lines = [
        "| items, dimension | asked of | same lists | Recall@20 | p50, ms |",
        "|---|---|---|---|---|",
    ]
    for name, world in worlds.items():
        about, pg, qd = f"{name}: {world['items']:,}, {world['dim']}", world["postgres"], world["qdrant"]
        lines.append(f"| {about} | graphrec's own index, one question at a time |  |  | {world['own_index_p50_ms']} |")
        rows = [("PostgreSQL, exact", pg["exact"])]
        rows += [(f"PostgreSQL, HNSW, ef_search {effort}", row) for effort, row in pg["hnsw"].items()]
        rows += [("PostgreSQL, HNSW, new items alone", pg["hnsw_only_new"])]
        rows += [(f"PostgreSQL, HNSW, ef_search {EFFORT}, plain SQL", pg["plain_sql"]), ("Qdrant, embedded", qd)]
        for asked, row in rows:
            same = f"{row['equal_lists']} of {row['users']}" if "users" in row else ""
            lines.append(f"| {about} | {asked} | {same} | {row['recall@20']:.4f} | {row['p50_ms']} |")
    return "\n".join(lines)


def costs_table(worlds: dict[str, Any]) -> str:
    lines = [
        "| items | PostgreSQL: upsert, items/s | HNSW built in, s | the same upsert again, s | table, MB | index, MB "
        "| Qdrant, embedded: upsert, items/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, world in worlds.items():
        pg, qd, count = world["postgres"], world["qdrant"], world["items"]
        rate = f"{count / pg['upsert_seconds']:,.0f}"
        lines.append(
            f"| {name}: {count:,} | {rate} | {pg['index_seconds']} | {pg['again_seconds']} "
            f"| {pg['table_mb']} | {pg['index_mb']} | {count / qd['upsert_seconds']:,.0f} |"
        )
    return "\n".join(lines)


def results(metrics: dict[str, Any]) -> str:
    worlds = metrics["worlds"]
    about = (
        f"{next(iter(worlds.values()))['postgres']['version']}; qdrant-client {metrics['qdrant-client']}; "
        f"{metrics['machine']}, other work beside it. p50: one user at a time, {TIMED} of them, in one process; "
        "PostgreSQL through a local socket, its shared memory as it comes (128 MB)."
    )
    return "\n\n".join([lists_table(worlds), costs_table(worlds), about])


def main() -> None:
    from importlib.metadata import version as package_version

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--worlds", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    file = HERE / "metrics.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"worlds": {}}
    if not arguments.tables_only:
        for name in arguments.worlds:
            kept["worlds"][name] = measured(world_of(name, arguments.root, QUERIES))
        kept["worlds"] = {name: kept["worlds"][name] for name in NAMES if name in kept["worlds"]}
        kept |= {**machine(), "qdrant-client": package_version("qdrant-client")}
        write_metrics(HERE, kept)
    write_table(HERE / "README.md", "results", results(kept))


if __name__ == "__main__":
    main()
