"""The bootstrap over items: against a slow loop, against its formula, and where items are what differs."""

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.evaluation import item_clusters as module
from graphrec.evaluation.findings import Findings
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.evaluation.item_clusters import ADDITIVE, credits, item_clustered_bootstrap

NUM_USERS, NUM_ITEMS, LENGTH = 23, 17, 9


def random_findings(seed, density=0.25):
    """Random lists of `LENGTH` out of all items; user 2 has nothing relevant, item 5 is relevant to nobody."""
    relevant = sp.random(NUM_USERS, NUM_ITEMS, density=density, random_state=1).toarray() > 0
    relevant[2] = False
    relevant[:, 5] = False
    rng = np.random.default_rng(seed)
    rank = np.zeros((NUM_USERS, NUM_ITEMS), dtype=np.int32)
    for row in rank:
        row[rng.permutation(NUM_ITEMS)[:LENGTH]] = np.arange(1, LENGTH + 1)
    return Findings(sp.csr_matrix(rank * relevant), sp.csr_matrix(relevant), LENGTH)


@pytest.mark.parametrize("metric", ADDITIVE)
@pytest.mark.parametrize("k", [1, 4, LENGTH])
def test_the_credits_of_a_user_add_up_to_the_metric(metric, k):
    findings = random_findings(0)
    value_U = findings.per_user([metric], [k])[f"{metric}@{k}"]
    total_U = np.asarray(credits(findings, metric, k).sum(axis=1)).ravel()
    np.testing.assert_allclose(total_U, np.nan_to_num(value_U), atol=1e-12)


def test_what_is_no_sum_of_credits_is_refused():
    with pytest.raises(ValueError, match="Expected one of recall, ndcg"):
        credits(random_findings(0), "mrr", 4)


def naive_means(difference_UI, relevant_UI, weight_CR):
    """The estimator in plain loops, `weight_CR` on the items that are relevant to anybody."""
    difference, relevant = difference_UI.toarray(), relevant_UI.toarray()
    clusters = [item for item in range(NUM_ITEMS) if relevant[:, item].any()]
    means = []
    for weight_C in weight_CR.T:
        values = []
        for user in range(NUM_USERS):
            drawn = sum(w for w, item in zip(weight_C, clusters, strict=True) if relevant[user, item])
            if drawn:
                credit = sum(w * difference[user, item] for w, item in zip(weight_C, clusters, strict=True))
                values.append(relevant[user].sum() * credit / drawn)
        means.append(np.mean(values))
    return np.array(means)


@pytest.mark.parametrize("cells", [1, 100, 2**21])
def test_the_interval_equals_a_loop_over_resamples_users_and_items(cells, monkeypatch):
    monkeypatch.setattr(module, "_CELLS_PER_BLOCK", cells)
    a, b = random_findings(0), random_findings(3)
    drawn, make = [], module._drawn_counts
    monkeypatch.setattr(module, "_drawn_counts", lambda *given: drawn.append(make(*given)) or drawn[-1])
    differences = [credits(a, metric, 4) - credits(b, metric, 4) for metric in ("recall", "ndcg")]
    found = item_clustered_bootstrap(differences, a.relevant_UI, np.random.default_rng(0), 60, level=0.8)
    weight_CR = np.hstack(drawn)
    assert weight_CR.shape == (NUM_ITEMS - 1, 60)
    assert (weight_CR.sum(axis=0) == NUM_ITEMS - 1).all()
    for interval, difference_UI in zip(found, differences, strict=True):
        low, high = np.quantile(naive_means(difference_UI, a.relevant_UI, weight_CR), [0.1, 0.9])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)
        assert (interval.num_items, interval.num_resamples) == (NUM_ITEMS - 1, 60)


def test_with_every_item_drawn_once_it_is_the_metric(monkeypatch):
    monkeypatch.setattr(module, "_drawn_counts", lambda rng, items, resamples: np.ones((items, resamples)))
    a, b = random_findings(0), random_findings(3)
    for metric in ADDITIVE:
        name = f"{metric}@4"
        (interval,) = item_clustered_bootstrap(
            [credits(a, metric, 4) - credits(b, metric, 4)], a.relevant_UI, np.random.default_rng(0), 3
        )
        expected = np.nanmean(a.per_user([metric], [4])[name] - b.per_user([metric], [4])[name])
        assert (interval.low, interval.high) == pytest.approx((expected, expected), abs=1e-12)


def test_where_items_decide_the_interval_over_items_covers_and_the_one_over_users_does_not():
    """Every user likes every item, and arm a finds item i where a coin says so: only 30 coins were thrown."""
    rng = np.random.default_rng(0)
    num_users, num_items, over_items, over_users = 200, 30, 0, 0
    relevant_UI = sp.csr_matrix(np.ones((num_users, num_items), dtype=bool))
    for _ in range(150):
        found_I = rng.choice([-1.0, 1.0], num_items)
        noise_UI = rng.random((num_users, num_items)) < 0.8
        difference_UI = sp.csr_matrix(noise_UI * found_I / num_items)
        (items,) = item_clustered_bootstrap([difference_UI], relevant_UI, rng, 300)
        users = paired_bootstrap(np.asarray(difference_UI.sum(axis=1)).ravel(), np.zeros(num_users), rng, 300)
        over_items += items.low <= 0 <= items.high
        over_users += users.low <= 0 <= users.high
    assert over_items > 0.88 * 150
    assert over_users < 0.3 * 150


def test_what_cannot_be_drawn_is_refused():
    one_item = sp.csr_matrix(np.eye(4, 3, dtype=bool)[:, [0, 0, 0]] & np.array([True, False, False]))
    with pytest.raises(ValueError, match="at least 2 items"):
        item_clustered_bootstrap([sp.csr_matrix((4, 3))], one_item, np.random.default_rng(0))
    with pytest.raises(ValueError, match="shape"):
        item_clustered_bootstrap([sp.csr_matrix((4, 2))], one_item, np.random.default_rng(0))
