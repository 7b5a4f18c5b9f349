import numpy as np
import pytest

from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.evaluation.protocol import build_pool
from graphrec.models.tuning import MaskedSplit, TuningConfig, mean_ndcg


@pytest.fixture
def outer(taste_world):
    return taste_world.split


def pairs_of(interactions):
    return set(zip(interactions.user_index_E.tolist(), interactions.item_index_E.tolist(), strict=True))


def truth_of(split):
    return set(zip(split.truth.user_index_P.tolist(), split.truth.item_index_P.tolist(), strict=True))


def test_masked_items_have_no_edge_in_the_smaller_training_set(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(masked_items=0.25), seed=1)
    degree_I = masked.split.train.interactions.item_degree()
    assert len(masked.cold.items) == 20  # a quarter of the 80 warm items
    assert not degree_I[masked.cold.items].any()
    np.testing.assert_array_equal(masked.warm_items, np.flatnonzero(degree_I))
    assert not set(masked.warm_items) & set(masked.cold.items)


def test_nothing_of_the_outer_truth_and_no_outer_cold_item_is_in_the_masked_split(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(), seed=1)
    inner_train, inner_truth = pairs_of(masked.split.train.interactions), truth_of(masked.split)
    assert inner_train.isdisjoint(inner_truth)
    assert inner_train | inner_truth == pairs_of(outer.train.interactions)
    assert (inner_train | inner_truth).isdisjoint(truth_of(outer))
    assert not np.isin(masked.cold.items, outer.cold_items).any()
    assert masked.split.train.truths == {}


def test_some_edges_of_the_other_items_are_masked_too(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(masked_edges=0.1), seed=1)
    pool, _ = masked.judges("warm")
    warm_pairs = len([item for _, item in pairs_of(outer.train.interactions) if item not in masked.cold.items])
    assert pool.truth.nnz == round(0.1 * warm_pairs)


def test_judges_are_at_most_max_users_drawn_by_the_seed(outer):
    config = TuningConfig(max_users=17)
    pool, users = MaskedSplit.of(outer.train, config, seed=1).judges("cold")
    assert len(users) == 17 < len(pool.users)
    assert np.isin(users, pool.users).all()
    assert (np.diff(users) > 0).all()
    np.testing.assert_array_equal(MaskedSplit.of(outer.train, config, seed=1).judges("cold")[1], users)
    everybody, all_users = MaskedSplit.of(outer.train, TuningConfig(), seed=1).judges("cold")
    np.testing.assert_array_equal(all_users, everybody.users)


def test_where_no_edge_is_masked_nobody_judges_the_warm_pool(outer):
    assert MaskedSplit.of(outer.train, TuningConfig(masked_edges=1e-6), seed=1).judges("warm") is None


def test_mean_ndcg_by_hand(as_dataset):
    """Items 2 and 3 are cold. User 0 finds item 3 first, user 1 second, user 2 finds both."""
    train = as_dataset(Interactions.from_pairs([0, 1, 2], [0, 0, 1], num_users=3, num_items=4))
    split = Split(train, Truth(np.array([0, 1, 2, 2]), np.array([3, 3, 2, 3])))
    vectors_ID = np.array([[9.0, 9.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]])
    query_BD = np.array([[0.0, 1.0], [1.0, 0.5], [1.0, 1.0]])
    pool = build_pool(split, "cold")
    second = 1 / np.log2(3)
    assert mean_ndcg(query_BD, vectors_ID, pool, np.arange(3)) == pytest.approx((1 + second + 1) / 3)
    assert mean_ndcg(query_BD[[1]], vectors_ID, pool, np.array([1])) == pytest.approx(second)
    vectors_ID[0] = -9  # user 2 has seen item 1, which would come first
    assert mean_ndcg(query_BD[[2]], vectors_ID, build_pool(split, "full"), np.array([2])) == pytest.approx(1)
