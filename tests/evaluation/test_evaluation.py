import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.protocol import LeftOut, Pool
from graphrec.evaluation.ranking import RankedLists

NUM_USERS, NUM_ITEMS = 4, 9


def make_pool():
    """Items 2..8 compete; user 0 likes 3 and 5, user 2 likes 8; user 3 likes 4 and has seen 2."""
    truth = sp.csr_matrix((np.ones(4, dtype=bool), ([0, 0, 2, 3], [3, 5, 8, 4])), (NUM_USERS, NUM_ITEMS))
    seen = sp.csr_matrix(([1.0], ([3], [2])), (NUM_USERS, NUM_ITEMS))
    return Pool("cold", np.arange(2, 9), "the 7 items", truth, seen, np.array([0, 2, 3]), LeftOut(0, 0, 0, 0))


def make_lists(items):
    items = np.array(items)
    return RankedLists(items, np.where(items < 0, np.nan, 0.5).astype(np.float32))


def test_metrics_belong_to_the_users_whose_lists_were_given():
    lists = make_lists([[8, 2, 3], [5, 7, 3], [6, -1, -1]])  # of users 2, 0 and 1, in that order
    metrics = evaluate(lists, make_pool(), np.array([2, 0, 1]), ks=[1, 3])
    np.testing.assert_array_equal(metrics.values["recall@1"], [1, 0.5, np.nan])
    np.testing.assert_array_equal(metrics.values["recall@3"], [1, 1, np.nan])
    np.testing.assert_array_equal(metrics.values["precision@3"], [1 / 3, 2 / 3, np.nan])
    np.testing.assert_allclose(metrics.values["ndcg@3"], [1, 1.5 / (1 + 1 / np.log2(3)), np.nan])
    np.testing.assert_array_equal(metrics.user_index_U, [2, 0, 1])


def test_means_are_over_the_users_with_something_relevant():
    metrics = evaluate(make_lists([[8, 2], [5, 7], [6, -1]]), make_pool(), np.array([2, 0, 1]), ks=[2])
    assert metrics.means()["recall@2"] == 0.75
    assert list(metrics.means()) == [
        f"{name}@2" for name in ("recall", "ndcg", "precision", "f1", "hit_rate", "mrr", "map")
    ]
    nobody = evaluate(make_lists([[8, 2]]), make_pool(), np.array([1]), ks=[2])
    assert np.isnan(nobody.means()["recall@2"])


@pytest.mark.parametrize(
    ("items", "users", "ks", "message"),
    [
        ([[8, 2]], [0, 2], [2], "one list per user"),
        ([[8, 2]], [0], [3], "between 1 and the 2 ranks"),
        ([[8, 1]], [0], [2], "items of the cold pool only, got 1 others, one is 1"),
        ([[8, 2]], [3], [2], "no seen item in a list, got 1"),
    ],
)
def test_lists_that_break_the_protocol_are_refused(items, users, ks, message):
    with pytest.raises(ValueError, match=message):
        evaluate(make_lists(items), make_pool(), np.array(users), ks)
