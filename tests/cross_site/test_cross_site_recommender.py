"""What a shop with a neighbour is asked, and answers."""

import numpy as np
import pytest

from graphrec.data.filters import Filters
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender


def is_of_shop(table):
    return table["item_id"].str.startswith("here-").all()


@pytest.fixture
def known_ids(two_shops):
    return [f"here-{item}" for item in two_shops.cold_known]


def test_only_this_shops_items_are_recommended(cross_model):
    table = cross_model.recommend(["u0", "u130", "u200"], k=90, exclude_seen=False)
    assert is_of_shop(table)
    assert table.groupby("user_id").size().tolist() == [90] * 3


@pytest.mark.parametrize("ask", ["visitor", "basket", "new", "popular"])
def test_however_it_is_asked(cross_model, ask):
    table = {
        "visitor": lambda: cross_model.recommend(["u200"], k=50),
        "basket": lambda: cross_model.recommend_from_items(["there-160"], k=50),
        "new": lambda: cross_model.recommend(["u0"], k=500, only_new=True),
        "popular": lambda: cross_model.recommend_popular(k=50),
    }[ask]()
    assert len(table) > 10
    assert is_of_shop(table)


def test_other_sites_items_are_refused_in_one_line(cross_model):
    """The run places them by their content alone: their own site's users do not count here."""
    with pytest.raises(GraphRecError, match="items of here alone, not of there"):
        cross_model.recommend(["u0"], k=10, filters=Filters(site=("there",)))


def test_the_source_says_who_knows_an_item(cross_model, two_shops):
    table = cross_model.recommend(["u0"], k=500, exclude_seen=False).set_index("item_id")
    for item in two_shops.cold_known:
        assert table.loc[f"here-{item}", ["source", "degree"]].tolist() == ["cross-site", 0]
    for item in two_shops.cold_unknown:
        assert table.loc[f"here-{item}", ["source", "degree"]].tolist() == ["content", 0]
    assert set(table.loc[table["degree"] > 0, "source"]) <= {"blend", "graph"}
    embedded = cross_model.embeddings("item")
    np.testing.assert_array_equal(np.flatnonzero(embedded.source == "cross-site"), two_shops.cold_known)


def test_what_somebody_touched_there_is_not_offered_here(cross_model, two_shops):
    """It is the same product."""
    inter = two_shops.split.train.interactions
    user = int(two_shops.visitors[3])
    touched = inter.item_index_E[inter.user_index_E == user]
    linked = {f"here-{item - 90}" for item in touched if item < 150}
    offered = set(cross_model.recommend([f"u{user}"], k=500)["item_id"])
    assert len(linked) > 3
    assert offered == {f"here-{item}" for item in range(90)} - linked


def test_a_foreign_item_in_the_basket_is_the_linked_item_of_this_shop(cross_model):
    foreign = cross_model.recommend_from_items(["there-93", "there-97"], k=30)
    own = cross_model.recommend_from_items(["here-3", "here-7"], k=30)
    twice = cross_model.recommend_from_items(["here-3", "there-93", "there-97"], k=30)
    assert foreign.equals(own)
    assert twice.equals(own)
    assert not {"here-3", "here-7"} & set(foreign["item_id"])
    assert not cross_model.recommend_from_items(["here-4"], k=30).equals(own)  # the check can fail


@pytest.mark.parametrize("which", ["cold here", "warm here"])
def test_a_basket_of_one_foreign_item_is_answered_by_taste(cross_model, two_shops, which):
    """Somebody of whom nothing is known but an item of the other shop: its like stands first."""
    degree_I, lifts = cross_model.model_.degree_I, []
    items = two_shops.cold_known if which == "cold here" else np.flatnonzero(degree_I[:60])
    for item in items.tolist():
        alike_I = (two_shops.likes_UI[:, [item]] & two_shops.likes_UI[:, :90]).any(axis=0)
        top = cross_model.recommend_from_items([f"there-{item + 90}"], k=10)["item_id"].str[5:].astype(int)
        lifts.append(alike_I[top].mean() - alike_I.mean())
    assert np.mean(lifts) > 0.2


def test_an_item_of_no_shop_is_refused_in_one_line(cross_model):
    with pytest.raises(GraphRecError, match=r"^Cannot recommend from items: unknown item 'there-3'; expected ids"):
        cross_model.recommend_from_items(["there-3"], k=5)


def test_a_run_that_is_read_again_knows_the_links_and_answers_alike(cross_model, tmp_path):
    cross_model.save(tmp_path / "run")
    read = Recommender.load(tmp_path / "run", device="cpu")
    assert read.train_.target_site == "here"
    for name in ("left_P", "right_P", "weight_P"):
        np.testing.assert_array_equal(getattr(read.train_.same_as, name), getattr(cross_model.train_.same_as, name))
    np.testing.assert_array_equal(read.model_.degree_elsewhere_I, cross_model.model_.degree_elsewhere_I)
    assert read.model_.choices == cross_model.model_.choices
    for ask in (
        lambda model: model.recommend(["u0", "u200"], k=40),
        lambda model: model.recommend_from_items(["there-93", "there-160"], k=40),
    ):
        one, other = ask(cross_model), ask(read)
        assert one.drop(columns="score").equals(other.drop(columns="score"))
        np.testing.assert_allclose(one["score"], other["score"], rtol=1e-5)


def test_forgetting_somebody_of_the_other_shop_takes_what_they_did_out_of_it(cross_model, tmp_path):
    cross_model.save(tmp_path / "run")
    read = Recommender.load(tmp_path / "run", device="cpu")
    gone = [f"u{user}" for user in range(200, 230)]
    before = read.model_.degree_elsewhere_I.copy()
    served_ID = np.array(read.model_.served_ID)
    read.forget_users(gone)
    assert read.model_.degree_elsewhere_I.sum() < before.sum()
    np.testing.assert_array_equal(read.model_.degree_I, cross_model.model_.degree_I)
    assert not np.array_equal(read.model_.served_ID, served_ID)
    with pytest.raises(GraphRecError, match="Unknown user 'u210'"):
        read.recommend(["u210"])
