"""The second stage orders the first stage's candidates, and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.retrieval.item_index import IndexConfig, ItemIndex
from graphrec.retrieval.two_stage import two_stage_search


def brute_force(vectors_ID, first, second, k, num_candidates, allowed):
    """Plain sorting: the first query's candidates, then the second's order among them."""

    def score(query, items):
        return (vectors_ID[items].astype(np.float64) @ query.astype(np.float64)).astype(np.float32)

    by_first = allowed[np.argsort(-score(first, allowed), kind="stable")][: max(k, num_candidates)]
    if second is None:
        return by_first[:k], score(first, by_first[:k])
    candidates = np.sort(by_first)
    order = candidates[np.argsort(-score(second, candidates), kind="stable")][:k]
    return order, score(second, order)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 12),
    num_candidates=st.integers(1, 40),
    share=st.floats(0, 1),
    has_second=st.booleans(),
    values=st.integers(2, 9),
)
def test_two_stages_are_those_of_a_brute_force(seed, k, num_candidates, share, has_second, values):
    rng = np.random.default_rng(seed)
    vectors_ID = rng.integers(0, values, size=(30, 4)).astype(np.float32)  # few values: many ties
    first, second = rng.integers(-2, 3, size=(2, 4)).astype(np.float32)
    allowed = np.flatnonzero(rng.random(30) < share)
    index = ItemIndex.build(vectors_ID)
    ranked = two_stage_search(index, first, second if has_second else None, k, num_candidates, allowed)
    items, scores = brute_force(vectors_ID, first, second if has_second else None, k, num_candidates, allowed)
    assert ranked.items_K.tolist() == items.tolist()
    np.testing.assert_array_equal(ranked.scores_K, scores)


def test_the_list_is_full_on_an_approximate_index_whether_few_or_many_items_are_left_out():
    rng = np.random.default_rng(0)
    vectors_ID = rng.normal(size=(4000, 8)).astype(np.float32)
    index = ItemIndex.build(vectors_ID, IndexConfig(factory="HNSW32,Flat", scan_up_to=10))
    query = rng.normal(size=8).astype(np.float32)
    for num_allowed in (3, 25, 2000, 3999):
        allowed = np.sort(rng.choice(4000, num_allowed, replace=False))
        ranked = two_stage_search(index, query, None, 20, 200, allowed)
        assert len(ranked.items_K) == min(20, num_allowed)
        assert set(ranked.items_K) <= set(allowed)
