"""PostgreSQL with pgvector: a table gives the lists of `graphrec recall`, and so does one plain SQL statement."""

from tempfile import TemporaryDirectory

import pgserver
from example import MOST_USERS, answer, run_folder

from graphrec import Recommender
from graphrec.export.pgvector import PostgresItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords

# What an application sends from then on; it needs no Python.
NEXT = """
SELECT item_id FROM shop AS item, shop_users AS visitor
WHERE visitor.user_id = %s AND removed_at IS NULL AND stable_id <> ALL (visitor.seen)
ORDER BY item.vector <#> visitor.vector LIMIT 20"""

model, k = Recommender.load(run_folder()), 20
users = Queries.of(model)  # all with a history: their vectors, and what they have seen
asking = [str(one) for one in users.user_ids[:MOST_USERS]]
recalled = model.recommend(asking, k)

with TemporaryDirectory() as folder:
    server = pgserver.get_server(folder)  # yours runs already: its address comes from the environment
    with PostgresItems.open(server.get_uri(), "shop") as shop:
        shop.upsert(ItemRecords.of(model), users)  # graphrec export --to postgres --dsn-env NAME --users
        exact = shop.search(shop.queries(asking), k, exact=True)
        sent = {user: [row[0] for row in shop.connection.execute(NEXT, [user])] for user in asking}
    server.cleanup()

same = sum(exact[exact["user_id"] == user].equals(recalled[recalled["user_id"] == user]) for user in asking)
pairs = set(zip(recalled["user_id"], recalled["item_id"], strict=True))
shared = len({(user, item) for user in asking for item in sent[user]} & pairs) / len(pairs)
told = f"lists equal to recall's for {same:,} of {len(asking):,} users; plain SQL finds {shared:.1%} of them"
answer(told, users=len(asking), equal=same, plain_sql=shared)
