from itertools import pairwise

import faiss
import numpy as np
import pytest

from graphrec.errors import GraphRecError
from graphrec.retrieval.item_index import IndexConfig, ItemIndex
from graphrec.retrieval.shells import Shells

HNSW = IndexConfig(factory="HNSW16,Flat", ef_construction=80, ef_search=64)


def popular_world(num_items, seed=0):
    """Clustered vectors, a few of them many times as long as most: as popular items are."""
    rng = np.random.default_rng(seed)
    centre_CD = rng.normal(size=(30, 24))
    vectors_ID = centre_CD[rng.integers(0, 30, num_items)] + 0.7 * rng.normal(size=(num_items, 24))
    length_I1 = (1 + 0.1 * rng.pareto(1.2, size=(num_items, 1))).clip(max=40)
    query_BD = centre_CD[rng.integers(0, 30, 60)] + 0.7 * rng.normal(size=(60, 24))
    return (vectors_ID * length_I1).astype(np.float32), query_BD.astype(np.float32)


@pytest.fixture(scope="module")
def world():
    return popular_world(30_000)


@pytest.fixture(scope="module")
def index(world):
    return ItemIndex.build(world[0], HNSW)


def share_found(found, vectors_ID, query_BD, k):
    _, best_BK = faiss.knn(query_BD, vectors_ID, k, metric=faiss.METRIC_INNER_PRODUCT)
    return np.mean([len(np.intersect1d(*pair)) for pair in zip(found, best_BK, strict=True)]) / k


def test_where_popular_items_are_long_shells_find_what_one_graph_misses(world, index):
    vectors_ID, query_BD = world
    assert isinstance(index.faiss_index, Shells)
    plain = ItemIndex.build(vectors_ID, HNSW, merge_equal=False)
    assert isinstance(plain.faiss_index, faiss.IndexHNSW)
    alone, in_shells = (
        share_found(one.faiss_index.search(query_BD, 50)[1], vectors_ID, query_BD, 50) for one in (plain, index)
    )
    assert in_shells > 0.97
    assert in_shells > alone + 0.02


def test_every_row_is_in_one_shell_and_norms_fall_from_shell_to_shell(world, index):
    parts = [faiss.vector_to_array(part.id_map) for part in index.faiss_index.parts]
    assert sorted(np.concatenate(parts).tolist()) == list(range(30_000))
    norm_I = np.linalg.norm(world[0].astype(np.float64), axis=1)
    for longer, shorter in pairwise(parts):
        assert norm_I[longer].min() >= norm_I[shorter].max()


def test_vectors_of_like_norm_are_one_graph():
    vectors_ID, _ = popular_world(3_000)
    unit_ID = vectors_ID / np.linalg.norm(vectors_ID, axis=1, keepdims=True)
    assert isinstance(ItemIndex.build(unit_ID, HNSW).faiss_index, faiss.IndexHNSW)


def test_products_fall_and_are_those_of_their_rows(world, index):
    vectors_ID, query_BD = world
    first_Bn, rows_Bn = index.faiss_index.search(query_BD, 200)
    assert (np.diff(first_Bn, axis=1) <= 0).all()
    np.testing.assert_allclose(first_Bn, np.einsum("bd,bnd->bn", query_BD, vectors_ID[rows_Bn]), rtol=1e-4, atol=1e-4)


def test_shells_that_are_read_again_answer_the_same_and_a_short_file_is_refused(world, index, tmp_path):
    vectors_ID, query_BD = world
    path = tmp_path / "recall.faiss"
    index.save(path)
    again = ItemIndex.load(path, vectors_ID, HNSW)
    assert len(again.faiss_index.parts) == len(index.faiss_index.parts) > 2
    np.testing.assert_array_equal(again.search(query_BD, 20).items_BK, index.search(query_BD, 20).items_BK)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(GraphRecError, match="does not fit the 30000 of dimension 24 beside it"):
        ItemIndex.load(path, vectors_ID, HNSW)


def test_shells_with_equal_vectors_are_read_again(world, tmp_path):
    twice_ID = np.repeat(world[0][:5_000], 2, axis=0)
    built = ItemIndex.build(twice_ID, HNSW)
    assert isinstance(built.faiss_index, Shells)
    assert built.faiss_index.ntotal == 5_000
    built.save(tmp_path / "recall.faiss")
    again = ItemIndex.load(tmp_path / "recall.faiss", twice_ID, HNSW)
    np.testing.assert_array_equal(again.search(world[1], 20).items_BK, built.search(world[1], 20).items_BK)


def test_added_rows_go_to_the_shell_of_their_norm(world, index):
    vectors_ID, query_BD = world
    norm_I = np.linalg.norm(vectors_ID, axis=1)
    long, short = vectors_ID[np.argmax(norm_I)] * 2, vectors_ID[np.argmin(norm_I)] / 2
    longer = index.extended(np.vstack([vectors_ID, long, short]))
    members = [set(faiss.vector_to_array(part.id_map).tolist()) for part in longer.faiss_index.parts]
    assert 30_000 in members[0]
    assert 30_001 in members[-1]
    assert longer.search(long[None], 1).items_BK[0, 0] == 30_000
    assert index.faiss_index.ntotal == 30_000
    assert share_found(longer.search(query_BD, 20).items_BK, longer.vectors_ID, query_BD, 20) > 0.97


def test_a_filter_holds_in_every_shell(world):
    vectors_ID, query_BD = world
    index = ItemIndex.build(vectors_ID, HNSW.model_copy(update={"scan_up_to": 10}))
    allowed = np.arange(0, 30_000, 3)
    found = index.search(query_BD, 20, allowed=allowed).items_BK
    assert (found % 3 == 0).all()
    _, best_BK = faiss.knn(query_BD, vectors_ID[allowed], 20, metric=faiss.METRIC_INNER_PRODUCT)
    shared = [len(np.intersect1d(*pair)) for pair in zip(found, allowed[best_BK], strict=True)]
    assert np.mean(shared) > 0.95 * 20
