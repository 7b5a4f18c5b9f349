"""Qdrant: a collection gives the lists of `graphrec recall`, of new items alone too, and never a removed item."""

from example import MOST_USERS, answer, run_folder

from graphrec import Filters, Recommender
from graphrec.export.qdrant import QdrantItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords

model, k = Recommender.load(run_folder()), 20
users = Queries.of(model)  # all with a history: their vectors, and what they have seen
asking = [str(one) for one in users.user_ids[:MOST_USERS]]
recalled = model.recommend(asking, k)

with QdrantItems.open() as shop:  # in memory; or path="folder", or url="http://…", api_key=…
    shop.upsert(ItemRecords.of(model), users)  # graphrec export --to qdrant --url … --users

    queries = shop.queries(asking)  # from here on nothing is needed but the collection
    found = shop.search(queries, k)
    new = shop.search(queries, k, filters=Filters(only_new=True))

    best = found["item_id"][0]
    shop.delete([best])
    left = set(shop.search(queries, k)["item_id"])

assert (new["degree"] == 0).all()
assert best not in left
same = sum(found[found["user_id"] == user].equals(recalled[recalled["user_id"] == user]) for user in asking)
answer(f"lists equal to recall's for {same:,} of {len(asking):,} users", users=len(asking), equal=same)
