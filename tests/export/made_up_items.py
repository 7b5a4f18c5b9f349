"""Items with known answers for the vector databases."""

from dataclasses import replace

import numpy as np

from graphrec.data.catalogue import Attributes
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.retrieval.embeddings import Embeddings

ODD_IDS = ["007", "7", 'say "hi"', "o'brien", "'; DROP TABLE items; --", "a,b", "line\nbreak", "日本", "", "None", "%s"]
NUM_ITEMS, DIM, NUM_USERS = 60, 9, 7


def objects(values):
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return column


def made_up_items(version="v1", seed=0, num_items=NUM_ITEMS, dim=DIM):
    """Items on two sites with attributes of every kind; a third of the vectors occur twice, a fifth are new."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(num_items, dim)).astype(np.float32)
    vectors[2 * num_items // 3 :] = vectors[: num_items - 2 * num_items // 3]
    ids = [*ODD_IDS, *(f"item {i}" for i in range(num_items))][:num_items]
    degree = rng.integers(0, 5, num_items)
    source = ["content" if one == 0 else "graph" for one in degree]
    price = np.arange(num_items) / 2
    price[3] = np.nan
    return ItemRecords(
        Embeddings(objects(ids), vectors, degree, objects(source)),
        objects([f"title's of {one}" for one in ids]),
        objects(["harbour" if i % 3 else "hill" for i in range(num_items)]),
        Attributes(
            categorical={"kind": objects([["Mug", "bowl", "a|b", ""][i % 4] for i in range(num_items)])},
            multi_valued={"colour of it": [("red", "blue")[: i % 3] for i in range(num_items)]},
            numeric={'size "in" cm': np.arange(num_items, dtype=np.float64), "price": price},
        ),
        version,
    )


def made_up_queries(items, seed=1, num_users=NUM_USERS):
    """Users with strange ids, who have seen 0, 1, 2, … items."""
    rng = np.random.default_rng(seed)
    ids = objects([f"user '{i}\" 日" for i in range(num_users)])
    seen = [rng.choice(items.stable_id_N, size=i, replace=False) for i in range(num_users)]
    vectors = rng.normal(size=(num_users, items.embeddings.dim)).astype(np.float32)
    return Queries(ids, vectors, seen, items.model_version)


def naive_lists(items, queries, k, allowed=None, exclude_seen=True):
    """(user_id, item_id) in order, by a loop over everything; equal scores in the order of the rows."""
    rows = range(len(items)) if allowed is None else allowed
    answer = []
    for user_id, query, seen in zip(queries.user_ids, queries.vectors_BD, queries.seen, strict=True):
        scored = [
            (-np.float32(query.astype(np.float64) @ items.embeddings.vectors[row].astype(np.float64)), row)
            for row in rows
            if not (exclude_seen and items.stable_id_N[row] in seen)
        ]
        answer += [(user_id, items.embeddings.ids[row]) for _, row in sorted(scored)[:k]]
    return answer


def lists(table):
    return list(zip(table["user_id"], table["item_id"], strict=True))


def of_version(items, queries, version):
    return replace(items, model_version=version), replace(queries, model_version=version)
