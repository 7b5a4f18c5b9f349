"""Metrics of all users' lists together: by hand, and against loops over the pairs."""

from itertools import combinations

import numpy as np
import pytest

from graphrec.evaluation import list_metrics as module
from graphrec.evaluation.list_metrics import (
    LIST_METRICS,
    catalogue_coverage,
    cold_share,
    exposure_gini,
    intra_list_diversity,
    list_metrics,
    novelty,
)

# Seven items, of which 1..6 compete; three lists, the last of them empty.
LISTS = np.array([[2, 5, 1], [2, 4, -1], [-1, -1, -1]])
POOL = np.arange(1, 7)
DEGREE = np.array([9, 3, 0, 1, 0, 7, 2])


def test_coverage_is_the_share_of_the_pool_that_somebody_is_shown():
    assert catalogue_coverage(LISTS, POOL) == 4 / 6
    assert catalogue_coverage(LISTS[2:], POOL) == 0
    assert np.isnan(catalogue_coverage(LISTS[2:], POOL[:0]))


def test_gini_by_hand():
    # Exposures 0, 0, 1, 1, 1, 2 with factors -5, -3, -1, 1, 3, 5.
    assert exposure_gini(LISTS, POOL) == pytest.approx((-1 + 1 + 3 + 10) / (6 * 5))
    assert np.isnan(exposure_gini(LISTS[2:], POOL))


def test_gini_is_0_where_all_are_shown_equally_and_largest_where_one_has_all():
    assert exposure_gini(np.array([[1, 2, 3], [4, 5, 6]]), POOL) == 0
    assert exposure_gini(np.full((4, 1), 3), POOL) == pytest.approx(5 / 6)


def test_gini_equals_the_mean_absolute_difference_over_all_pairs():
    items = np.random.default_rng(0).integers(1, 7, (40, 1))
    count = np.bincount(items.ravel(), minlength=7)[1:]
    expected = np.abs(count[:, None] - count).mean() / (2 * count.mean())
    assert exposure_gini(items, POOL) == pytest.approx(expected)


def test_novelty_by_hand_a_cold_item_counts_as_the_most():
    first = (3 * np.log2(32) - np.log2(1) - np.log2(8) - np.log2(4)) / 3
    assert novelty(LISTS, DEGREE, 31) == pytest.approx((first + np.log2(32)) / 2)
    assert novelty(np.array([[2]]), DEGREE, 31) == 5.0
    assert novelty(np.array([[3]]), DEGREE, 31) == 4.0  # touched by one user: one bit less
    assert np.isnan(novelty(LISTS[2:], DEGREE, 31))


def test_cold_share_counts_filled_places():
    assert cold_share(LISTS, DEGREE) == 3 / 5
    assert np.isnan(cold_share(LISTS[2:], DEGREE))


def naive_diversity(items_UK, x_IF):
    means = []
    for items in items_UK:
        known = [x_IF[item] for item in items if item >= 0 and x_IF[item].any()]
        far = [1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(known, 2)]
        if far:
            means.append(np.mean(far))
    return np.mean(means)


@pytest.mark.parametrize("block_bytes", [1, 2**25])
def test_diversity_equals_a_loop_over_the_pairs(block_bytes, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 5)) * rng.random((30, 1))
    x[4] = 0
    items = np.stack([rng.permutation(30)[:7] for _ in range(45)])
    items[3, 1:] = -1
    items[8, 4:] = -1
    assert intra_list_diversity(items, x.astype(np.float32)) == pytest.approx(naive_diversity(items, x), abs=1e-6)


def test_diversity_by_hand():
    x = np.array([[2.0, 0], [0, 3], [-1, 0], [0, 0]])
    assert intra_list_diversity(np.array([[0, 1]]), x) == pytest.approx(1)
    assert intra_list_diversity(np.array([[0, 2]]), x) == pytest.approx(2)
    assert intra_list_diversity(np.array([[0, 2, 3]]), x) == pytest.approx(2)  # the item without features is in no pair
    assert np.isnan(intra_list_diversity(np.array([[0, 3]]), x))


def test_all_of_them_look_at_the_first_k_only():
    x = np.eye(7)
    found = list_metrics(LISTS, 2, POOL, DEGREE, 31, x)
    assert list(found) == [f"{name}@2" for name in LIST_METRICS]
    assert found["coverage@2"] == 3 / 6
    assert found["cold_share@2"] == 3 / 4
    assert found["novelty@2"] == pytest.approx(novelty(LISTS[:, :2], DEGREE, 31))
    assert found["gini@2"] == exposure_gini(LISTS[:, :2], POOL)
    assert found["diversity@2"] == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="between 1 and K"):
        list_metrics(LISTS, 4, POOL, DEGREE, 31, np.eye(7))
    with pytest.raises(ValueError, match="of the pool only"):
        catalogue_coverage(np.array([[0]]), POOL)
    with pytest.raises(ValueError, match="of the pool only"):
        exposure_gini(np.array([[3]]), POOL[:0])
