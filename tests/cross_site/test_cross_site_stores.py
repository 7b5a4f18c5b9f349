"""A run of one site among several, in a vector database."""

import pandas as pd
import pytest

from graphrec.errors import GraphRecError
from graphrec.export.qdrant import QdrantItems
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords


def test_a_database_holds_this_shops_items_alone_and_answers_visitors_as_the_run_does(cross_model):
    users = ["u0", "u130", "u200"]
    with QdrantItems.open() as store:
        assert store.upsert(ItemRecords.of(cross_model), Queries.of(cross_model, users)).items == len(
            cross_model.embeddings("item")
        )
        for options in ({"k": 20}, {"k": 500, "exclude_seen": False}):
            expected = cross_model.recommend(users, **options)
            pd.testing.assert_frame_equal(store.search(store.queries(users), exact=True, **options), expected)


def test_users_who_cannot_be_asked_for_are_named(cross_model):
    with pytest.raises(GraphRecError, match="User 'nobody' is not in the training data"):
        Queries.of(cross_model, ["u0", "nobody"])
    with pytest.raises(GraphRecError, match=r"Expected a list of user ids, got 'u0': write \['u0'\]"):
        Queries.of(cross_model, "u0")
