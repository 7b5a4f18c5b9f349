"""Cold items at random: one share of them, or folds in which each is cold once."""

import numpy as np

from graphrec.data.dataset import Dataset, Split
from graphrec.data.splits.held_out import counted, touched_items, without_pairs
from graphrec.data.splits.pairs import held_pairs
from graphrec.errors import GraphRecError


def split_cold_items(dataset: Dataset, fraction: float, seed: int, warm_fraction: float) -> Split:
    """See `Dataset.split_cold_items`."""
    if not 0 < fraction < 1 or not 0 <= warm_fraction < 1:
        raise GraphRecError(
            f"Expected a cold fraction in (0, 1) and a warm fraction in [0, 1), got {fraction} and {warm_fraction}."
        )
    rng = np.random.default_rng(seed)
    touched = touched_items(dataset)
    num_cold = counted(fraction, len(touched), "items with interactions")
    return _hold_out(dataset, rng.choice(touched, num_cold, replace=False), warm_fraction, rng)


def cold_item_folds(dataset: Dataset, num_folds: int, seed: int) -> list[Split]:
    """See `Dataset.cold_item_folds`."""
    touched = touched_items(dataset)
    if not 2 <= num_folds <= len(touched):
        raise GraphRecError(
            f"Expected between 2 and {len(touched)} folds (as many as items with interactions), got {num_folds}."
        )
    rng = np.random.default_rng(seed)
    return [_hold_out(dataset, fold, 0.0, rng) for fold in np.array_split(rng.permutation(touched), num_folds)]


def _hold_out(dataset: Dataset, cold: np.ndarray, warm_fraction: float, rng: np.random.Generator) -> Split:
    is_cold_I = np.zeros(dataset.interactions.num_items, dtype=bool)
    is_cold_I[cold] = True
    pairs = dataset.own_interactions.user_item_matrix().tocoo()
    is_held_P = is_cold_I[pairs.col]
    is_held_P |= held_pairs(pairs.row, pairs.col, ~is_held_P, warm_fraction, rng)
    return without_pairs(dataset, pairs.row[is_held_P], pairs.col[is_held_P])
