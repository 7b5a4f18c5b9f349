"""A run's vectors in PostgreSQL with pgvector, and the one statement that an application sends from then on.

python experiments/020-into-the-stack/with_postgres.py [RUN]    needs: pip install 'graphrec[postgres]' pgserver
"""

import json
import sys
import tempfile
from pathlib import Path

import pgserver

from graphrec import GraphRecConfig, Recommender
from graphrec.export.pgvector import PostgresItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.workflow import open_dataset, train_run

NEXT = """
SELECT item_id FROM shop AS item, shop_users AS visitor
WHERE visitor.user_id = %s AND removed_at IS NULL AND stable_id <> ALL (visitor.seen)
ORDER BY item.vector <#> visitor.vector LIMIT 20"""

run = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/into-the-stack")
if not run.exists():
    train_run(open_dataset(None), GraphRecConfig.load(None, ["model.training.max_epochs=3"]), run)
model = Recommender.load(run)
items, users = ItemRecords.of(model), Queries.of(model)
asking = list(users.user_ids[:200])
ours = model.recommend(asking, k=20)
expected = set(zip(ours["user_id"], ours["item_id"], strict=True))

with tempfile.TemporaryDirectory() as folder:
    server = pgserver.get_server(folder)  # yours runs already: take its address from the environment
    with PostgresItems.open(server.get_uri(), "shop") as shop:
        shop.upsert(items, users)
        exact = shop.search(shop.queries(asking), k=20, exact=True)
        hnsw = shop.search(shop.queries(asking), k=20)
        sent = {(user_id, row[0]) for user_id in asking for row in shop.connection.execute(NEXT, [user_id])}
    server.cleanup()

result = {
    "checked": "PostgreSQL with pgvector: the run's lists by an exact search, by HNSW, by plain SQL",
    "items": len(items),
    "users_asked": len(asking),
    "lists_equal": exact.equals(ours),
    "recall@20_hnsw": len(expected & set(zip(hnsw["user_id"], hnsw["item_id"], strict=True))) / len(expected),
    "recall@20_plain_sql": len(expected & sent) / len(expected),
}
print(json.dumps(result))
