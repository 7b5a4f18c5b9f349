"""PostgreSQL with pgvector: a table gives the lists of `graphrec recall`, and so does one plain SQL statement."""

from tempfile import TemporaryDirectory

import pgserver
from example import answer, recalled, run_folder

from graphrec import Recommender
from graphrec.export.pgvector import PostgresItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords

# What an application sends from then on; it needs no Python.
NEXT = """
SELECT item_id FROM shop AS item, shop_users AS visitor
WHERE visitor.user_id = %s AND removed_at IS NULL AND stable_id <> ALL (visitor.seen)
ORDER BY item.vector <#> visitor.vector LIMIT 20"""

run, k = run_folder(), 20
model = Recommender.load(run)
expected = recalled(run, k)

with TemporaryDirectory() as folder:
    server = pgserver.get_server(folder)  # yours runs already: its address comes from the environment
    with PostgresItems.open(server.get_uri(), "shop") as shop:
        shop.upsert(ItemRecords.of(model), Queries.of(model))  # graphrec export --to postgres --dsn-env NAME --users
        exact = shop.search(shop.queries(list(expected)), k, exact=True)
        sent = {user: [row[0] for row in shop.connection.execute(NEXT, [user])] for user in expected}
    server.cleanup()

lists = exact.groupby("user_id")["item_id"].apply(list)
same = sum(lists[user] == expected[user] for user in expected)
shared = sum(len(set(sent[user]) & set(expected[user])) for user in expected) / sum(map(len, expected.values()))
told = f"lists equal to recall's for {same:,} of {len(expected):,} users; plain SQL finds {shared:.1%} of them"
answer(told, users=len(expected), equal=same, plain_sql=shared)
