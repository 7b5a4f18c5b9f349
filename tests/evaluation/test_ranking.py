import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.evaluation.ranking import RankedLists, hits, rank_by_scores, rank_by_vectors
from graphrec.evaluation.selection import reached_by_k

NUM_USERS, NUM_ITEMS, DIM = 45, 30, 7


def random_world(seed=0, whole_numbers=False):
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((NUM_USERS, DIM)).astype(np.float32)
    vectors = rng.standard_normal((NUM_ITEMS, DIM)).astype(np.float32)
    if whole_numbers:  # so that many scores tie exactly
        query, vectors = np.rint(query), np.rint(vectors)
    seen = sp.random(NUM_USERS, NUM_ITEMS, density=0.2, format="csr", random_state=seed)
    pool = np.sort(rng.choice(NUM_ITEMS, 19, replace=False))
    return query, vectors, pool, seen


def naive_lists(query, vectors, pool, seen, k):
    items = np.full((len(query), k), -1)
    scores = np.full((len(query), k), np.nan, dtype=np.float32)
    for user in range(len(query)):
        ranked = []
        for item in pool:
            if seen is not None and seen[user, item] != 0:
                continue
            score = np.float32(sum(float(q) * float(v) for q, v in zip(query[user], vectors[item], strict=True)))
            ranked.append((-score, item))
        for rank, (negative, item) in enumerate(sorted(ranked)[:k]):
            items[user, rank], scores[user, rank] = item, -negative
    return RankedLists(items, scores)


def assert_same(lists, expected):
    np.testing.assert_array_equal(lists.items_UK, expected.items_UK)
    np.testing.assert_array_equal(lists.scores_UK, expected.scores_UK)


@pytest.mark.parametrize("whole_numbers", [False, True])
@pytest.mark.parametrize("k", [1, 5, 19, 25])
@pytest.mark.parametrize("with_seen", [False, True])
def test_ranking_equals_a_loop_over_users_and_items(whole_numbers, k, with_seen):
    query, vectors, pool, seen = random_world(whole_numbers=whole_numbers)
    seen = seen if with_seen else None
    expected = naive_lists(query, vectors, pool, seen, k)
    lists = rank_by_vectors(query, vectors, pool, seen, k)
    np.testing.assert_array_equal(lists.items_UK, expected.items_UK)
    np.testing.assert_allclose(lists.scores_UK, expected.scores_UK, rtol=1e-6)


@given(seed=st.integers(0, 2**16), k=st.integers(1, 25), block_bytes=st.integers(1, 60_000))
@settings(max_examples=40, deadline=None)
def test_the_block_size_does_not_change_the_answer(seed, k, block_bytes):
    query, vectors, pool, seen = random_world(seed, whole_numbers=seed % 2 == 0)
    assert_same(
        rank_by_vectors(query, vectors, pool, seen, k, block_bytes=block_bytes),
        rank_by_vectors(query, vectors, pool, seen, k),
    )


def close_race(num_users=45, num_items=300, dim=128):
    """Items whose scores differ by less than the float32 product's own rounding."""
    rng = np.random.default_rng(1)
    query = rng.standard_normal((num_users, dim)).astype(np.float32)
    vectors = rng.standard_normal(dim) + 1e-7 * rng.standard_normal((num_items, dim))
    return query, vectors.astype(np.float32), np.arange(num_items)


def test_an_answer_does_not_depend_on_who_else_asks_to_the_last_bit():
    query, vectors, pool = close_race()
    together = rank_by_vectors(query, vectors, pool, None, 20)
    alone = [rank_by_vectors(query[[u]], vectors, pool, None, 20) for u in range(len(query))]
    assert_same(
        together,
        RankedLists(*(np.concatenate(x) for x in zip(*((a.items_UK, a.scores_UK) for a in alone), strict=True))),
    )
    backwards = rank_by_vectors(query[::-1], vectors, pool, None, 20)
    assert_same(together, RankedLists(backwards.items_UK[::-1], backwards.scores_UK[::-1]))


def test_an_item_keeps_its_score_in_every_pool():
    query, vectors, pool = close_race()
    whole = rank_by_vectors(query, vectors, pool, None, len(pool))
    half = rank_by_vectors(query, vectors, pool[::2], None, len(pool[::2]))
    for user in range(len(query)):
        kept = whole.items_UK[user] % 2 == 0
        np.testing.assert_array_equal(half.items_UK[user], whole.items_UK[user][kept])
        np.testing.assert_array_equal(half.scores_UK[user], whole.scores_UK[user][kept])


def test_a_close_race_is_decided_as_in_double_precision():
    query, vectors, pool = close_race()
    exact = (query.astype(np.float64) @ vectors.T.astype(np.float64)).astype(np.float32)
    lists = rank_by_vectors(query, vectors, pool, None, 20)
    np.testing.assert_array_equal(lists.items_UK, np.argsort(-exact, axis=1, kind="stable")[:, :20])


def test_twins_and_silent_queries_stand_in_the_order_of_item_index():
    query, vectors, pool, _ = random_world()
    vectors[:] = vectors[4]
    query[3] = 0
    lists = rank_by_vectors(query, vectors, pool, None, 6)
    np.testing.assert_array_equal(lists.items_UK, np.tile(pool[:6], (NUM_USERS, 1)))


def test_seen_items_never_stand_in_a_list_and_leave_padding_where_too_few_remain():
    query, vectors, pool, _ = random_world()
    seen = np.zeros((NUM_USERS, NUM_ITEMS))
    seen[2, pool[3:]] = 1
    seen[5] = 1
    lists = rank_by_vectors(query, vectors, pool, sp.csr_matrix(seen), 8)
    assert sorted(lists.items_UK[2, :3]) == list(pool[:3])
    np.testing.assert_array_equal(lists.items_UK[2, 3:], -1)
    np.testing.assert_array_equal(lists.items_UK[5], -1)
    np.testing.assert_array_equal(np.isnan(lists.scores_UK), lists.items_UK == -1)


def test_double_precision_vectors_rank_like_their_float32_selves():
    query, vectors, pool, seen = random_world()
    assert_same(
        rank_by_vectors(query.astype(np.float64), vectors.astype(np.float64), pool, seen, 9),
        rank_by_vectors(query, vectors, pool, seen, 9),
    )


def test_the_inputs_are_left_as_they_were():
    query, vectors, pool, seen = random_world()
    before = [query.copy(), vectors.copy(), pool.copy(), seen.toarray()]
    rank_by_vectors(query, vectors, pool, seen, 5)
    for array, copy in zip([query, vectors, pool, seen.toarray()], before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_given_scores_rank_like_the_same_inner_products():
    query, vectors, pool, seen = random_world(whole_numbers=True)
    scores = query @ vectors[pool].T
    before = scores.copy()
    lists = rank_by_scores(lambda rows: scores[rows[0] : rows[-1] + 1], NUM_USERS, NUM_ITEMS, pool, seen, 9)
    assert_same(lists, rank_by_vectors(query, vectors, pool, seen, 9))
    np.testing.assert_array_equal(scores, before)


def test_popularity_ranks_by_one_broadcast_row():
    popularity = np.array([5.0, 9.0, 1.0, 9.0, 5.0])
    pool = np.array([0, 1, 3, 4])
    seen = sp.csr_matrix(([1.0], ([2], [1])), (3, 5))
    lists = rank_by_scores(lambda rows: np.broadcast_to(popularity[pool], (len(rows), 4)), 3, 5, pool, seen, 3)
    np.testing.assert_array_equal(lists.items_UK, [[1, 3, 0], [1, 3, 0], [3, 0, 4]])


def test_no_block_computes_more_rows_than_fit_its_bytes():
    pool, asked = np.arange(300), []

    def scores(rows):
        asked.append(rows)
        return np.zeros((len(rows), len(pool)))

    rank_by_scores(scores, 450, 300, pool, None, 5, block_bytes=3 * 20 * 16 * 300)
    assert max(len(rows) for rows in asked) == 20
    np.testing.assert_array_equal(np.concatenate(asked), np.arange(450))
    asked.clear()
    rank_by_scores(scores, 4, 300, pool, None, 5, block_bytes=1)
    assert [len(rows) for rows in asked] == [1] * 4


@pytest.mark.parametrize("all_tied", [False, True])
def test_working_memory_stays_within_the_blocks_bytes_even_where_every_score_ties(all_tied):
    rng = np.random.default_rng(0)
    query = rng.standard_normal((900, 16)).astype(np.float32)
    vectors = np.zeros((700, 16)) if all_tied else rng.standard_normal((700, 16))
    vectors, seen = vectors.astype(np.float32), sp.random(900, 700, 0.01, format="csr", random_state=0)
    block_bytes, outside = 2**21, 900 * 10 * (8 + 4) * 3 + vectors.nbytes + 100_000
    tracemalloc.start()
    rank_by_vectors(query, vectors, np.arange(700), seen, 10, block_bytes=block_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < block_bytes + outside


def test_no_users_and_no_items_give_empty_lists():
    query, vectors, pool, seen = random_world()
    assert rank_by_vectors(query[:0], vectors, pool, seen[:0], 4).items_UK.shape == (0, 4)
    np.testing.assert_array_equal(rank_by_vectors(query, vectors, pool[:0], seen, 4).items_UK, np.full((45, 4), -1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_UD": np.zeros((45, 6))}, "Expected queries"),
        ({"vectors_ID": np.full((30, 7), np.nan)}, "finite"),
        ({"query_UD": np.full((45, 7), 1e38)}, "finite"),
        ({"pool": np.array([3, 2])}, "sorted"),
        ({"pool": np.array([3, 3])}, "sorted"),
        ({"pool": np.array([3, 30])}, r"in \[0, 30\)"),
        ({"seen": sp.csr_matrix((30, 45))}, "seen items of shape"),
        ({"k": 0}, "at least 1"),
    ],
)
def test_a_wrong_argument_is_refused(change, message):
    query, vectors, pool, seen = random_world()
    arguments = {"query_UD": query, "vectors_ID": vectors + 9, "pool": pool, "seen": seen, "k": 5}
    with pytest.raises(ValueError, match=message):
        rank_by_vectors(**arguments | change)


@pytest.mark.parametrize(("scores", "message"), [(np.zeros((4, 3)), "shape"), (np.full((4, 2), np.nan), "finite")])
def test_wrong_given_scores_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        rank_by_scores(lambda rows: scores, 4, 5, np.array([1, 2]), None, 2)


def test_hits_are_found_by_hand():
    lists = RankedLists(np.array([[4, 0, 2], [1, -1, -1], [3, 2, 1]]), np.zeros((3, 3)))
    truth = sp.csr_matrix(([True] * 6, ([0, 0, 0, 1, 1, 1], [2, 4, 5, 0, 4, 5])), (3, 6))
    is_hit, num_relevant = hits(lists, truth)
    np.testing.assert_array_equal(is_hit, [[True, False, True], [False, False, False], [False, False, False]])
    np.testing.assert_array_equal(num_relevant, [3, 3, 0])


def test_padding_is_no_hit_for_the_last_item_of_the_user_above():
    lists = RankedLists(np.array([[0], [-1]]), np.zeros((2, 1)))
    is_hit, _ = hits(lists, sp.csr_matrix(([True], ([0], [3])), (2, 4)))
    assert not is_hit.any()


def test_a_pair_stored_twice_is_one_relevant_item():
    truth = sp.csr_matrix((np.ones(3), np.array([2, 1, 2]), np.array([0, 3])), (1, 4))
    is_hit, num_relevant = hits(RankedLists(np.array([[2, 3]]), np.zeros((1, 2))), truth)
    assert (num_relevant == [2]).all()
    assert (is_hit == [[True, False]]).all()
    assert truth.nnz == 3  # the caller's matrix is left alone


def test_hits_equal_a_loop_on_random_lists():
    query, vectors, pool, seen = random_world()
    truth = sp.random(NUM_USERS, NUM_ITEMS, density=0.3, format="csr", random_state=8)
    lists = rank_by_vectors(query, vectors, pool, seen, 25)
    is_hit, num_relevant = hits(lists, truth)
    for user in range(NUM_USERS):
        liked = set(truth[user].indices)
        assert list(is_hit[user]) == [item in liked for item in lists.items_UK[user]]
        assert num_relevant[user] == len(liked)


def test_lists_of_other_users_or_another_catalogue_are_refused():
    lists = RankedLists(np.array([[4, 0], [1, 2]]), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="one row of truth per list"):
        hits(lists, sp.csr_matrix((3, 5)))
    with pytest.raises(ValueError, match="below 4"):
        hits(lists, sp.csr_matrix((2, 4)))


def test_an_item_twice_in_a_list_is_refused():
    with pytest.raises(ValueError, match="at most once"):
        RankedLists(np.array([[1, 2, 1]]), np.zeros((1, 3)))
    RankedLists(np.array([[1, -1, -1]]), np.zeros((1, 3)))


@pytest.mark.parametrize(("pool_size", "k"), [(1003, 5), (1003, 1), (640, 3), (97, 40)])
def test_many_items_in_groups_rank_like_a_sort_of_all(pool_size, k):
    """Pools that fall into groups with some items left over; a few users may see almost nothing of them."""
    rng = np.random.default_rng(pool_size)
    scores = rng.integers(0, 300, (40, pool_size)).astype(np.float32)
    seen = sp.random(40, pool_size, density=0.3, format="lil", random_state=1)
    seen[3, 2:] = 1
    seen[4, : pool_size - 6] = 1
    seen = sp.csr_matrix(seen)
    lists = rank_by_scores(lambda rows: scores[rows], 40, pool_size, np.arange(pool_size), seen, k)
    left = np.where(seen.toarray() != 0, -np.inf, scores)
    order = np.argsort(-left, axis=1, kind="stable")[:, :k]
    expected = np.where(np.isfinite(np.take_along_axis(left, order, axis=1)), order, -1)
    np.testing.assert_array_equal(lists.items_UK, expected)


@given(seed=st.integers(0, 2**16), pool_size=st.integers(2, 400), k=st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_at_least_k_items_reach_the_score_that_is_said_to_be_reached(seed, pool_size, k):
    k = min(k, pool_size - 1)
    scores = np.random.default_rng(seed).integers(0, 50, (7, pool_size)).astype(np.float32)
    reached = reached_by_k(scores.copy(), k)
    assert ((scores >= reached[:, None]).sum(axis=1) >= k).all()
    if pool_size >= 16 * k and seed % 7 == 0:  # and it is not far below the best that can be said
        assert (reached >= np.sort(scores, axis=1)[:, -3 * k]).all()
