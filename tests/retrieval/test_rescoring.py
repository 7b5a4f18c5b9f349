import numpy as np
import pytest

from graphrec.retrieval.exclusion import Exclusion
from graphrec.retrieval.rescoring import Request, Source, best_items, product_error


def scan(vectors_ID, asked):
    """A complete source that notes how many candidates it is asked for."""

    def fetch(query_bD, n):
        asked.append((len(query_bD), n))
        score_bI = (query_bD @ vectors_ID.T).astype(np.float32)
        order_bn = np.argsort(-score_bI, axis=1, kind="stable")[:, :n]
        return np.take_along_axis(score_bI, order_bn, axis=1), order_bn

    return Source(fetch, len(vectors_ID), complete=True)


def request(query_BD, vectors_ID, k, seen):
    excluded = Exclusion.of(seen, len(query_BD), len(vectors_ID))
    norm = float(np.linalg.norm(vectors_ID, axis=1).max())
    return Request(query_BD, vectors_ID, k, excluded, product_error(query_BD, norm))


@pytest.mark.parametrize(("k", "num_seen", "expected"), [(1, 0, 32), (20, 0, 40), (100, 25, 160), (100, 130, 256)])
def test_no_more_candidates_are_fetched_than_a_quarter_beyond_what_is_needed(k, num_seen, expected):
    rng = np.random.default_rng(0)
    vectors_ID, query_BD = (rng.normal(size=(rows, 6)).astype(np.float32) for rows in (1000, 1))
    asked = []
    best_items(request(query_BD, vectors_ID, k, [np.arange(num_seen)]), [scan(vectors_ID, asked)])
    assert asked == [(1, expected)]


def test_queries_that_are_not_settled_ask_for_twice_as_many():
    tied_ID, query_BD, asked = np.ones((300, 4), np.float32), np.ones((3, 4), np.float32), []
    found = best_items(request(query_BD, tied_ID, 20, None), [scan(tied_ID, asked)])
    assert asked == [(3, 40), (3, 80), (3, 160), (3, 300)]
    np.testing.assert_array_equal(found.items_BK, np.tile(np.arange(20), (3, 1)))
