import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.findings import Findings
from graphrec.evaluation.metrics import METRICS
from graphrec.evaluation.protocol import LeftOut, Pool
from graphrec.evaluation.ranking import RankedLists, hits

NUM_USERS, NUM_ITEMS, LENGTH = 45, 30, 12


def random_world(seed=0):
    """Lists out of order of users, some of them short, some users with nothing relevant."""
    rng = np.random.default_rng(seed)
    truth = sp.random(NUM_USERS, NUM_ITEMS, density=0.1, format="csr", random_state=seed).astype(bool)
    pool = Pool("cold", np.arange(NUM_ITEMS), "", truth, sp.csr_matrix(truth.shape), np.arange(4), LeftOut(0, 0, 0, 0))
    users = rng.permutation(NUM_USERS)[:37]
    items = np.stack([rng.permutation(NUM_ITEMS)[:LENGTH] for _ in users])
    items[5, 3:] = -1
    items[6] = -1
    return RankedLists(items, np.zeros(items.shape)), pool, users


def test_ranks_are_those_of_the_relevant_items_in_the_lists():
    lists, pool, users = random_world()
    rank_UI = Findings.of(lists, pool, users).rank_UI.toarray()
    for row, user in enumerate(users):
        for item in range(NUM_ITEMS):
            places = np.flatnonzero(lists.items_UK[row] == item)
            is_hit = pool.truth[user, item] and len(places)
            assert rank_UI[row, item] == (places[0] + 1 if is_hit else 0)


def test_metrics_are_those_of_the_lists():
    lists, pool, users = random_world()
    is_hit_UK, num_relevant_U = hits(lists, pool.truth[users])
    values = evaluate(lists, pool, users, [1, 7, LENGTH]).values
    assert list(values) == [f"{name}@{k}" for name in METRICS for k in (1, 7, LENGTH)]
    for name, metric in METRICS.items():
        np.testing.assert_array_equal(values[f"{name}@7"], metric(is_hit_UK, num_relevant_U, 7))


def test_with_some_items_only_the_others_still_take_their_places():
    lists, pool, users = random_world()
    is_member_I = np.arange(NUM_ITEMS) % 3 == 0
    some = Findings.of(lists, pool, users).of_items(is_member_I)
    truth = pool.truth[users].toarray() & is_member_I
    is_hit_UK, num_relevant_U = hits(lists, sp.csr_matrix(truth))
    for name, metric in METRICS.items():
        np.testing.assert_array_equal(
            some.per_user([name], [7])[f"{name}@7"], metric(is_hit_UK, num_relevant_U, 7), err_msg=name
        )


def test_some_users_keep_their_values():
    findings = Findings.of(*random_world())
    whole, rows = findings.per_user(METRICS, [7]), np.array([3, 0, 9])
    for name, value_U in findings.of_users(rows).per_user(METRICS, [7]).items():
        np.testing.assert_array_equal(value_U, whole[name][rows])
