import numpy as np
import pytest

from graphrec.recommender import Recommender


@pytest.fixture
def changed(run_copy):
    """A run with items that came, one of them popular at once, and of the most popular ones some that left."""
    model = Recommender.load(run_copy, device="cpu")
    first = model.recommend_popular(6)["item_id"].tolist()
    model.add_items([{"item_id": f"new-{number}", "title": "red dress"} for number in range(3)])
    users = model.train_.user_ids[:100]
    model.add_events([{"user_id": user, "item_id": item} for user in users for item in ("new-1", first[3])])
    return model.remove_items([first[0], first[2], "new-2"])


@pytest.mark.parametrize("k", [1, 5, 40, 500])
def test_what_is_popular_is_that_of_sorting_every_item(changed, k):
    state = changed.live.state
    popularity_I = np.asarray(state.index.vectors_ID)[:, -1]
    left = np.setdiff1d(np.arange(len(state.items)), state.items.removed)
    best = left[np.argsort(-popularity_I[left], kind="stable")][:k]
    found = changed.recommend_popular(k)
    assert found["item_id"].tolist() == state.items.item_ids[best].tolist()
    np.testing.assert_array_equal(found["score"], popularity_I[best])
    if k == 5:
        assert "new-1" in set(found["item_id"])


def test_what_is_popular_among_new_items_is_that_of_sorting_those(changed):
    state = changed.live.state
    popularity_I = np.asarray(state.index.vectors_ID)[:, -1]
    new = np.setdiff1d(np.flatnonzero(state.degree.full() == 0), state.items.removed)
    best = new[np.argsort(-popularity_I[new], kind="stable")][:4]
    found = changed.recommend_popular(4, only_new=True)
    assert found["item_id"].tolist() == state.items.item_ids[best].tolist()


def test_an_answer_has_the_columns_of_its_table(changed):
    users = changed.train_.user_ids[:3].tolist()
    columns, table = changed.answer_users(users, k=7).columns(), changed.recommend(users, k=7)
    assert ["user_id", *columns] == list(table.columns)
    assert len(table) == 21
    for name, values in columns.items():
        assert table[name].tolist() == values.tolist()
