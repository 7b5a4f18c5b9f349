"""Uniform subsets of many populations at once."""

import numpy as np


def subsets(population_N: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """For each n draw min(population_N[n], size) members of {0, …, population_N[n] - 1}, uniformly without replacement.

    Returns owner_S and member_S, sorted by owner: member_S[s] was drawn for n = owner_S[s]. Within an owner the order
    carries no meaning. Time and memory depend on what is drawn, not on the populations.
    """
    count_N = np.minimum(population_N, size)
    owner_S = np.repeat(np.arange(len(population_N)), count_N)
    member_S = np.arange(len(owner_S)) - np.repeat(np.cumsum(count_N) - count_N, count_N)
    is_cut_N = population_N > size
    if is_cut_N.any():  # a huge size, meant as "all", must not cost its steps
        member_S[is_cut_N[owner_S]] = _floyd(population_N[is_cut_N], size, rng).ravel()
    return owner_S, member_S


def _floyd(population_N: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Subsets of one size, smaller than every population, as an N × size array (Bentley & Floyd 1987).

    Step k draws from the first population - size + k + 1 members; a member drawn before gives way to the last of them,
    which no earlier step could draw.
    """
    last_NK = population_N[:, None] - size + np.arange(size)
    member_NK = rng.integers(0, last_NK, endpoint=True)
    for k in range(1, size):
        is_taken_N = (member_NK[:, :k] == member_NK[:, k, None]).any(axis=1)
        member_NK[is_taken_N, k] = last_NK[is_taken_N, k]
    return member_NK
