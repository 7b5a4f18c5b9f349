"""A split keeps cold items out of training altogether, and its warm hold-out leaves nobody without a history."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, Truth
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError

NUM_USERS, NUM_ITEMS = 45, 30


def dataset_of(user_E, item_E, num_users=NUM_USERS, num_items=NUM_ITEMS):
    nothing = np.full(num_items, "", dtype=object)
    return Dataset(
        name="shop",
        catalogue=Catalogue(
            np.array([f"i{i}" for i in range(num_items)], dtype=object), nothing, nothing, nothing, None, nothing,
            Attributes(),
        ),
        user_ids=np.array([f"u{u}" for u in range(num_users)], dtype=object),
        site_names=(),
        interactions=Interactions.from_pairs(user_E, item_E, num_users, num_items),
    )  # fmt: skip


@pytest.fixture
def dataset():
    """45 users × 30 items, some events twice; users 43, 44 and items 28, 29 have none."""
    rng = np.random.default_rng(0)
    user_E, item_E = rng.integers(43, size=400), np.append(rng.integers(28, size=372), np.arange(28))
    return dataset_of(np.append(user_E, user_E[:40]), np.append(item_E, item_E[:40]))


def pairs(interactions):
    return set(zip(interactions.user_index_E.tolist(), interactions.item_index_E.tolist(), strict=True))


def truth_pairs(truth):
    listed = list(zip(truth.user_index_P.tolist(), truth.item_index_P.tolist(), strict=True))
    assert len(set(listed)) == len(listed)
    return set(listed)


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    fraction=st.sampled_from([0.1, 0.2, 0.5, 0.9]),
    warm_fraction=st.sampled_from([0.0, 0.1, 0.6, 0.95]),
    num_events=st.integers(20, 500),
)
def test_every_event_is_in_training_or_its_pair_held_out_and_cold_items_have_no_edge(
    seed, fraction, warm_fraction, num_events
):
    rng = np.random.default_rng(seed)
    data = dataset_of(rng.integers(43, size=num_events), rng.integers(28, size=num_events))
    touched = np.flatnonzero(data.interactions.item_degree())
    split = data.split_cold_items(fraction, seed, warm_fraction)
    train, held = pairs(split.train.interactions), truth_pairs(split.truth)
    assert not train & held
    assert train | held == pairs(data.interactions)
    cold = np.intersect1d(split.cold_items, touched)
    assert len(cold) == round(fraction * len(touched))
    assert not set(cold.tolist()) & {item for _, item in train}
    assert {pair for pair in pairs(data.interactions) if pair[1] in cold} <= held
    # No pair of a warm item that is a user's or an item's last is held out.
    open_pairs = {pair for pair in pairs(data.interactions) if pair[1] not in cold}
    assert {user for user, _ in train} == {user for user, _ in open_pairs}
    assert {item for _, item in train} == {item for _, item in open_pairs}
    warm_held = {pair for pair in held if pair[1] not in cold}
    needed = len({u for u, _ in open_pairs} | {-1 - i for _, i in open_pairs})
    wanted = round(warm_fraction * len(open_pairs))
    assert min(wanted, len(open_pairs) - needed) <= len(warm_held) <= wanted


def test_the_fractions_are_those_asked_for(dataset):
    split = dataset.split_cold_items(0.25, seed=1, warm_fraction=0.1)
    train, held = pairs(split.train.interactions), truth_pairs(split.truth)
    cold = set(split.cold_items.tolist()) - {28, 29}
    assert len(cold) == 7  # a quarter of 28
    warm_held = [pair for pair in held if pair[1] not in cold]
    assert len(warm_held) == round(0.1 * (len(warm_held) + len(train)))
    without_warm = dataset.split_cold_items(0.25, seed=1)
    assert {item for _, item in truth_pairs(without_warm.truth)} == cold  # the warm hold-out changes no cold item


def test_all_events_of_a_held_out_pair_leave(dataset):
    """Some pairs have two events: none may stay behind in training."""
    split = dataset.split_cold_items(0.2, seed=0, warm_fraction=0.5)
    events = list(
        zip(dataset.interactions.user_index_E.tolist(), dataset.interactions.item_index_E.tolist(), strict=True)
    )
    held = truth_pairs(split.truth)
    assert len(split.train.interactions) == sum(event not in held for event in events)
    assert sum(events.count(pair) > 1 for pair in held) > 5


def test_training_keeps_the_catalogue_the_users_and_the_events_details(dataset):
    rng = np.random.default_rng(3)
    size = len(dataset.interactions)
    events = replace(
        dataset.interactions, weight_E=rng.random(size).astype(np.float32) + 1, timestamp_E=rng.random(size) * 1e9
    )
    dataset = replace(dataset, interactions=events, truths={"valid": Truth(np.array([0]), np.array([1]))})
    split = dataset.split_cold_items(0.2, seed=0)
    assert split.train.catalogue is dataset.catalogue
    assert split.train.user_ids is dataset.user_ids
    assert split.train.truths == {}  # a truth that came as a file was about other training data
    kept = ~np.isin(events.item_index_E, split.truth.item_index_P)
    np.testing.assert_array_equal(split.train.interactions.weight_E, events.weight_E[kept])
    np.testing.assert_array_equal(split.train.interactions.timestamp_E, events.timestamp_E[kept])
    assert (split.train.interactions.num_users, split.train.interactions.num_items) == (NUM_USERS, NUM_ITEMS)


def test_a_seed_gives_one_split_and_another_seed_another(dataset):
    splits = [dataset.split_cold_items(0.2, seed, 0.1) for seed in (4, 4, 5)]
    held = [truth_pairs(split.truth) for split in splits]
    assert held[0] == held[1] != held[2]
    assert splits[0].cold_items.tolist() == splits[1].cold_items.tolist() != splits[2].cold_items.tolist()


def test_every_item_is_held_out_about_equally_often(dataset):
    counts = np.zeros(NUM_ITEMS)
    for seed in range(300):
        counts[dataset.split_cold_items(0.25, seed).cold_items] += 1
    assert (counts[28:] == 300).all()  # never touched: cold in every split
    assert 45 < counts[:28].min() <= counts[:28].max() < 110  # 75 expected, deviation 7.5


@pytest.mark.parametrize(
    ("fraction", "warm_fraction"), [(0, 0), (1, 0), (-0.1, 0), (1.5, 0), (0.2, 1), (0.2, -0.1), (float("nan"), 0)]
)
def test_an_impossible_fraction_is_told_in_one_line(dataset, fraction, warm_fraction):
    message = error_of(lambda: dataset.split_cold_items(fraction, 0, warm_fraction))
    assert f"got {fraction} and {warm_fraction}" in message


def test_too_few_items_to_hold_any_out_is_told_in_one_line(dataset):
    assert "10% of 2 items" in error_of(lambda: dataset_of([0, 1, 2], [0, 1, 1]).split_cold_items(0.1))
    assert "99% of 2 items" in error_of(lambda: dataset_of([0, 1, 2], [0, 1, 1]).split_cold_items(0.99))
    assert "has no interactions" in error_of(lambda: dataset_of([], []).split_cold_items(0.2))


def test_a_fixed_split_is_the_one_that_came_as_files(dataset):
    truth = Truth(np.array([0]), np.array([1]), np.array([1, 2]))
    dataset = replace(dataset, truths={"valid": truth})
    split = dataset.fixed_split()
    assert split.train is dataset
    assert split.truth is truth
    assert "has no split 'test' (it has: valid)" in error_of(lambda: dataset.fixed_split("test"))
    assert "(it has: none)" in error_of(lambda: replace(dataset, truths={}).fixed_split())


def test_learning_the_truths_adds_their_pairs_once_to_the_training_events(dataset):
    truths = {
        "valid": Truth(np.array([43, 0]), np.array([28, 1])),
        "test": Truth(np.array([43, 44]), np.array([28, 5])),
    }
    joined = replace(dataset, truths=truths).with_truths_learned()
    size = len(dataset.interactions)
    assert joined.truths == {}
    assert pairs(joined.interactions.take(np.arange(size))) == pairs(dataset.interactions)
    added = joined.interactions.take(np.arange(size, size + 3))
    assert len(joined.interactions) == size + 3
    assert pairs(added) == {(43, 28), (0, 1), (44, 5)}
    assert list(added.weight_E) == [1, 1, 1]
    assert np.isnan(added.timestamp_E).all()
    assert list(added.site_index_E) == [-1, -1, -1]
