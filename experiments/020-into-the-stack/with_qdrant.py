"""A run's vectors in Qdrant: filled, asked, an item removed, a visitor answered from the collection alone.

python experiments/020-into-the-stack/with_qdrant.py [RUN]    needs: pip install 'graphrec[qdrant]'
"""

import json
import sys
from pathlib import Path

from graphrec import Filters, GraphRecConfig, Recommender
from graphrec.export.qdrant import QdrantItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.workflow import open_dataset, train_run

run = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/into-the-stack")
if not run.exists():
    train_run(open_dataset(None), GraphRecConfig.load(None, ["model.training.max_epochs=3"]), run)
model = Recommender.load(run)
items, users = ItemRecords.of(model), Queries.of(model)

with QdrantItems.open() as shop:  # in memory; path="folder", or url="http://…", api_key=…
    shop.upsert(items, users)
    asking = list(users.user_ids[:200])
    found = shop.search(shop.queries(asking), k=20)
    new = shop.search(shop.queries(asking), k=20, filters=Filters(only_new=True))
    best = found["item_id"][0]
    shop.delete([best])
    left = set(shop.search(shop.queries(asking), k=20)["item_id"])

result = {
    "checked": "Qdrant, embedded: the run's lists, new items alone, a removed item",
    "items": len(items),
    "users_asked": len(asking),
    "lists_equal": found.equals(model.recommend(asking, k=20)),
    "only_new_are_new": bool((new["degree"] == 0).all()),
    "removed_is_gone": best not in left,
}
print(json.dumps(result))
