"""Qdrant: a collection gives the lists of `graphrec recall`, of new items alone too, and never a removed item."""

from example import answer, recalled, run_folder

from graphrec import Filters, Recommender
from graphrec.export.qdrant import QdrantItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords

run, k = run_folder(), 20
model = Recommender.load(run)
expected = recalled(run, k)

with QdrantItems.open() as shop:  # in memory; or path="folder", or url="http://…", api_key=…
    shop.upsert(ItemRecords.of(model), Queries.of(model))  # graphrec export --to qdrant --url … --users

    asking = shop.queries(list(expected))  # from here on nothing is needed but the collection
    found = shop.search(asking, k)
    new = shop.search(asking, k, filters=Filters(only_new=True))

    best = found["item_id"][0]
    shop.delete([best])
    left = set(shop.search(asking, k)["item_id"])

lists = found.groupby("user_id")["item_id"].apply(list)
same = sum(lists[user] == expected[user] for user in expected)
assert (new["degree"] == 0).all()
assert best not in left
answer(f"lists equal to recall's for {same:,} of {len(expected):,} users", users=len(expected), equal=same)
