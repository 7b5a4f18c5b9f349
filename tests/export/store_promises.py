"""What every vector database does alike: the tests of each inherit these, and bring an empty `store`."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_items import NUM_ITEMS, ODD_IDS, lists, made_up_items, made_up_queries, naive_lists, of_version

from graphrec.data.filters import Filters
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.stores.item_store import Upserted
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords


@pytest.fixture(scope="module")
def items():
    return made_up_items()


@pytest.fixture(scope="module")
def queries(items):
    return made_up_queries(items)


@pytest.fixture
def filled(store, items, queries):
    store.upsert(items, queries)
    return store


def refusal(call, *arguments, **options):  # noqa: ANN002, ANN003
    with pytest.raises(GraphRecError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class StorePromises:
    def test_exact_search_answers_as_the_run_itself_does(self, store, fitted):
        store.upsert(ItemRecords.of(fitted), Queries.of(fitted))
        users = [str(one) for one in Queries.of(fitted).user_ids[:40]]
        for options in ({}, {"k": 7, "exclude_seen": False}, {"filters": Filters(only_new=True)}):
            expected = fitted.recommend(users, **options)
            pd.testing.assert_frame_equal(store.search(Queries.of(fitted, users), exact=True, **options), expected)
            pd.testing.assert_frame_equal(store.search(store.queries(users), exact=True, **options), expected)

    @pytest.mark.parametrize(
        "where", ["category={}", "category={}|{}", "price=20..60", "price=..40", "category={},price=30..", "site={2}"]
    )
    def test_filters_mean_what_they_mean_in_the_run(self, store, fitted, where):
        words = sorted(set(fitted.train_.catalogue.attributes.categorical["category"]) - {""})
        filters = Filters(where=where.format(words[0].upper(), words[1], fitted.train_.site_names[1]).split(","))
        store.upsert(ItemRecords.of(fitted))
        users = [str(one) for one in Queries.of(fitted).user_ids[:10]]
        found = store.search(Queries.of(fitted, users), exact=True, filters=filters)
        pd.testing.assert_frame_equal(found, fitted.recommend(users, filters=filters))

    def test_equal_scores_stand_in_the_order_of_the_rows(self, filled, items, queries):
        """A third of the vectors occur twice: a list that is cut between two twins keeps the first."""
        for k in (1, 2, 3, NUM_ITEMS):
            assert lists(filled.search(queries, k, exact=True)) == naive_lists(items, queries, k)

    def test_however_many_score_alike_the_first_of_them_are_answered_with(self, store):
        """More than a database is asked for at first, and it is free to name the last of them."""
        alike = made_up_items(num_items=200)
        alike.embeddings.vectors[:] = alike.embeddings.vectors[0]
        asking = made_up_queries(alike)
        store.upsert(alike)
        assert lists(store.search(asking, 3, exact=True)) == naive_lists(alike, asking, 3)

    def test_an_answer_does_not_depend_on_who_else_asks(self, filled, queries):
        together = filled.search(queries, 5, exact=True)
        for row, user_id in enumerate(queries.user_ids):
            one = Queries(queries.user_ids[[row]], queries.vectors_BD[[row]], [queries.seen[row]], "v1")
            expected = together[together["user_id"] == user_id].reset_index(drop=True)
            pd.testing.assert_frame_equal(filled.search(one, 5, exact=True), expected)

    def test_a_list_is_short_only_where_few_are_eligible(self, filled, items, queries):
        """Also where it is not asked for exactly: 4 of 60 items are left."""
        found = filled.search(queries, 20, filters=Filters(where=["price=5..6.5"]))
        assert lists(found) == naive_lists(items, queries, 20, allowed=range(10, 14))

    @pytest.mark.parametrize(
        ("conditions", "allowed"),
        [
            ({"where": "kind=MUG"}, lambda i: i % 4 == 0),
            ({"where": "kind=mug|bowl"}, lambda i: i % 4 in (0, 1)),
            ({"where": "kind=a|b"}, lambda i: i % 4 == 2),
            ({"where": "colour of it=blue"}, lambda i: i % 3 == 2),
            ({"where": "price=1..2"}, lambda i: i in (2, 4)),
            ({"where": ["price=..10", "colour of it=red"]}, lambda i: i != 3 and i <= 20 and i % 3 > 0),
            ({"site": "hill"}, lambda i: i % 3 == 0),
            ({"site": ["hill", "harbour"]}, lambda i: True),
            ({"exclude": ODD_IDS}, lambda i: i >= len(ODD_IDS)),
        ],
    )
    def test_each_filter_lets_through_what_meets_it(self, filled, items, queries, conditions, allowed):
        found = filled.search(queries, NUM_ITEMS, exact=True, filters=Filters(**conditions))
        expected = [row for row in range(NUM_ITEMS) if allowed(row)]
        assert lists(found) == naive_lists(items, queries, NUM_ITEMS, expected)

    def test_a_filter_that_cannot_be_met_is_refused_by_name(self, filled, queries):
        def told(**conditions):  # noqa: ANN003
            return refusal(filled.search, queries, filters=Filters(**conditions))

        assert "No kind 'bowll'; did you mean 'bowl'?" in told(where="kind=bowll")
        assert "no attribute 'knd'; did you mean 'kind'?" in told(where="knd=mug")
        assert "expected name=value" in told(where="kind")
        assert "No site 'hil'; did you mean 'hill'?" in told(site="hil")
        assert "expected a number or a range" in told(where="price=cheap")
        assert "unknown item 'nope'" in told(exclude="nope")
        assert "The filters leave no item" in told(where="price=1000..")
        assert "k of at least 1" in refusal(filled.search, queries, 0)

    def test_a_removed_item_is_in_no_answer_and_no_upsert_brings_it_back(self, filled, items, queries):
        gone = [str(items.embeddings.ids[row]) for row in (0, 4, 59)]
        left = [row for row in range(NUM_ITEMS) if row not in (0, 4, 59)]
        assert filled.delete([*gone, "never there"]) == 3
        assert filled.delete(gone) == 0
        assert lists(filled.search(queries, NUM_ITEMS, exact=True)) == naive_lists(items, queries, NUM_ITEMS, left)
        assert filled.upsert(items) == Upserted(items=60, users=0, still_removed=3, dropped=0)
        for exact in (True, False):
            found = filled.search(queries, NUM_ITEMS, exact=exact)
            assert lists(found) == naive_lists(items, queries, NUM_ITEMS, left)
        assert filled.restore(gone) == 3
        assert lists(filled.search(queries, 9, exact=True)) == naive_lists(items, queries, 9)

    def test_what_the_run_removed_goes_and_comes_back_with_the_run(self, filled, items, queries):
        fewer = made_up_items(num_items=NUM_ITEMS - 2)
        fewer = replace(fewer, removed=tuple(map(str, items.embeddings.ids[NUM_ITEMS - 2 :])))
        filled.delete(["007"])
        filled.upsert(fewer)
        left = range(1, NUM_ITEMS - 2)
        assert lists(filled.search(queries, NUM_ITEMS, exact=True)) == naive_lists(fewer, queries, NUM_ITEMS, left)
        assert filled.upsert(items).still_removed == 1
        left = range(1, NUM_ITEMS)
        assert lists(filled.search(queries, NUM_ITEMS, exact=True)) == naive_lists(items, queries, NUM_ITEMS, left)

    def test_a_living_run_is_followed(self, store, fitted):
        """Items that came or went since training, and somebody new: the same call again."""
        store.upsert(ItemRecords.of(fitted), Queries.of(fitted))
        living, first = copy(fitted), str(fitted.embeddings("item").ids[0])
        users = [str(one) for one in Queries.of(fitted).user_ids[:10]]
        living.remove_items([first])
        living.add_items([{"item_id": "brand new", "title": "Red wool hat", "category": "hat"}])
        living.add_events([{"user_id": "u-new", "item_id": "brand new"}, {"user_id": users[0], "item_id": "brand new"}])
        done = store.upsert(ItemRecords.of(living), Queries.of(living))
        assert done.items == len(fitted.embeddings("item"))
        for asking in (Queries.of(living, [*users, "u-new"]), store.queries([*users, "u-new"])):
            for k in (20, done.items + 1):
                expected = living.recommend([*users, "u-new"], k=k, exclude_seen=False)
                found = store.search(asking, k, exclude_seen=False, exact=True)
                pd.testing.assert_frame_equal(found, expected)
        assert first not in set(found["item_id"])
        assert "brand new" in set(found["item_id"])

    def test_the_same_upsert_again_changes_nothing(self, filled, items, queries):
        before = self.rows(filled)
        assert len(before) == NUM_ITEMS
        assert filled.upsert(items, queries) == Upserted(NUM_ITEMS, len(queries), 0, 0)
        assert self.rows(filled) == before

    def test_an_upsert_of_changed_items_changes_them_and_adds_new_ones(self, filled, items, queries):
        more = made_up_items(seed=5, num_items=NUM_ITEMS + 10)
        filled.upsert(more)
        assert lists(filled.search(queries, 70, exact=True)) == naive_lists(more, queries, 70)

    def test_vectors_of_another_version_are_neither_taken_nor_answered_with(self, filled, items, queries):
        newer, asking = of_version(items, queries, "v2")
        before = self.rows(filled)
        for told in (refusal(filled.upsert, newer), refusal(filled.search, asking)):
            assert "holds vectors of model version v1, not of v2" in told
            assert "replace" in told
        assert self.rows(filled) == before

    def test_replace_puts_another_version_in_place_of_all_that_is_there(self, filled, items, queries):
        newer = replace(made_up_items(seed=5, num_items=50), model_version="v2")
        asking = replace(queries, model_version="v2")
        assert filled.upsert(newer, asking, replace=True) == Upserted(50, len(queries), 0, dropped=10)
        assert lists(filled.search(asking, 60, exact=True)) == naive_lists(newer, asking, 60)
        assert filled.queries([asking.user_ids[0]]).model_version == "v2"
        assert "holds vectors of model version v2, not of v1" in refusal(filled.search, queries)

    def test_ids_come_back_as_they_were_given(self, filled, queries):
        found = filled.search(queries, NUM_ITEMS, exact=True, exclude_seen=False)
        assert set(ODD_IDS) <= set(found["item_id"])
        assert set(found["user_id"]) == set(queries.user_ids)
        assert filled.delete(["'; DROP TABLE items; --", "007"]) == 2
        left = set(filled.search(queries, NUM_ITEMS, exact=True, exclude_seen=False)["item_id"])
        assert set(ODD_IDS) - left == {"'; DROP TABLE items; --", "007"}
        hostile = "kind='; DROP TABLE items; --"
        assert "No kind" in refusal(filled.search, queries, filters=Filters(where=[hostile]))
        assert len(self.rows(filled)) == NUM_ITEMS

    def test_stored_queries_are_those_that_were_given_and_can_be_deleted(self, filled, queries):
        some = [str(one) for one in queries.user_ids[[3, 1]]]
        stored = filled.queries(some)
        np.testing.assert_array_equal(stored.vectors_BD, queries.vectors_BD[[3, 1]])
        assert [sorted(one) for one in stored.seen] == [sorted(queries.seen[3]), sorted(queries.seen[1])]
        assert filled.delete_users([some[0], "nobody"]) == 1
        assert f"no user {some[0]!r}" in refusal(filled.queries, some)
        assert filled.delete_users([some[0]]) == 0

    def test_users_who_are_not_given_stay(self, filled, items, queries):
        filled.upsert(items)
        assert len(filled.queries([str(one) for one in queries.user_ids])) == len(queries)

    def test_numbers_that_are_none_are_refused(self, store, items, queries):
        vectors = items.embeddings.vectors.copy()
        vectors[1, 2] = np.nan
        with pytest.raises(ValueError, match="finite"):
            store.upsert(replace(items, embeddings=replace(items.embeddings, vectors=vectors)))
        with pytest.raises(ValueError, match="finite"):
            replace(queries, vectors_BD=np.full_like(queries.vectors_BD, np.inf))

    def test_another_dimension_is_refused(self, filled, items):
        wider = replace(made_up_items(dim=10), model_version="v2")
        assert "dimension 9, these have 10" in refusal(filled.upsert, wider, replace=True)

    def test_two_ids_with_one_stable_id_are_refused(self, filled, items):
        """No two are known: one of the items is given the number of another."""
        twin = replace(items, embeddings=replace(items.embeddings, ids=items.embeddings.ids.copy()))
        twin.embeddings.ids[20] = "an id like no other"
        twin.__dict__["stable_id_N"] = items.stable_id_N
        told = refusal(filled.upsert, twin)
        assert "'item 9' and 'an id like no other' have the same stable id" in told

    def test_a_store_without_items_says_what_to_do(self, store, queries):
        assert "upsert a run" in refusal(store.search, queries)
        assert "upsert" in refusal(store.queries, ["u1"])

    def test_vectors_come_back_bit_for_bit_as_own_vectors(self, filled, items, own_vectors):
        filled.delete(["None"])
        ids, vectors = own_vectors(filled)
        kept = [row for row in range(NUM_ITEMS) if items.embeddings.ids[row] not in ("None", "")]
        order = {item_id: place for place, item_id in enumerate(ids)}
        # Reading own vectors strips the blanks at the ends of ids, and sets the empty id aside.
        assert sorted(order) == sorted(items.embeddings.ids[kept])
        read = vectors[[order[items.embeddings.ids[row]] for row in kept]]
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read.view(np.uint32), items.embeddings.vectors[kept].view(np.uint32))


def test_stable_ids_are_what_the_store_knows_items_by(items):
    assert items.stable_id_N.tolist() == stable_ids(items.embeddings.ids).tolist()
