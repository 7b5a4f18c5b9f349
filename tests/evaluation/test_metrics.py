import numpy as np
import pytest

from graphrec.evaluation.metrics import (
    METRICS,
    average_precision,
    f1,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)

# Four users, five ranks: hits at 1 and 4; at 2 only; none; nothing relevant.
HITS = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
RELEVANT = np.array([3, 7, 2, 0])
LOG3 = 1 / np.log2(3)  # discount of rank 2; rank 1 has 1, rank 3 has 1/2


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (recall, 3, [1 / 3, 1 / 7, 0]),
        (recall, 5, [2 / 3, 1 / 7, 0]),
        (precision, 3, [1 / 3, 1 / 3, 0]),
        (precision, 5, [2 / 5, 1 / 5, 0]),
        (f1, 3, [2 / (3 + 3), 2 / (3 + 7), 0]),
        (f1, 5, [4 / (5 + 3), 2 / (5 + 7), 0]),
        (ndcg, 2, [1 / (1 + LOG3), LOG3 / (1 + LOG3), 0]),
        (ndcg, 5, [(1 + 1 / np.log2(5)) / (1 + LOG3 + 0.5), LOG3 / (1 / np.log2([2, 3, 4, 5, 6])).sum(), 0]),
        (hit_rate, 1, [1, 0, 0]),
        (hit_rate, 5, [1, 1, 0]),
        (reciprocal_rank, 1, [1, 0, 0]),
        (reciprocal_rank, 5, [1, 1 / 2, 0]),
        (average_precision, 3, [1 / 3, 1 / 2 / 7, 0]),
        (average_precision, 5, [(1 + 2 / 4) / 3, 1 / 2 / 7, 0]),
    ],
)
def test_a_metric_has_its_hand_computed_value(metric, k, expected):
    np.testing.assert_allclose(metric(HITS, RELEVANT, k), [*expected, np.nan], rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_is_float64_and_nan_where_nothing_is_relevant(metric):
    value_U = metric(HITS, RELEVANT, 4)
    assert value_U.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(value_U), RELEVANT == 0)


def test_recall_is_not_capped_at_k_and_ndcg_is():
    all_hits, relevant = np.ones((1, 4), dtype=bool), np.array([10])
    assert recall(all_hits, relevant, 4) == 0.4
    assert ndcg(all_hits, relevant, 4) == 1.0


def test_f1_is_the_harmonic_mean_of_each_users_precision_and_recall():
    p, r = precision(HITS, RELEVANT, 5)[:2], recall(HITS, RELEVANT, 5)[:2]
    np.testing.assert_allclose(f1(HITS, RELEVANT, 5)[:2], 2 * p * r / (p + r), rtol=1e-12)


def test_a_perfect_list_of_any_length_has_ndcg_exactly_one():
    relevant = np.arange(1, 31)
    is_hit = np.arange(45) < relevant[:, None]
    np.testing.assert_array_equal(ndcg(is_hit, relevant, 45), 1.0)


def test_a_padded_list_is_judged_as_a_full_one():
    short = np.array([[True, True, False, False]])  # two places filled, two empty
    assert precision(short, np.array([2]), 4) == 0.5


@pytest.mark.parametrize("k", [0, 6])
def test_a_cut_off_beyond_the_ranks_is_refused(k):
    with pytest.raises(ValueError, match="between 1 and the 5 ranks"):
        recall(HITS, RELEVANT, k)


def test_hits_and_counts_of_different_users_are_refused():
    with pytest.raises(ValueError, match="Expected hits"):
        recall(HITS, RELEVANT[:3], 2)


COMPILED_SLOWLY = [pytest.param(name, marks=pytest.mark.slow) for name in METRICS if name not in ("recall", "ndcg")]


@pytest.mark.parametrize("name", ["recall", "ndcg", *COMPILED_SLOWLY])
def test_metrics_agree_with_ranx_for_every_user(name):
    ranx = pytest.importorskip("ranx")
    rng = np.random.default_rng(3)
    num_users, num_items, length = 30, 45, 20
    num_relevant_U = rng.integers(1, 40, num_users)
    is_hit_UK = np.zeros((num_users, length), dtype=bool)
    theirs_U = np.zeros(num_users)
    for user in range(num_users):
        ranked, relevant = rng.permutation(num_items)[:length], rng.permutation(num_items)[: num_relevant_U[user]]
        is_hit_UK[user] = np.isin(ranked, relevant)
        # Arrays of (id, relevance) and (id, score) spare ranx the compilation of its dictionaries.
        run = np.column_stack([ranked, np.arange(length, 0, -1)]).astype(np.float64)
        qrels = np.column_stack([relevant, np.ones(len(relevant))])
        theirs_U[user] = ranx.evaluate(qrels[None], run[None], f"{name}@10")
    np.testing.assert_allclose(METRICS[name](is_hit_UK, num_relevant_U, 10), theirs_U, atol=1e-6)


def test_where_nothing_is_relevant_ranx_says_0_and_we_say_nan():
    """The one difference in definition: such users pull the means of ranx down and are no part of ours."""
    ranx = pytest.importorskip("ranx")
    run, nothing = np.array([[3.0, 2.0], [5.0, 1.0]]), np.array([[4.0, 0.0]])
    assert ranx.evaluate(nothing[None], run[None], "recall@10") == 0
    assert np.isnan(recall(np.zeros((1, 10), dtype=bool), np.array([0]), 10)).all()
