"""Warm hold-out: single (user, item) pairs, while their users and items stay in training."""

import numpy as np

from graphrec.data.dataset import Dataset, Split
from graphrec.data.splits.held_out import checked_share, touched_items, without_pairs
from graphrec.errors import GraphRecError


def split_warm_pairs(dataset: Dataset, fraction: float, seed: int) -> Split:
    """See `Dataset.split_warm_pairs`."""
    checked_share(fraction, "pairs to hold out")
    touched_items(dataset)
    pairs = dataset.own_interactions.user_item_matrix().tocoo()
    rng = np.random.default_rng(seed)
    is_held_P = held_pairs(pairs.row, pairs.col, np.ones(len(pairs.row), dtype=bool), fraction, rng)
    if not is_held_P.any():
        raise GraphRecError(
            f"Cannot hold out {fraction:.0%} of {len(pairs.row)} pairs: every user and item keeps one, "
            "and nothing is left to hold out."
        )
    return without_pairs(dataset, pairs.row[is_held_P], pairs.col[is_held_P])


def held_pairs(
    user_P: np.ndarray, item_P: np.ndarray, is_open_P: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """A random mask over the open pairs that leaves every user and every item at least one of them."""
    is_held_P = np.zeros(len(user_P), dtype=bool)
    order = rng.permutation(np.flatnonzero(is_open_P))
    if fraction == 0 or not len(order):
        return is_held_P
    is_first = np.zeros(len(order), dtype=bool)
    is_first[np.unique(user_P[order], return_index=True)[1]] = True
    is_first[np.unique(item_P[order], return_index=True)[1]] = True
    is_held_P[order[~is_first][: round(fraction * len(order))]] = True
    return is_held_P
