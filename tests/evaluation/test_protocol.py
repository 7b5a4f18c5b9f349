from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import LeftOut, build_pool

NUM_USERS, NUM_ITEMS = 5, 8
# Warm items: 0, 1, 2, 3. Cold: 4, 5, 6, 7; nobody ever touched 7. User 4 has no history.
TRAIN = [(0, 0), (0, 1), (1, 1), (2, 2), (3, 0), (3, 3), (3, 3)]
HELD_OUT = [
    (0, 4),
    (0, 6),
    (0, 6),  # the same pair again
    (0, 1),  # seen in training
    (1, 5),
    (1, 0),
    (2, 3),  # nothing cold for user 2
    (4, 4),  # user 4 has no history
]


def make_dataset(train=TRAIN):
    ids = np.array([f"i{i}" for i in range(NUM_ITEMS)], dtype=object)
    blank = np.full(NUM_ITEMS, "", dtype=object)
    users, items = np.array(train, dtype=np.int64).reshape(-1, 2).T
    return Dataset(
        name="tiny",
        catalogue=Catalogue(ids, blank, blank, blank, None, blank, Attributes()),
        user_ids=np.array([f"u{u}" for u in range(NUM_USERS)], dtype=object),
        site_names=(),
        interactions=Interactions.from_pairs(users, items, NUM_USERS, NUM_ITEMS),
    )


def make_split(held_out=HELD_OUT, candidates=None, train=TRAIN):
    users, items = np.array(held_out, dtype=np.int64).reshape(-1, 2).T
    return Split(make_dataset(train), Truth(users, items, None if candidates is None else np.array(candidates)))


def pairs(matrix):
    coo = matrix.tocoo()
    return sorted((int(u), int(i)) for u, i in zip(coo.row, coo.col, strict=True))


def test_the_cold_pool_holds_the_items_without_a_training_edge_that_were_held_out():
    pool = build_pool(make_split(), "cold")
    assert list(pool.items) == [4, 5, 6]
    assert pairs(pool.truth) == [(0, 4), (0, 6), (1, 5), (4, 4)]
    assert list(pool.users) == [0, 1]
    assert pool.description == "the 3 items without a training edge that occur in the held-out pairs"
    assert pool.left_out == LeftOut(
        users_without_history=1, users_without_relevant=1, pairs_seen=1, pairs_outside_pool=2
    )


def test_the_warm_pool_holds_the_items_with_a_training_edge_and_drops_seen_pairs_from_the_truth():
    pool = build_pool(make_split(), "warm")
    assert list(pool.items) == [0, 1, 2, 3]
    assert pairs(pool.truth) == [(1, 0), (2, 3)]
    assert list(pool.users) == [1, 2]
    assert pool.description == "the 4 items with a training edge"
    assert pool.left_out == LeftOut(
        users_without_history=1, users_without_relevant=1, pairs_seen=1, pairs_outside_pool=4
    )


def test_the_full_pool_holds_the_whole_catalogue():
    pool = build_pool(make_split(), "full")
    assert list(pool.items) == list(range(NUM_ITEMS))
    assert pairs(pool.truth) == [(0, 4), (0, 6), (1, 0), (1, 5), (2, 3), (4, 4)]
    assert list(pool.users) == [0, 1, 2]
    assert pool.description == "all 8 items of the whole catalogue, 4 of them without a training edge"
    assert pool.left_out == LeftOut(
        users_without_history=1, users_without_relevant=0, pairs_seen=1, pairs_outside_pool=0
    )


@pytest.mark.parametrize(
    ("name", "items", "description"),
    [
        ("cold", [4, 7], "the 2 of the 4 candidates without a training edge"),
        ("warm", [0, 3], "the 2 of the 4 candidates with a training edge"),
        ("full", [0, 3, 4, 7], "all 4 candidates, 2 of them without a training edge"),
    ],
)
def test_named_candidates_bound_every_pool_also_where_nobody_touched_them(name, items, description):
    pool = build_pool(make_split(candidates=[0, 3, 4, 7]), name)
    assert list(pool.items) == items
    assert pool.description == description


def test_every_held_out_user_is_evaluated_or_counted_once():
    for name in ("cold", "warm", "full"):
        pool = build_pool(make_split(), name)
        left_out = pool.left_out.users_without_history + pool.left_out.users_without_relevant
        assert len(pool.users) + left_out == 4


def test_seen_holds_the_training_pairs():
    assert pairs(build_pool(make_split(), "cold").seen) == [(0, 0), (0, 1), (1, 1), (2, 2), (3, 0), (3, 3)]


def test_indices_are_sorted_int64_and_the_truth_is_boolean():
    pool = build_pool(make_split(candidates=[7, 4, 4, 0]), "full")
    assert pool.items.dtype == pool.users.dtype == np.int64
    assert list(pool.items) == [0, 4, 7]
    assert pool.truth.dtype == bool
    assert pool.truth.shape == pool.seen.shape == (NUM_USERS, NUM_ITEMS)


def test_the_coverage_says_who_is_left_out():
    assert build_pool(make_split(), "cold").coverage == (
        "2 users evaluated; left out: 1 without a training edge, 1 with nothing relevant in the pool"
    )


def test_a_cold_item_split_makes_exactly_its_items_the_cold_pool():
    rng = np.random.default_rng(0)
    data = make_dataset()
    users, items = np.divmod(rng.choice(45 * NUM_ITEMS, 150, replace=False), NUM_ITEMS)
    data = replace(
        data,
        user_ids=np.array([f"u{u}" for u in range(45)], dtype=object),
        interactions=Interactions.from_pairs(users, items, 45, NUM_ITEMS),
    )
    split = data.split_cold_items(fraction=0.4, seed=1, warm_fraction=0.2)
    cold, warm, full = (build_pool(split, name) for name in ("cold", "warm", "full"))
    assert len(cold.items) == 3
    np.testing.assert_array_equal(np.union1d(cold.items, warm.items), full.items)
    assert cold.truth.nnz + warm.truth.nnz == full.truth.nnz == len(split.truth.user_index_P)
    assert full.left_out.pairs_seen == 0


@pytest.mark.parametrize(
    ("split", "name", "message"),
    [
        (make_split(), "hot", "Unknown pool 'hot': choose one of cold, warm, full."),
        (make_split([(0, 2)]), "cold", "every held-out item has a training edge; hold out whole items"),
        (make_split(candidates=[0, 1]), "cold", "every candidate has a training edge"),
        (make_split(candidates=[6]), "warm", "no candidate has a training edge; choose pool cold or full"),
        (make_split(train=[]), "warm", "no item has a training edge"),
        (make_split(candidates=np.array([], dtype=np.int64)), "full", "candidates file names no item"),
        (make_split([]), "cold", "holds out no interaction"),
        (make_split([(4, 4)]), "cold", "of 1 users with held-out pairs 1 have no training edge"),
        (make_split([(0, 1), (1, 1)]), "warm", "2 nothing relevant in the pool .2 held-out pairs are training pairs"),
    ],
)
def test_a_pool_in_which_nothing_can_be_measured_says_why_in_one_line(split, name, message):
    with pytest.raises(GraphRecError, match=message) as raised:
        build_pool(split, name)
    assert "\n" not in str(raised.value)
