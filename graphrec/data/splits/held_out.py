"""What the splits share: shares that make sense, and a training set without the held-out pairs."""

from dataclasses import replace

import numpy as np

from graphrec.data.dataset import Dataset, Split, Truth
from graphrec.errors import GraphRecError


def checked_share(share: float, what: str) -> float:
    """The share itself; raises GraphRecError unless it lies in (0, 1)."""
    if not 0 < share < 1:
        raise GraphRecError(f"Expected a share of {what} between 0 and 1, got {share}.")
    return share


def counted(share: float, size: int, what: str) -> int:
    """How many of `size` a share is; raises GraphRecError where none or all of them would be held out."""
    count = round(share * size)
    if count == 0 or count == size:
        raise GraphRecError(f"Cannot hold out {share:.0%} of {size} {what}: at least one is needed on each side.")
    return count


def touched_items(dataset: Dataset) -> np.ndarray:
    """Indices of the recommended items with interactions, sorted; raises GraphRecError where there are none."""
    touched = np.flatnonzero(dataset.own_interactions.item_degree())
    if not len(touched):
        raise GraphRecError(
            f"Dataset {dataset.name!r} has no interactions: there is nothing to learn from; only encode works on it."
        )
    return touched


def without_pairs(dataset: Dataset, user_index_P: np.ndarray, item_index_P: np.ndarray) -> Split:
    """Every event of these distinct pairs leaves the training data, and the pairs become the truth."""
    inter = dataset.interactions
    key_E = inter.user_index_E * inter.num_items + inter.item_index_E
    is_held_E = np.isin(key_E, user_index_P.astype(np.int64) * inter.num_items + item_index_P)
    train = replace(dataset, interactions=inter.take(~is_held_E), truths={})
    return Split(train, Truth(user_index_P.astype(np.int64), item_index_P.astype(np.int64)), is_disjoint=True)
