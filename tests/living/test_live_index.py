"""An index with changes beside it, against a scan of all vectors as they are now."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.retrieval.item_index import IndexConfig, ItemIndex
from graphrec.retrieval.live_index import LiveIndex

FACTORIES = ["Flat", "HNSW8,Flat", "IVF4,Flat", "IVF4_HNSW8,SQ8"]
DIM = 4


def scan(vectors_ID, query_BD, k, excluded, eligible):
    """For each query its eligible items by score, equal ones by index: the definition, item by item."""
    lists = []
    for query_D, out in zip(query_BD, excluded, strict=True):
        items = np.array([item for item in eligible.tolist() if item not in set(out.tolist())], dtype=np.int64)
        score_N = (vectors_ID[items].astype(np.float64) @ query_D.astype(np.float64)).astype(np.float32)
        order = np.lexsort((items, -score_N))[:k]
        lists.append((items[order], score_N[order]))
    return lists


def grid(rng, shape):
    """Vectors on a coarse grid: exact products, and many ties."""
    return (rng.integers(-3, 4, shape) / 2).astype(np.float32)


def changed_index(rng, factory, num_items, num_steps, config=None):
    """An index, and what its rows and removed items should be."""
    vectors_ID = grid(rng, (num_items, DIM))
    plain, removed = vectors_ID.copy(), np.empty(0, dtype=np.int64)
    config = config or IndexConfig(factory=factory, nprobe=1, ef_search=8)
    live = LiveIndex.of(ItemIndex.build(vectors_ID, config))
    for _ in range(num_steps):
        what = rng.integers(4)
        some = rng.choice(len(plain), int(rng.integers(1, 6)), replace=False)
        if what == 0:
            plain = np.concatenate([plain, grid(rng, (3, DIM))])
            live = live.with_rows(len(plain) - 3 + np.arange(3), plain[-3:])
        elif what == 1:
            plain[some] = grid(rng, (len(some), DIM))
            live = live.with_rows(some, plain[some])
        elif what == 2:  # back to what the base has
            some = some[some < num_items]
            plain[some] = vectors_ID[some]
            live = live.with_rows(some, plain[some])
        else:
            removed = np.sort(some) if rng.random() < 0.5 else np.union1d(removed, some)
            live = live.without(removed)
    return live, plain, removed


def asked(rng, num_items, num_queries=6):
    query_BD = grid(rng, (num_queries, DIM))
    excluded = [rng.choice(num_items, int(rng.integers(0, 5)), replace=False) for _ in query_BD]
    allowed = None
    if rng.random() < 0.5:
        allowed = np.sort(rng.choice(num_items, int(rng.integers(0, num_items + 1)), replace=False))
    return query_BD, excluded, allowed


def eligible_of(num_items, removed, allowed):
    return np.setdiff1d(np.arange(num_items) if allowed is None else allowed, removed)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_steps=st.integers(0, 8))
def test_a_flat_index_answers_as_a_scan_of_what_is_there_now(seed, num_steps):
    rng = np.random.default_rng(seed)
    live, plain, removed = changed_index(rng, "Flat", int(rng.integers(5, 60)), num_steps)
    query_BD, excluded, allowed = asked(rng, len(plain))
    k = int(rng.integers(1, len(plain) + 3))
    found = live.search(query_BD, k, exclude=excluded, allowed=allowed)
    expected = scan(plain, query_BD, k, excluded, eligible_of(len(plain), removed, allowed))
    for (items, scores), items_K, scores_K in zip(expected, found.items_BK, found.scores_BK, strict=True):
        np.testing.assert_array_equal(items_K[: len(items)], items)
        np.testing.assert_array_equal(scores_K[: len(items)], scores)
        assert (items_K[len(items) :] == -1).all()
        assert np.isnan(scores_K[len(items) :]).all()


@pytest.mark.parametrize("factory", FACTORIES[1:])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_steps=st.integers(1, 8))
def test_no_index_returns_what_is_gone_or_too_few_or_a_wrong_score(factory, seed, num_steps):
    rng = np.random.default_rng(seed)
    live, plain, removed = changed_index(rng, factory, 200, num_steps)
    query_BD, excluded, allowed = asked(rng, len(plain))
    k = int(rng.choice([1, 5, 40, len(plain)]))
    found = live.search(query_BD, k, exclude=excluded, allowed=allowed)
    eligible = eligible_of(len(plain), removed, allowed)
    every = scan(plain, query_BD, len(plain), excluded, eligible)
    for (items, scores), items_K, scores_K in zip(every, found.items_BK, found.scores_BK, strict=True):
        num_found = min(k, len(items))
        assert (items_K >= 0).sum() == num_found
        right = dict(zip(items.tolist(), scores.tolist(), strict=True))
        got = list(zip(items_K[:num_found].tolist(), scores_K[:num_found].tolist(), strict=True))
        assert len({item for item, _ in got}) == num_found
        assert got == sorted(got, key=lambda pair: (-pair[1], pair[0]))
        assert all(right[item] == score for item, score in got)


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_best_changed_item_is_found_whatever_the_factory(factory):
    rng = np.random.default_rng(0)
    vectors_ID = rng.normal(size=(5_000, DIM)).astype(np.float32)
    live = LiveIndex.of(ItemIndex.build(vectors_ID, IndexConfig(factory=factory, nprobe=1, ef_search=8)))
    query_BD = rng.normal(size=(20, DIM)).astype(np.float32)
    best = 10 * query_BD / np.linalg.norm(query_BD, axis=1, keepdims=True)
    live = live.with_rows(5_000 + np.arange(20), best)
    np.testing.assert_array_equal(live.search(query_BD, 1).items_BK[:, 0], 5_000 + np.arange(20))
    back = live.without(5_000 + np.arange(20))
    assert back.search(query_BD, 10).items_BK.max() < 5_000


def test_an_item_that_moved_away_leaves_its_old_place():
    rng = np.random.default_rng(1)
    vectors_ID = rng.normal(size=(300, DIM)).astype(np.float32)
    live = LiveIndex.of(ItemIndex.build(vectors_ID))
    query_BD = rng.normal(size=(1, DIM)).astype(np.float32)
    best = int(live.search(query_BD, 1).items_BK[0, 0])
    moved = live.with_rows(np.array([best]), -vectors_ID[[best]])
    assert best not in moved.search(query_BD, 20).items_BK
    assert moved.search(query_BD, 300).items_BK[0, -1] == best
    assert live.search(query_BD, 1).items_BK[0, 0] == best  # who holds the index of before sees no change


def test_a_larger_vector_than_any_before_is_still_ordered_right():
    live = LiveIndex.of(ItemIndex.build(np.eye(3, DIM, dtype=np.float32)))
    live = live.with_rows(np.array([3, 4]), np.array([[1e6, 0, 0, 0], [1e6, 1, 0, 0]], dtype=np.float32))
    found = live.search(np.ones((1, DIM), dtype=np.float32), 5)
    assert found.items_BK.tolist() == [[4, 3, 0, 1, 2]]


def test_exclusion_by_a_matrix_and_by_lists_is_one():
    rng = np.random.default_rng(2)
    live, plain, _ = changed_index(rng, "Flat", 40, 6)
    query_BD, excluded, _ = asked(rng, len(plain))
    matrix = sp.lil_matrix((len(query_BD), len(plain)), dtype=np.float32)
    for row, items in enumerate(excluded):
        matrix[row, items] = 1
    one, other = live.search(query_BD, 9, excluded), live.search(query_BD, 9, sp.csr_matrix(matrix))
    np.testing.assert_array_equal(one.items_BK, other.items_BK)


@pytest.mark.parametrize("allowed", [[-1, 2], [2, 41]])
def test_items_that_do_not_exist_cannot_be_allowed(allowed):
    live = LiveIndex.of(ItemIndex.build(np.eye(40, DIM, dtype=np.float32)))
    live = live.with_rows(np.array([40]), np.ones((1, DIM), dtype=np.float32))
    with pytest.raises(ValueError, match="Expected allowed items in"):
        live.search(np.ones((1, DIM), dtype=np.float32), 3, allowed=np.array(allowed))


def test_a_vector_that_is_no_number_is_refused():
    live = LiveIndex.of(ItemIndex.build(np.eye(4, dtype=np.float32)))
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            live.with_rows(np.array([1]), np.full((1, 4), wrong, dtype=np.float32))


@pytest.mark.parametrize("query", [np.ones((1, 3)), np.ones(4), np.full((1, 4), np.nan)])
def test_a_wrong_query_is_refused(query):
    live = LiveIndex.of(ItemIndex.build(np.eye(4, dtype=np.float32))).without(np.array([1]))
    with pytest.raises(ValueError, match="Expected"):
        live.search(query, 2)


def test_changed_items_do_not_hide_that_the_index_ran_dry():
    rng = np.random.default_rng(3)
    vectors_ID = rng.normal(size=(200, DIM)).astype(np.float32)
    live = LiveIndex.of(ItemIndex.build(vectors_ID, IndexConfig(factory="IVF4,Flat", nprobe=1)))
    poor_ND = -3 * np.abs(rng.normal(size=(150, DIM))).astype(np.float32)
    live = live.with_rows(200 + np.arange(150), poor_ND)
    query_BD = np.abs(rng.normal(size=(8, DIM))).astype(np.float32)
    found = live.search(query_BD, 120)  # more than one cell holds, and none of the changed ones is among the best
    every = scan(np.concatenate([vectors_ID, poor_ND]), query_BD, 120, [np.empty(0)] * 8, np.arange(350))
    np.testing.assert_array_equal(found.items_BK, [items for items, _ in every])


def test_rounding_of_long_vectors_that_came_later_hides_nothing():
    rng = np.random.default_rng(4)
    live = LiveIndex.of(ItemIndex.build(rng.normal(size=(5, 64)).astype(np.float32)))
    query_BD = rng.normal(size=(6, 64)).astype(np.float32)
    long_ND = 1e4 * rng.normal(size=(400, 64))
    # What is left of their scores is less than float32 sums are off by.
    long_ND -= long_ND @ np.linalg.pinv(query_BD.astype(np.float64)) @ query_BD
    live = live.with_rows(5 + np.arange(400), long_ND.astype(np.float32))
    found = live.search(query_BD, 3)
    every = scan(live.vectors_ID.full(), query_BD, 3, [np.empty(0)] * 6, np.arange(405))
    np.testing.assert_array_equal(found.items_BK, [items for items, _ in every])
