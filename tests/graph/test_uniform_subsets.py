from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from graphrec.graph.uniform import subsets


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(1, 12), st.integers(0, 99))
def test_each_owner_gets_distinct_members_as_many_as_size_and_population_allow(population, size, seed):
    owner, member = subsets(np.array(population, dtype=np.int64), size, np.random.default_rng(seed))
    assert (np.diff(owner) >= 0).all()
    for n, available in enumerate(population):
        own = member[owner == n]
        assert len(set(own.tolist())) == len(own) == min(available, size)
        assert len(own) == 0 or (own.min() >= 0 and own.max() < available)


def test_every_subset_is_equally_likely():
    """All 20 three-element subsets of six, from 40,000 draws made at once."""
    _, member = subsets(np.full(40_000, 6), 3, np.random.default_rng(7))
    drawn = np.sort(member.reshape(-1, 3), axis=1)
    codes = [100 * a + 10 * b + c for a, b, c in combinations(range(6), 3)]
    counts = [(drawn @ [100, 10, 1] == code).sum() for code in codes]
    assert sum(counts) == 40_000
    assert chisquare(counts).pvalue > 0.001


def test_a_population_of_ten_million_costs_what_is_drawn():
    owner, member = subsets(np.array([10**12, 2]), 4, np.random.default_rng(0))
    assert owner.tolist() == [0, 0, 0, 0, 1, 1]
    assert member[4:].tolist() == [0, 1]
