"""People who are known elsewhere, or nowhere: the protocols, and what they are offered."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec.config import GraphRecConfig
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.filters import Filters
from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import build_pool
from graphrec.graph.site_view import SiteView
from graphrec.recommender import Recommender
from graphrec.unseen_users import meet_users


def hit_rate(model, split, likes_UI, users, pool):
    """Share of the first ten that are of the user's kind."""
    arm = meet_users(model, split)
    lists = arm.rank(users, pool, split.known[users], 10)
    return np.take_along_axis(likes_UI[users], lists.items_UK, axis=1).mean()


@pytest.fixture(scope="module")
def settings(cross_settings):
    return GraphRecConfig.load(None, list(cross_settings))


@pytest.fixture(scope="module")
def visitors(two_shops):
    return two_shops.dataset.split_visitors(0.5, seed=1)


@pytest.fixture(scope="module")
def met(visitors, settings):
    return Recommender(settings).fit(visitors.train)


def test_held_out_visitors_are_known_on_both_sites_and_leave_training_whole(two_shops, visitors):
    inter, is_here_I = two_shops.dataset.interactions, two_shops.dataset.is_served_I
    users = np.unique(visitors.truth.user_index_P)
    assert len(users) == 10  # half of the twenty who are on both
    assert not np.isin(visitors.train.interactions.user_index_E, users).any()
    for user in users:
        items = set(inter.item_index_E[inter.user_index_E == user].tolist())
        judged = set(visitors.truth.item_index_P[visitors.truth.user_index_P == user].tolist())
        shown = set(visitors.visible.item_index_E[visitors.visible.user_index_E == user].tolist())
        assert judged == {item for item in items if is_here_I[item]}
        assert shown == items - judged
        assert judged
        assert shown


def test_other_users_keep_everything(two_shops, visitors):
    inter = two_shops.dataset.interactions
    kept_E = ~np.isin(inter.user_index_E, np.unique(visitors.truth.user_index_P))
    assert len(visitors.train.interactions) == kept_E.sum()


def test_visitors_are_offered_what_their_kind_likes(two_shops, visitors, met):
    pool = build_pool(visitors, "warm")
    assert two_shops.dataset.is_served_I[pool.items].all()
    rate = hit_rate(met, visitors, two_shops.likes_UI, pool.users, pool.items)
    assert rate > 0.6  # a third of the items are of anybody's kind
    assert hit_rate(met, shuffled(visitors), two_shops.likes_UI, pool.users, pool.items) < rate - 0.1


def shuffled(split):
    """Everybody's foreign history is somebody else's: what is left of the rate is no taste."""
    visible = split.visible
    items = np.random.default_rng(0).permutation(visible.item_index_E)
    return replace(split, visible=replace(visible, item_index_E=items))


def test_a_site_left_out_learns_from_others_about_what_it_sells_too(two_shops, settings):
    split = two_shops.dataset.split_site(0.5, seed=0)
    own = split.train.own_interactions
    there = two_shops.dataset.interactions.take(
        ~two_shops.dataset.is_served_I[two_shops.dataset.interactions.item_index_E]
    )
    assert len(own) == np.isin(there.item_index_E, np.arange(90, 150)).sum()  # the linked ones, as if of this site
    assert set(np.unique(own.item_index_E)) <= set(range(60))
    # What is new is placed by content, and so are the settings chosen: it has to say something of the kind.
    style, kind_I = two_shops.dataset.own_vectors["style"], np.argmax(kinds_of(two_shops.likes_UI) == 1, axis=1)
    telling_IF = style.x_RF + 3 * np.eye(6, dtype=np.float32)[kind_I]
    train = replace(split.train, own_vectors={"style": replace(style, x_RF=telling_IF)})
    split = replace(split, train=train)
    model = Recommender(settings).fit(train)
    pool = build_pool(split, "warm")
    rate = hit_rate(model, split, two_shops.likes_UI, pool.users, pool.items)
    assert rate > hit_rate(model, shuffled(split), two_shops.likes_UI, pool.users, pool.items) + 0.2


def kinds_of(likes_UI):
    """(I, kinds): 1 where the item is of the kind."""
    kinds_KI = np.unique(likes_UI, axis=0)
    return kinds_KI.T.astype(int)


def test_of_a_held_out_site_nothing_of_its_own_log_is_learned(two_shops):
    split, inter = two_shops.dataset.split_site(0.5, seed=0), two_shops.dataset.interactions
    only_here = np.setdiff1d(
        np.unique(inter.user_index_E[inter.item_index_E < 90]), np.unique(inter.user_index_E[inter.item_index_E >= 90])
    )
    assert not np.isin(split.train.interactions.user_index_E, only_here).any()


@pytest.mark.parametrize("name", ["split_visitors", "split_site"])
def test_without_a_target_site_there_is_no_visitor(two_shops, name):
    dataset = replace(two_shops.dataset, target_site=None)
    with pytest.raises(GraphRecError, match="target_site"):
        getattr(dataset, name)()


def test_counts_of_another_site_find_what_is_cold_here_nearly_as_well_as_its_log(two_shops, settings):
    split = two_shops.split
    theirs = split.train.interactions.take(~split.train.is_served_I[split.train.interactions.item_index_E])
    counted = replace(
        split.train,
        interactions=split.train.own_interactions,
        counts={"there": CooccurrenceCounts.of(theirs, 2)},
    )
    users = np.unique(split.truth.user_index_P)
    rates = {}
    for name, train in (("counts", counted), ("nothing", replace(counted, counts={}))):
        model = Recommender(settings).fit(train)
        lists = model.rank(users, two_shops.cold_known, None, 3)
        rates[name] = np.take_along_axis(two_shops.likes_UI[users], lists.items_UK, axis=1).mean()
    assert rates["counts"] > rates["nothing"] + 0.2


def test_of_somebody_unknown_the_most_popular_of_the_site_are_offered(met):
    table = met.recommend_popular(10)
    degree = met.model_.degree_I[met.train_.catalogue.id_index.get_indexer(table["item_id"])]
    assert table["item_id"].str.startswith("here-").all()
    assert (np.diff(met.model_.served_ID[met.train_.catalogue.id_index.get_indexer(table["item_id"]), -1]) <= 0).all()
    assert degree[0] > np.median(met.model_.degree_I[:90])
    with pytest.raises(GraphRecError, match="items of here alone"):
        met.recommend_popular(5, filters=Filters(site="there"))


def test_a_product_of_no_catalogue_has_the_states_and_raw_vectors_of_an_item_that_nobody_touched(two_shops, settings):
    """Its features are all that either is made of."""
    model = Recommender(settings).fit(two_shops.split.train)
    nobody = two_shops.cold_unknown
    x_NF = model.blocks.x_IF[nobody]
    np.testing.assert_allclose(
        model.model_.encoder.states_of_new(x_NF), model.model_.encoded.states_LID[:, nobody], atol=1e-6
    )
    raw_NR = model.model_.placement.place(x_NF).raw_IR
    dim = model.model_.encoded.q_UD.shape[1]
    expected_NR = model.model_.content_ID[nobody, dim:-1] / np.float32(model.model_.choices.stretch)
    assert raw_NR.shape == expected_NR.shape
    np.testing.assert_allclose(raw_NR, expected_NR, atol=1e-4)


def test_texts_and_pictures_make_a_basket(fitted, small_store):
    hat = fitted.recommend_from_items(texts=["wool hat, warm knitted cap"], k=5)
    shoes = fitted.recommend_from_items(texts=["canvas trainers with rubber sole"], k=5)
    assert list(hat["item_id"]) != list(shoes["item_id"])
    picture = next((small_store / "images").glob("*.png"))
    assert len(fitted.recommend_from_items(images=[picture], k=5)) == 5
    both = fitted.recommend_from_items([fitted.train_.catalogue.item_ids[3]], texts=["wool hat"], k=5)
    assert fitted.train_.catalogue.item_ids[3] not in set(both["item_id"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "no item given"),
        ({"texts": "hat"}, r"write \['hat'\]"),
        ({"images": ["no-such.png"]}, "no-such.png"),
    ],
)
def test_a_basket_that_cannot_be_is_refused_in_one_line(fitted, given, says):
    with pytest.raises(GraphRecError, match=says) as caught:
        fitted.recommend_from_items(**given)
    assert "\n" not in str(caught.value)


def test_texts_are_refused_where_nothing_reads_them(met):
    with pytest.raises(GraphRecError, match="nothing that reads a product's text"):
        met.recommend_from_items(texts=["hat"])


def test_the_view_of_a_split_without_links_is_the_log_itself(two_shops):
    train = replace(two_shops.split.train, target_site=None)
    view = SiteView.of(train)
    assert view.own is train.interactions
    assert not view.has_elsewhere


def test_what_somebody_did_with_a_product_elsewhere_is_neither_shown_nor_judged_again(two_shops):
    """Of a site that is left out, what others did with its products stands in its place."""
    split = two_shops.dataset.split_site(0.5, seed=0)
    known = split.train.interactions.user_item_matrix() > 0
    for pairs in (split.truth, split.visible):
        user, item = (
            (pairs.user_index_P, pairs.item_index_P)
            if pairs is split.truth
            else (pairs.user_index_E, pairs.item_index_E)
        )
        assert not np.asarray(known[user, item]).any()
    both = np.arange(120, 140)
    assert known[both][:, :60].nnz  # so that there was something to leave out


def test_a_visitor_is_not_judged_by_a_product_that_they_know_from_elsewhere(two_shops, visitors):
    pool = build_pool(visitors, "warm")
    shown_UI = visitors.visible.user_item_matrix()
    for user in pool.users:
        known = {item - 90 for item in shown_UI[[user]].indices if 90 <= item < 150}
        assert not known & set(pool.truth[[user]].indices.tolist())
        assert known <= set(pool.seen[[user]].indices.tolist())
    assert pool.left_out.pairs_seen > 0


def test_the_log_stays_where_it_is_until_something_is_learned_from_it(two_shops):
    """A site without a log of its own borrows that of others in training, not in the data themselves."""
    inter = two_shops.dataset.interactions
    foreign = inter.take(inter.item_index_E >= 90)
    dataset = replace(two_shops.dataset, interactions=foreign).for_site("here")
    np.testing.assert_array_equal(dataset.interactions.item_index_E, foreign.item_index_E)
    borrowed = dataset.with_borrowed_log().interactions.item_index_E
    np.testing.assert_array_equal(
        borrowed, np.where(foreign.item_index_E < 150, foreign.item_index_E - 90, foreign.item_index_E)
    )
