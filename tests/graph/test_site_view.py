from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.errors import GraphRecError
from graphrec.graph.site_view import SiteView

SITE_I = ["here", "here", "here", "b", "b", "b", "b", "b", "c", "c", "c", "b", "c", "d"]
LINKS = (
    (0, 3, 0.9),
    (4, 1, 0.6), (4, 2, 0.8),  # one product there, two here
    (1, 5, 0.3),  # hardly
    (6, 8, 1.0),  # sold on two other sites, not here
    (9, 3, 0.9),  # of a third site, linked to item 0 through item 3 alone
    (10, 0, 0.7),
    (0, 11, 0.4),
    (12, 1, 0.8), (12, 2, 0.8),  # as likely the one as the other
)  # fmt: skip
NODE_I = [0, 1, 2, 0, 2, 5, 6, 7, 6, 0, 0, 11, 1, 13]
NUM_USERS = 30


@pytest.fixture
def data(dataset_of_sites):
    """User 0 touched both of b's items that may be item 0, user 1 the less likely one, user 2 what is hardly item 1."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((NUM_USERS, len(SITE_I))) < 0.25)
    is_free = user > 2
    pairs = [*zip(user[is_free], item[is_free], strict=True), (0, 3), (0, 11), (1, 11), (2, 5), (2, 5)]
    return dataset_of_sites(SITE_I, pairs, LINKS, "here", NUM_USERS)


@pytest.fixture
def view(data):
    return SiteView.of(data)


@pytest.fixture
def touched(data):
    """(user, item) pairs as a set, counted in plain Python."""
    inter = data.interactions
    return set(zip(inter.user_index_E.tolist(), inter.item_index_E.tolist(), strict=True))


def probability(here, other):
    """Of their link, or where only a third site ties them, the smallest of the other item's links."""
    links = [({a, b} - {other}, weight) for a, b, weight in LINKS if other in (a, b)]
    if any(SITE_I[item] == "here" for (item,), _ in links):
        return sum(weight for (item,), weight in links if item == here)
    return min(weight for _, weight in links) if links and NODE_I[other] == here else 0


def test_every_item_stands_at_its_likeliest_item_here_or_with_its_like_elsewhere_or_alone(view):
    assert view.node_I.tolist() == NODE_I


def test_the_graph_has_all_events_at_their_nodes(data, view):
    inter = data.interactions
    expected = sorted(zip(inter.user_index_E, np.array(NODE_I)[inter.item_index_E], inter.weight_E, strict=True))
    found = view.everywhere
    assert sorted(zip(found.user_index_E, found.item_index_E, found.weight_E, strict=True)) == expected
    np.testing.assert_array_equal(view.graph.item_degree, found.item_degree())
    assert set(found.item_index_E.tolist()) <= set(NODE_I)
    assert view.graph.items_of_user.matrix().sum() == len(inter)


def test_the_own_log_is_that_of_the_sites_items_alone(data, view, touched):
    expected_I = [len({user for user, item in touched if item == one}) for one in range(3)] + [0] * (len(SITE_I) - 3)
    assert view.degree_I.tolist() == expected_I
    assert len(view.own) == sum(SITE_I[item] == "here" for item in data.interactions.item_index_E)


@pytest.mark.parametrize("site", ["b", "c"])
def test_who_touched_a_product_elsewhere_as_a_slow_naive_twin_has_it(view, touched, site):
    """The probabilities of what they touched there, added up to one at most; an event twice counts once."""
    expected_UI = np.zeros((NUM_USERS, len(SITE_I)))
    for user in range(NUM_USERS):
        for here in range(3):
            there = [item for who, item in touched if who == user and SITE_I[item] == site]
            expected_UI[user, here] = min(1, sum(probability(here, item) for item in there))
    np.testing.assert_allclose(view.elsewhere[site].toarray(), expected_UI, atol=1e-6)


def test_an_unlikely_product_keeps_its_node_and_tells_what_it_is_worth(view):
    assert view.node_I[5] == 5
    assert view.elsewhere["b"][2, 1] == pytest.approx(0.3)
    assert view.elsewhere["b"][1, 0] == pytest.approx(0.4)
    assert view.elsewhere["b"][0, 0] == pytest.approx(1)  # .9 and .4


def test_a_site_without_a_product_of_this_one_is_left_out(data, view):
    assert (data.interactions.item_index_E == 13).any()
    assert set(view.elsewhere) == {"b", "c"}


def test_the_degree_elsewhere_counts_people_of_each_site(view, touched):
    degree_I = [0] * len(SITE_I)
    for here in range(3):
        for site in ("b", "c"):
            linked = {item for item in range(len(SITE_I)) if SITE_I[item] == site and probability(here, item)}
            degree_I[here] += len({user for user, item in touched if item in linked})
    assert view.degree_elsewhere_I.tolist() == degree_I
    assert view.degree_elsewhere_I.dtype == np.int64


def test_what_is_known_of_users_moves_to_the_nodes(data, view, touched):
    known_UI = data.interactions.user_item_matrix()
    moved_UI = view.as_nodes(known_UI)
    expected_UI = np.zeros(known_UI.shape)
    for user, item in zip(*known_UI.nonzero(), strict=True):
        expected_UI[user, NODE_I[item]] += known_UI[user, item]
    np.testing.assert_allclose(moved_UI.toarray(), expected_UI)
    assert moved_UI.has_canonical_format
    assert set(zip(*moved_UI.nonzero(), strict=True)) == {(user, NODE_I[item]) for user, item in touched}


def test_without_a_target_site_everything_is_as_it_is(data):
    view = SiteView.of(data.for_site(None))
    assert view.node_I.tolist() == list(range(len(SITE_I)))
    assert view.own is view.everywhere is data.interactions
    assert not view.has_elsewhere
    assert not view.degree_elsewhere_I.any()
    known_UI = data.interactions.user_item_matrix()
    assert view.as_nodes(known_UI) is known_UI


def test_what_people_do_here_changes_nothing_of_what_others_did(data, view):
    inter = data.interactions
    emptier = SiteView.of(replace(data, interactions=inter.take(inter.item_index_E != 1)))
    for site, matrix_UI in view.elsewhere.items():
        np.testing.assert_array_equal(emptier.elsewhere[site].toarray(), matrix_UI.toarray())


def test_counts_of_all_pairs_are_those_of_the_people_themselves(data, dataset_of_sites):
    """The same site, once by its log and once by its counts: the products' common people, as probable as they are."""
    inter = data.interactions
    is_b_E = np.array([SITE_I[item] == "b" for item in inter.item_index_E])
    counts = {"b": CooccurrenceCounts.of(inter.take(is_b_E), minimum=1)}
    told = SiteView.of(replace(data, interactions=inter.take(~is_b_E), counts=counts))
    assert set(told.elsewhere) == {"c"}
    assert set(told.counted) == {"b"}
    links_II = np.zeros((len(SITE_I), len(SITE_I)))
    links_II[:, :3] = [
        [probability(here, item) if SITE_I[item] != "here" else 0 for here in range(3)] for item in range(len(SITE_I))
    ]
    there_UI = inter.take(is_b_E).user_item_matrix().toarray() > 0
    people_UI = there_UI @ links_II  # where two items there are one product here, counts cannot tell: each counts
    np.testing.assert_allclose(told.counted["b"].toarray(), people_UI.T @ people_UI, atol=1e-5)


def test_before_its_first_day_a_site_has_what_others_did_with_its_products(data):
    inter = data.interactions
    is_here_E = np.array([SITE_I[item] == "here" for item in inter.item_index_E])
    view = SiteView.of(replace(data, interactions=inter.take(~is_here_E)).with_borrowed_log())
    expected_UI = np.zeros((NUM_USERS, len(SITE_I)))
    for user, item in zip(inter.user_index_E[~is_here_E], inter.item_index_E[~is_here_E], strict=True):
        if NODE_I[item] < 3:
            expected_UI[user, NODE_I[item]] += 1
    np.testing.assert_array_equal(view.own_UI.toarray(), expected_UI)
    assert view.degree_I[:3].all()


def test_an_unknown_site_is_refused_in_one_line(data):
    with pytest.raises(GraphRecError, match=r"has no items of site 'nowhere' \(it has: here, b, c, d\)\.$"):
        data.for_site("nowhere")
