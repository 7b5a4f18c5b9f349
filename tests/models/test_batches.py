from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from graphrec.graph.adjacency import Adjacency
from graphrec.models.batches import UserBatches

DEGREES = (0, 1, 2, 3, 5, 10, 10, 40, 100, 7, 1, 2)


@pytest.fixture
def items_of_user():
    indptr = np.concatenate([[0], np.cumsum(DEGREES)])
    items = np.concatenate([np.arange(degree) for degree in DEGREES])
    return Adjacency(indptr, items, np.ones(len(items), dtype=np.float32), num_columns=100)


@pytest.fixture
def make(items_of_user):
    def of(seed=0, users_per_batch=4, target_rate=0.3, max_targets=8):
        return UserBatches(items_of_user, users_per_batch, target_rate, max_targets, np.random.default_rng(seed))

    return of


def users_of(items_of_user, batch):
    return items_of_user.rows[batch]


def test_every_user_with_two_items_comes_once_an_epoch_and_no_other_does(items_of_user, make):
    batches = make()
    for _ in range(20):
        epoch = [set(users_of(items_of_user, batch).tolist()) for batch in batches]
        assert len(epoch) == len(batches) == 3
        assert all(len(users) <= 4 for users in epoch)
        assert Counter(user for users in epoch for user in users) == dict.fromkeys(
            np.flatnonzero(np.array(DEGREES) > 1), 1
        )


@pytest.mark.parametrize("target_rate", [0.01, 0.3, 0.99])
@pytest.mark.parametrize("max_targets", [1, 8, 1000])
def test_a_user_predicts_at_least_one_item_at_most_max_targets_and_never_all(
    items_of_user, make, target_rate, max_targets
):
    for _ in range(20):
        positions = np.concatenate(list(make(target_rate=target_rate, max_targets=max_targets)))
        assert len(np.unique(positions)) == len(positions)
        count_U = np.bincount(users_of(items_of_user, positions), minlength=len(DEGREES))
        trained_U = np.array(DEGREES) > 1
        assert (count_U[trained_U] >= 1).all()
        assert (count_U <= max_targets).all()
        assert (count_U[trained_U] < np.array(DEGREES)[trained_U]).all()


def test_the_number_of_targets_is_the_rate_of_the_users_items(items_of_user, make):
    positions = np.concatenate(list(make(target_rate=0.3, max_targets=32)))
    count_U = np.bincount(users_of(items_of_user, positions), minlength=len(DEGREES))
    #                              degrees 0, 1, 2, 3, 5, 10, 10, 40, 100 (capped), 7, 1, 2
    np.testing.assert_array_equal(count_U, [0, 0, 1, 1, 2, 3, 3, 12, 30, 2, 0, 1])


@pytest.mark.parametrize(("user", "max_targets"), [(5, 8), (7, 8), (8, 32), (2, 8)])
def test_a_users_targets_are_uniform_over_their_items(items_of_user, make, user, max_targets):
    """User 5 draws fewer than it may, user 7 is cut at the maximum, user 8 is cut and draws fewer."""
    batches = make(seed=4, users_per_batch=99, max_targets=max_targets)
    first, end = items_of_user.indptr[user : user + 2]
    drawn = np.concatenate([np.concatenate(list(batches)) for _ in range(3000)])
    drawn = drawn[(drawn >= first) & (drawn < end)] - first
    assert chisquare(np.bincount(drawn, minlength=end - first)).pvalue > 1e-3


def test_the_same_seed_gives_the_same_batches_and_each_epoch_others(make):
    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    first, second = list(one), list(one)
    assert [list(same), list(same)] == [first, second]
    assert first != second
    assert list(other) != first


def test_each_epoch_brings_the_users_in_another_order(items_of_user, make):
    batches = make(users_per_batch=1)
    orders = {tuple(int(users_of(items_of_user, batch)[0]) for batch in batches) for _ in range(6)}
    assert len(orders) == 6


def test_nobody_to_predict_for_means_no_batch():
    single = Adjacency(np.array([0, 1, 2]), np.array([0, 1]), np.ones(2, dtype=np.float32), num_columns=3)
    batches = UserBatches(single, 4, 0.3, 8, np.random.default_rng(0))
    assert len(batches) == 0
    assert list(batches) == []
