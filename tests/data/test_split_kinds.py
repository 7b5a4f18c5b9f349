"""Splits by time, by users, by pairs and by folds: what each promises, in worlds counted by hand and in random ones."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, SetAside, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.splits.time import NO_TIME
from graphrec.errors import GraphRecError

NAN = float("nan")
DAY = 86_400.0


def dataset_of(events, num_users=None, num_items=None):
    """From (user, item, time) triples; two users and two items more than are touched unless said otherwise."""
    user_E, item_E, time_E = (np.array(column) for column in zip(*events, strict=True)) if events else ([], [], [])
    num_users = num_users or int(max(user_E)) + 3
    num_items = num_items or int(max(item_E)) + 3
    nothing = np.full(num_items, "", dtype=object)
    return Dataset(
        name="shop",
        catalogue=Catalogue(
            np.array([f"i{i}" for i in range(num_items)], dtype=object), nothing, nothing, nothing, None, nothing,
            Attributes(),
        ),
        user_ids=np.array([f"u{u}" for u in range(num_users)], dtype=object),
        site_names=(),
        interactions=replace(
            Interactions.from_pairs(user_E, item_E, num_users, num_items), timestamp_E=np.asarray(time_E, dtype=float)
        ),
        truths={"valid": Truth(np.array([0]), np.array([0]))},
    )  # fmt: skip


def random_world(seed, num_events, num_users=23, num_items=17, moments=40):
    rng = np.random.default_rng(seed)
    user_E, item_E = rng.integers(num_users, size=num_events), rng.integers(num_items, size=num_events)
    return dataset_of(
        list(zip(user_E, item_E, rng.integers(moments, size=num_events), strict=True)), num_users + 2, num_items + 2
    )


def pairs(held):
    users, items = (
        (held.user_index_P, held.item_index_P) if isinstance(held, Truth) else (held.user_index_E, held.item_index_E)
    )
    return set(zip(users.tolist(), items.tolist(), strict=True))


def listed_pairs(truth):
    """The pairs of a truth, which holds each once."""
    assert len(pairs(truth)) == len(truth.user_index_P)
    return pairs(truth)


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# By time. Items are born at 1 (item 0), 2 (item 1), 5 (item 2) and 7 (item 3).
SHOP = [(0, 0, 1), (1, 0, 3), (1, 1, 2), (0, 1, 6), (2, 0, 6), (0, 2, 5), (1, 2, 8), (2, 3, 7), (1, 1, 9)]


@pytest.mark.parametrize(
    ("asked", "cutoff", "cold", "truth"),
    [
        ({"fraction": 0.25}, 7, {3}, {(1, 2), (2, 3)}),
        ({"fraction": 0.5}, 5, {2, 3}, {(0, 1), (2, 0), (0, 2), (1, 2), (2, 3)}),
        ({"fraction": 0.4}, 5, {2, 3}, {(0, 1), (2, 0), (0, 2), (1, 2), (2, 3)}),  # two of four items are nearest
        ({"date": datetime.fromtimestamp(4, UTC)}, 4, {2, 3}, {(0, 1), (2, 0), (0, 2), (1, 2), (2, 3)}),
        ({"date": "1970-01-01T00:00:06"}, 6, {3}, {(0, 1), (2, 0), (1, 2), (2, 3)}),
    ],
)
def test_from_the_cut_off_on_everything_is_held_out(asked, cutoff, cold, truth):
    """The pair (1, 1) is touched before and after every cut-off: known already, so nothing to find."""
    split = dataset_of(SHOP).split_by_time(**asked)
    assert split.cutoff == cutoff
    assert set(split.cold_items.tolist()) == cold | {4, 5}  # the last two were never touched
    assert listed_pairs(split.truth) == truth
    assert pairs(split.train.interactions) == {(u, i) for u, i, time in SHOP if time < cutoff}
    assert split.train.truths == {}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), num_events=st.integers(30, 200), fraction=st.sampled_from([0.1, 0.3, 0.5, 0.9]))
def test_nothing_from_the_cut_off_on_is_trained_on_and_all_of_it_is_held_out(seed, num_events, fraction):
    data = random_world(seed, num_events)
    inter = data.interactions
    split = data.split_by_time(fraction)
    train, truth = split.train.interactions, listed_pairs(split.truth)
    assert train.timestamp_E.max() < split.cutoff
    assert not pairs(train) & truth
    assert pairs(train) | truth == pairs(inter)
    assert len(train) == (inter.timestamp_E < split.cutoff).sum()
    birth = {item: inter.timestamp_E[inter.item_index_E == item].min() for item in set(inter.item_index_E.tolist())}
    cold = {item for item, moment in birth.items() if moment >= split.cutoff}
    assert cold == set(split.cold_items.tolist()) - {17, 18} - (set(range(17)) - set(birth))
    assert {pair for pair in pairs(inter) if pair[1] in cold} <= truth
    # No other birth would come nearer to the share.
    births = np.array(list(birth.values()))
    distance = [abs((births >= moment).sum() - fraction * len(births)) for moment in births if moment > births.min()]
    assert abs(len(cold) - fraction * len(births)) == pytest.approx(min(distance))


def test_events_without_a_time_are_on_neither_side_and_counted():
    data = dataset_of([*SHOP, (2, 1, NAN), (0, 3, NAN), (2, 4, NAN)])
    data = replace(data, set_aside=SetAside(left_out={"a rating below 3": 8}))
    split = data.split_by_time(0.5)
    assert pairs(split.train.interactions) == {(0, 0), (1, 0), (1, 1)}
    assert {(2, 1), (0, 3), (2, 4)}.isdisjoint(listed_pairs(split.truth))
    assert split.train.set_aside.left_out == {"a rating below 3": 8, NO_TIME: 3}
    assert dataset_of(SHOP).split_by_time(0.5).train.set_aside.left_out == {}


def test_a_date_is_utc_unless_it_names_a_zone():
    events = [(0, 0, 0), (0, 1, 10 * DAY), (1, 2, 20 * DAY)]
    for date in ("1970-01-11", datetime(1970, 1, 11), "1970-01-11T02:00:00+02:00", "1970-01-11T00:00Z"):
        assert dataset_of(events).split_by_time(date=date).cutoff == 10 * DAY


def test_a_cut_off_that_cannot_be_is_told_in_one_line():
    data = dataset_of([(0, 0, 0), (0, 1, 10 * DAY), (1, 1, 20.5 * DAY)])
    outside = error_of(lambda: data.split_by_time(date="2031-05-06"))
    assert "2031-05-06 lies outside the log (1970-01-01 to 1970-01-21T12:00:00 UTC)" in outside
    assert "lies outside" in error_of(lambda: data.split_by_time(date="1970-01-01"))  # would leave nothing to learn
    unborn = error_of(lambda: data.split_by_time(date="1970-01-15"))
    assert "No item is first touched from 1970-01-15 on (the youngest: 1970-01-11)" in unborn
    assert "Not a date: 'spring'" in error_of(lambda: data.split_by_time(date="spring"))
    assert "got 1.2" in error_of(lambda: data.split_by_time(1.2))
    at_once = dataset_of([(0, 0, 5), (1, 1, 5), (1, 0, 9)])
    assert "all were first touched at one moment" in error_of(lambda: at_once.split_by_time(0.5))
    untimed = dataset_of([(0, 0, NAN), (1, 1, NAN)])
    assert "has no timestamps" in error_of(untimed.split_by_time)
    assert "has no interactions" in error_of(dataset_of([], 3, 3).split_by_time)


# By users.


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num_events=st.integers(60, 300),
    fraction=st.sampled_from([0.1, 0.3, 0.7]),
    visible=st.sampled_from([0.05, 0.5, 0.8, 0.99]),
)
def test_held_out_users_are_unknown_to_training_and_shown_and_judged_by_different_items(
    seed, num_events, fraction, visible
):
    data = random_world(seed, num_events)
    split = data.split_cold_users(fraction, visible, seed)
    train, shown, truth = pairs(split.train.interactions), pairs(split.visible), listed_pairs(split.truth)
    held_users = {user for user, _ in truth}
    assert held_users == {user for user, _ in shown}
    assert not held_users & {user for user, _ in train}
    assert train | shown | truth == pairs(data.interactions)
    assert not shown & truth
    degree_U = data.interactions.user_degree()
    assert len(held_users) == round(fraction * (degree_U >= 2).sum())
    for user in held_users:
        num_shown = sum(one == user for one, _ in shown)
        assert num_shown == min(max(round(visible * degree_U[user]), 1), degree_U[user] - 1)
    known = split.known
    assert set(zip(*(index.tolist() for index in known.nonzero()), strict=True)) == train | shown


def test_what_is_known_of_a_user_is_the_training_data_unless_a_split_shows_more():
    data = random_world(1, 100)
    split = data.split_cold_items(0.2)
    assert (split.known != split.train.interactions.user_item_matrix()).nnz == 0


def test_users_are_drawn_and_shown_at_random_by_the_seed():
    data = random_world(0, 250)
    splits = [data.split_cold_users(0.3, 0.5, seed) for seed in (4, 4, 5)]
    assert pairs(splits[0].visible) == pairs(splits[1].visible) != pairs(splits[2].visible)
    counts = np.zeros(25)
    shown = np.zeros(19)
    for seed in range(200):
        split = data.split_cold_users(0.3, 0.5, seed)
        counts[np.unique(split.truth.user_index_P)] += 1
        shown += np.bincount(split.visible.item_index_E, minlength=19) > 0
    touched = counts[:23]
    assert 30 < touched.min() <= touched.max() < 95  # 60 expected, deviation 6.5
    assert shown[:17].min() > 100  # no item is always the judged one


def test_too_few_users_are_told_in_one_line():
    data = dataset_of([(0, 0, 1), (0, 1, 1), (1, 0, 1), (2, 1, 1)])
    assert "20% of 1 users with at least two items" in error_of(lambda: data.split_cold_users(0.2))
    assert "got 0" in error_of(lambda: data.split_cold_users(0))
    assert "got 1.0" in error_of(lambda: data.split_cold_users(0.2, 1.0))
    assert "has no interactions" in error_of(dataset_of([], 3, 3).split_cold_users)


# By pairs.


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num_events=st.integers(60, 300), fraction=st.sampled_from([0.1, 0.5, 0.95]))
def test_a_warm_hold_out_leaves_every_user_and_item_a_pair(seed, num_events, fraction):
    data = random_world(seed, num_events)
    split = data.split_warm_pairs(fraction, seed)
    train, truth, everything = pairs(split.train.interactions), listed_pairs(split.truth), pairs(data.interactions)
    assert not train & truth
    assert train | truth == everything
    for side in (0, 1):
        assert {pair[side] for pair in train} == {pair[side] for pair in everything}
    needed = len({u for u, _ in everything}) + len({i for _, i in everything})
    wanted = round(fraction * len(everything))
    assert min(wanted, len(everything) - needed) <= len(truth) <= wanted


def test_a_warm_hold_out_that_would_hold_out_nothing_is_told_in_one_line():
    data = dataset_of([(0, 0, 1), (1, 1, 1)])
    assert "Cannot hold out 50% of 2 pairs" in error_of(lambda: data.split_warm_pairs(0.5))
    assert "got 1" in error_of(lambda: data.split_warm_pairs(1))


# By folds.


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num_events=st.integers(60, 300), num_folds=st.integers(2, 7))
def test_every_item_is_cold_in_exactly_one_fold(seed, num_events, num_folds):
    data = random_world(seed, num_events)
    touched = set(data.interactions.item_index_E.tolist())
    folds = data.cold_item_folds(num_folds, seed)
    cold = [set(split.truth.item_index_P.tolist()) for split in folds]
    assert sum(map(len, cold)) == len(set().union(*cold)) == len(touched)
    assert max(map(len, cold)) - min(map(len, cold)) <= 1
    for split, items in zip(folds, cold, strict=True):
        assert set(split.cold_items.tolist()) & touched == items
        assert listed_pairs(split.truth) == {pair for pair in pairs(data.interactions) if pair[1] in items}
        assert pairs(split.train.interactions) | pairs(split.truth) == pairs(data.interactions)


def test_folds_are_drawn_by_the_seed_and_an_impossible_number_is_told_in_one_line():
    data = random_world(0, 200)
    first, same, other = ([s.cold_items.tolist() for s in data.cold_item_folds(5, seed)] for seed in (1, 1, 2))
    assert first == same != other
    assert "between 2 and 17 folds" in error_of(lambda: data.cold_item_folds(18))
    assert "got 1" in error_of(lambda: data.cold_item_folds(1))
