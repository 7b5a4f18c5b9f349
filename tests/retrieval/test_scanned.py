import numpy as np
import pytest

from graphrec.retrieval import scanned
from graphrec.retrieval.scanned import Scanned


@pytest.fixture
def some():
    """40 places of 5 numbers, a third of them passed over, and 7 queries."""
    rng = np.random.default_rng(0)
    item_P = np.where(np.arange(40) % 3 == 1, -1, rng.permutation(100)[:40])
    return Scanned(rng.normal(size=(40, 5)).astype(np.float32), item_P), rng.normal(size=(7, 5)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 5, 27])
def test_the_best_are_those_of_sorting_everything_that_is_not_passed_over(some, n, monkeypatch):
    beside, query_bD = some
    monkeypatch.setattr(scanned, "_PRODUCTS", 100)  # two queries at a time
    first_bn, items_bn = beside.best(query_bD, n)
    looked_at = beside.item_P >= 0
    score_bP = (query_bD @ beside.vectors_PD.T)[:, looked_at]
    order_bP = np.argsort(-score_bP, axis=1)[:, :n]
    np.testing.assert_array_equal(items_bn, beside.item_P[looked_at][order_bP])
    np.testing.assert_allclose(first_bn, np.take_along_axis(score_bP, order_bP, axis=1), rtol=1e-6)


def test_items_that_are_not_allowed_are_passed_over_too(some):
    beside, query_bD = some
    allowed = np.sort(beside.item_P[beside.item_P >= 0])[::2]
    among = beside.among(allowed)
    assert among.count == len(allowed)
    _, items_bn = among.best(query_bD, among.count)
    assert all(sorted(items) == allowed.tolist() for items in items_bn)
    assert np.shares_memory(among.vectors_PD, beside.vectors_PD)


def test_where_nothing_is_looked_at_nothing_is_found():
    first_bn, items_bn = Scanned(np.ones((2, 3), np.float32), np.full(2, -1)).best(np.ones((4, 3), np.float32), 1)
    assert np.isnan(first_bn).all()
    assert (items_bn == -1).all()
