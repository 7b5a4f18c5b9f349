import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import GraphRecError
from graphrec.evaluation.ranking import rank_by_vectors
from graphrec.retrieval.item_index import IndexConfig, ItemIndex, default_factory
from graphrec.retrieval.rescoring import product_error

APPROXIMATE = ["HNSW32,Flat", "IVF16,Flat", "IVF64_HNSW32,SQ8", "OPQ4_12,HNSW32,Flat"]
EVERY_FACTORY = ["Flat", *APPROXIMATE]


def full_scan(query_BD, vectors_ID, k, exclude=None, allowed=None):
    """The naive twin: one query after the other, every item, plain sorting."""
    items = np.full((len(query_BD), k), -1, dtype=np.int64)
    scores = np.full((len(query_BD), k), np.nan, dtype=np.float32)
    for row, query in enumerate(query_BD):
        score_I = (vectors_ID.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32)
        eligible = np.arange(len(vectors_ID)) if allowed is None else np.unique(allowed)
        if exclude is not None:
            eligible = np.setdiff1d(eligible, exclude[row])
        best = eligible[np.argsort(-score_I[eligible], kind="stable")][:k]
        items[row, : len(best)], scores[row, : len(best)] = best, score_I[best]
    return items, scores


def assert_is(found, expected):
    np.testing.assert_array_equal(found.items_BK, expected[0])
    np.testing.assert_array_equal(found.scores_BK, expected[1])


@pytest.fixture(scope="module")
def world():
    """45 queries, 3000 items of very different norms, 13 dimensions."""
    rng = np.random.default_rng(0)
    vectors_ID = rng.normal(size=(3000, 13)) * rng.lognormal(sigma=0.7, size=(3000, 1))
    return rng.normal(size=(45, 13)).astype(np.float32), vectors_ID.astype(np.float32)


@pytest.fixture(scope="module")
def tied_world():
    """Vectors of few different values: hundreds of items share one, and their products are exact in float64."""
    rng = np.random.default_rng(1)
    vectors_ID = rng.integers(-2, 3, size=(12, 5))[rng.integers(0, 12, size=3000)]
    return rng.integers(-3, 4, size=(45, 5)).astype(np.float32), vectors_ID.astype(np.float32)


@pytest.fixture(scope="module")
def built(world):
    return {
        factory: ItemIndex.build(world[1], IndexConfig(factory=factory, scan_up_to=150)) for factory in EVERY_FACTORY
    }


def some_seen(rng, num_queries, num_items, most):
    return [rng.choice(num_items, size=rng.integers(0, most), replace=False) for _ in range(num_queries)]


def as_csr(lists, num_items):
    rows = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    columns = np.concatenate(lists)
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), (len(lists), num_items))


@pytest.mark.parametrize("k", [1, 7, 100, 3000, 3001])
def test_flat_lists_are_those_of_a_full_scan_bit_for_bit(world, built, k):
    query_BD, vectors_ID = world
    assert_is(built["Flat"].search(query_BD, k), full_scan(query_BD, vectors_ID, k))


@pytest.mark.parametrize("k", [1, 20, 700])
def test_flat_lists_are_those_of_a_full_scan_where_hundreds_of_items_tie(tied_world, k):
    query_BD, vectors_ID = tied_world
    index = ItemIndex.build(vectors_ID)
    assert_is(index.search(query_BD, k), full_scan(query_BD, vectors_ID, k))


def test_a_query_of_zeros_gets_the_first_items(built):
    found = built["Flat"].search(np.zeros((1, 13), np.float32), 4)
    np.testing.assert_array_equal(found.items_BK, [[0, 1, 2, 3]])


def test_flat_lists_are_those_of_the_evaluator(world, built):
    query_BD, vectors_ID = world
    seen = as_csr(some_seen(np.random.default_rng(2), 45, 3000, 900), 3000)
    pool = np.arange(5, 3000, 2)
    lists = rank_by_vectors(query_BD, vectors_ID, pool, seen, 50)
    assert_is(built["Flat"].search(query_BD, 50, seen, pool), (lists.items_UK, lists.scores_UK))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 40), num_values=st.integers(1, 6), most_seen=st.integers(1, 31))
def test_any_small_world_is_ranked_as_by_a_full_scan(seed, k, num_values, most_seen):
    rng = np.random.default_rng(seed)
    vectors_ID = rng.integers(0, num_values, size=(30, 3)).astype(np.float32)
    query_BD = rng.integers(-1, 2, size=(7, 3)).astype(np.float32)
    seen = some_seen(rng, 7, 30, most_seen)
    allowed = rng.choice(30, size=rng.integers(0, 31), replace=False)
    index = ItemIndex.build(vectors_ID)
    assert_is(index.search(query_BD, k, seen, allowed), full_scan(query_BD, vectors_ID, k, seen, allowed))


@pytest.mark.parametrize("factory", EVERY_FACTORY)
def test_a_list_is_full_while_enough_items_are_eligible(world, built, factory):
    query_BD, _ = world
    rng = np.random.default_rng(3)
    for most_seen, num_allowed in [(2, 3000), (2999, 3000), (900, 1500), (30, 40), (2000, 2000)]:
        seen = some_seen(rng, 45, 3000, most_seen)
        allowed = rng.choice(3000, size=num_allowed, replace=False)
        for k in (3, 60):
            found = built[factory].search(query_BD, k, seen, allowed)
            eligible = [np.setdiff1d(allowed, one) for one in seen]
            assert ((found.items_BK >= 0).sum(axis=1) == [min(k, len(one)) for one in eligible]).all()
            assert all(set(row[row >= 0]) <= set(one) for row, one in zip(found.items_BK, eligible, strict=True))
            assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in found.items_BK)


@pytest.mark.parametrize("factory", APPROXIMATE)
def test_an_approximate_index_gives_exact_scores_in_exact_order_and_finds_nearly_all(world, built, factory):
    query_BD, vectors_ID = world
    found = built[factory].search(query_BD, 20)
    expected_items, _ = full_scan(query_BD, vectors_ID, 20)
    everything, scores = full_scan(query_BD, vectors_ID, 3000)
    score_of = [dict(zip(row, score, strict=True)) for row, score in zip(everything, scores, strict=True)]
    assert all(found.scores_BK[b, r] == score_of[b][found.items_BK[b, r]] for b in range(45) for r in range(20))
    assert (np.diff(found.scores_BK, axis=1) <= 0).all()
    shared = [len(set(a) & set(b)) for a, b in zip(found.items_BK, expected_items, strict=True)]
    assert np.mean(shared) > 0.95 * 20


@pytest.mark.parametrize("factory", APPROXIMATE)
def test_few_allowed_items_are_scanned_exactly(world, built, factory):
    query_BD, vectors_ID = world
    allowed = np.random.default_rng(4).choice(3000, size=149, replace=False)
    found = built[factory].search(query_BD, 30, allowed=allowed)
    assert_is(found, full_scan(query_BD, vectors_ID, 30, allowed=allowed))


@pytest.mark.parametrize("factory", APPROXIMATE[:3])
def test_many_allowed_items_are_filtered_inside_the_index(world, built, factory, monkeypatch):
    query_BD, vectors_ID = world
    allowed = np.arange(0, 3000, 2)
    monkeypatch.setattr("faiss.knn", lambda *a, **k: pytest.fail("scanned"))
    gc.collect()
    found = built[factory].search(query_BD[:20], 10, allowed=allowed)
    expected_items, _ = full_scan(query_BD[:20], vectors_ID, 10, allowed=allowed)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found.items_BK, expected_items, strict=True)]) > 9


def test_an_approximate_index_is_scanned_where_too_many_items_tie(tied_world):
    _, vectors_ID = tied_world
    index = ItemIndex.build(np.tile(vectors_ID, (2, 1)), IndexConfig(factory="HNSW32,Flat"))
    zero = np.zeros((2, 5), np.float32)
    np.testing.assert_array_equal(index.search(zero, 6).items_BK, [np.arange(6)] * 2)


def test_an_index_that_runs_dry_is_scanned(world):
    query_BD, vectors_ID = world
    index = ItemIndex.build(vectors_ID[:300], IndexConfig(factory="IVF30,Flat", nprobe=1))
    assert_is(index.search(query_BD, 2), full_scan(query_BD, vectors_ID[:300], 2))


@pytest.mark.parametrize("factory", EVERY_FACTORY)
def test_an_answer_does_not_depend_on_who_else_asks(world, built, factory):
    query_BD, _ = world
    seen = some_seen(np.random.default_rng(5), 45, 3000, 700)
    seen[8] = np.arange(2990)
    together = built[factory].search(query_BD, 15, seen)
    for row in range(0, 45, 4):
        alone = built[factory].search(query_BD[row : row + 1], 15, seen[row : row + 1])
        assert_is(alone, (together.items_BK[row : row + 1], together.scores_BK[row : row + 1]))


@pytest.mark.parametrize("factory", EVERY_FACTORY)
def test_searches_in_threads_give_the_same_lists(world, built, factory):
    import torch

    query_BD, _ = world
    expected = built[factory].search(query_BD, 15)

    def search(_):
        torch.randn(64, 64) @ torch.randn(64, 64)
        return built[factory].search(query_BD, 15)

    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(search, range(12)):
            assert_is(found, (expected.items_BK, expected.scores_BK))


def test_seen_items_as_a_matrix_or_as_lists_are_the_same(world, built):
    query_BD, vectors_ID = world
    seen = some_seen(np.random.default_rng(6), 45, 3000, 50)
    found = built["Flat"].search(query_BD, 15, as_csr(seen, 3000))
    assert_is(found, full_scan(query_BD, vectors_ID, 15, seen))
    assert_is(built["Flat"].search(query_BD, 15, seen), (found.items_BK, found.scores_BK))


@pytest.mark.parametrize("factory", EVERY_FACTORY)
def test_a_saved_index_over_mapped_vectors_answers_the_same(world, built, factory, tmp_path):
    query_BD, vectors_ID = world
    np.save(tmp_path / "vectors.npy", vectors_ID)
    built[factory].save(tmp_path / "recall.faiss")
    mapped_ID = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    loaded = ItemIndex.load(tmp_path / "recall.faiss", mapped_ID)
    expected = built[factory].search(query_BD, 15, allowed=np.arange(100))
    assert_is(loaded.search(query_BD, 15, allowed=np.arange(100)), (expected.items_BK, expected.scores_BK))
    expected = built[factory].search(query_BD, 15)
    assert_is(loaded.search(query_BD, 15), (expected.items_BK, expected.scores_BK))
    assert np.shares_memory(loaded.vectors_ID, mapped_ID)


def test_building_twice_writes_the_same_bytes(world, tmp_path):
    for name in ("a", "b"):
        ItemIndex.build(world[1], IndexConfig(factory="HNSW32,Flat")).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("factory", EVERY_FACTORY)
def test_an_added_item_is_found_and_the_earlier_index_stays_as_it_is(world, built, factory):
    query_BD, vectors_ID = world
    best = built[factory].search(query_BD[:1], 1).items_BK[0, 0]
    longer = built[factory].extended(np.vstack([vectors_ID, vectors_ID[best]]))
    np.testing.assert_array_equal(longer.search(query_BD[:1], 2).items_BK, [[best, 3000]])
    assert len(built[factory]) == 3000
    assert built[factory].faiss_index.ntotal == 3000


def test_an_added_item_with_a_larger_norm_or_a_changed_row_is_served_too(world, built):
    query_BD, vectors_ID = world
    far = np.vstack([vectors_ID, query_BD[:1] * 1000])
    assert built["HNSW32,Flat"].extended(far).search(query_BD[:1], 1).items_BK[0, 0] == 3000
    changed = vectors_ID.copy()
    changed[17] = query_BD[0] * 100
    assert built["HNSW32,Flat"].extended(changed).search(query_BD[:1], 1).items_BK[0, 0] == 17


def test_a_graph_finds_the_best_items_among_many_equal_vectors(world):
    query_BD, vectors_ID = world
    rng = np.random.default_rng(7)
    equal_ID = vectors_ID[rng.choice(60, size=3000)]
    index = ItemIndex.build(equal_ID, IndexConfig(factory="HNSW32,Flat"))
    assert index.faiss_index.ntotal == len(np.unique(equal_ID, axis=0))
    assert_is(index.search(query_BD, 100), full_scan(query_BD, equal_ID, 100))


def test_an_item_that_is_not_allowed_is_not_found_through_its_twin(world):
    query_BD, vectors_ID = world
    index = ItemIndex.build(np.tile(vectors_ID, (2, 1)), IndexConfig(factory="HNSW32,Flat", scan_up_to=10))
    allowed = np.arange(0, 6000, 7)
    found = index.search(query_BD, 30, allowed=allowed)
    assert np.isin(found.items_BK, allowed).all()


def test_a_merged_index_that_grows_or_is_loaded_keeps_its_items(world, tmp_path):
    query_BD, vectors_ID = world
    rng = np.random.default_rng(8)
    equal_ID = vectors_ID[rng.choice(60, size=500)]
    more_ID = np.vstack([equal_ID, vectors_ID[rng.choice(90, size=400)]])
    longer = ItemIndex.build(equal_ID, IndexConfig(factory="HNSW32,Flat")).extended(more_ID)
    assert_is(longer.search(query_BD, 40), full_scan(query_BD, more_ID, 40))
    longer.save(tmp_path / "recall.faiss")
    assert_is(ItemIndex.load(tmp_path / "recall.faiss", more_ID).search(query_BD, 40), full_scan(query_BD, more_ID, 40))


def test_an_unmerged_index_numbers_its_rows_as_the_items(world):
    query_BD, vectors_ID = world
    index = ItemIndex.build(np.tile(vectors_ID, (2, 1)), IndexConfig(factory="IVF16,Flat"), merge_equal=False)
    assert index.faiss_index.ntotal == 6000
    np.testing.assert_array_equal(
        index.search(query_BD, 2).items_BK[:, 1] - index.search(query_BD, 1).items_BK[:, 0], 3000
    )


def test_the_error_bound_covers_a_float32_product(world):
    query_BD, vectors_ID = world
    exact = (query_BD.astype(np.float64) @ vectors_ID.T.astype(np.float64)).astype(np.float32)
    off = np.abs((query_BD @ vectors_ID.T).astype(np.float64) - exact).max(axis=1)
    bound = product_error(query_BD, float(np.linalg.norm(vectors_ID, axis=1).max()))
    assert (off <= bound).all()
    assert (bound < 1e-3).all()


def test_the_factory_follows_the_number_of_items():
    sizes = [1, 100_000, 100_001, 5_000_000, 5_000_001]
    assert [default_factory(size) for size in sizes] == [
        *["Flat"] * 2,
        *["HNSW32,Flat"] * 2,
        "IVF8192_HNSW32,SQ8",
    ]


@pytest.mark.parametrize("factory", ["HSNW32,Flat", "LSH"])
def test_a_factory_that_faiss_can_never_build_is_no_setting(factory):
    with pytest.raises(ValueError, match=f"FAISS cannot build '{factory}'"):
        IndexConfig(factory=factory)


@pytest.mark.parametrize("factory", ["IVF64,PQ5", "IVF65536,Flat", "IDMap2,Flat"])
def test_a_factory_that_faiss_cannot_build_for_these_vectors_is_refused_in_one_line(world, factory):
    with pytest.raises(GraphRecError, match=f'index "{factory}" over 3000 vectors of dimension 13') as refused:
        ItemIndex.build(world[1], IndexConfig(factory=factory)).search(world[0], 3)
    assert "\n" not in str(refused.value)
    assert "faiss::" not in str(refused.value)


def test_a_file_that_is_no_index_or_does_not_fit_is_refused_in_one_line(world, built, tmp_path):
    path = tmp_path / "recall.faiss"
    path.write_bytes(b"no index")
    with pytest.raises(GraphRecError, match=r"recall\.faiss cannot be read"):
        ItemIndex.load(path, world[1])
    with pytest.raises(GraphRecError, match=r"missing\.faiss cannot be read"):
        ItemIndex.load(tmp_path / "missing.faiss", world[1])
    built["Flat"].save(path)
    with pytest.raises(GraphRecError, match="3000 vectors of dimension 13, which does not fit the 2999"):
        ItemIndex.load(path, world[1][1:])


def test_wrong_arguments_are_refused(world, built):
    query_BD, vectors_ID = world
    index = built["Flat"]
    with pytest.raises(ValueError, match=r"queries \(B, 13\)"):
        index.search(query_BD[:, :5], 3)
    with pytest.raises(ValueError, match="finite"):
        index.search(query_BD * np.nan, 3)
    with pytest.raises(ValueError, match="k of at least 1"):
        index.search(query_BD, 0)
    with pytest.raises(ValueError, match=r"allowed items in \[0, 3000\)"):
        index.search(query_BD, 3, allowed=np.array([3000]))
    with pytest.raises(ValueError, match=r"excluded items in \[0, 3000\)"):
        index.search(query_BD[:1], 3, [np.array([-1])])
    with pytest.raises(ValueError, match=r"shape \(45, 3000\)"):
        index.search(query_BD, 3, sp.csr_matrix((45, 2999)))
    with pytest.raises(ValueError, match="finite"):
        ItemIndex.build(vectors_ID * np.inf)
