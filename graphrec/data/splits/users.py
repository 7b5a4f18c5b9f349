"""Cold users: whole users are held out, and judged by one part of their history after showing the other."""

from dataclasses import replace

import numpy as np

from graphrec.data.dataset import Dataset, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.splits.held_out import checked_share, counted, touched_items


def split_cold_users(dataset: Dataset, fraction: float, visible: float, seed: int) -> Split:
    """See `Dataset.split_cold_users`."""
    checked_share(fraction, "users to hold out")
    checked_share(visible, "their pairs that are shown")
    touched_items(dataset)
    rng = np.random.default_rng(seed)
    inter = dataset.interactions
    # A user of one item could be shown or judged, not both.
    several = np.flatnonzero(dataset.own_interactions.user_degree() >= 2)
    num_cold = counted(fraction, len(several), "users with at least two items")
    is_cold_U = np.zeros(inter.num_users, dtype=bool)
    is_cold_U[rng.choice(several, num_cold, replace=False)] = True
    pairs = inter.take(is_cold_U[inter.user_index_E]).user_item_matrix().tocoo()
    user_P, item_P = pairs.row.astype(np.int64), pairs.col.astype(np.int64)
    # What they did on other sites is shown whole: it is never recommended, so it cannot be judged.
    is_shown_P = ~dataset.is_served_I[item_P]
    is_shown_P[~is_shown_P] = shown_pairs(user_P[~is_shown_P], visible, rng)
    return Split(
        train=replace(dataset, interactions=inter.take(~is_cold_U[inter.user_index_E]), truths={}),
        truth=Truth(user_P[~is_shown_P], item_P[~is_shown_P]),
        visible=Interactions.from_pairs(user_P[is_shown_P], item_P[is_shown_P], inter.num_users, inter.num_items),
        is_disjoint=True,
    )


def shown_pairs(user_P: np.ndarray, visible: float, rng: np.random.Generator) -> np.ndarray:
    """A random mask that holds about this share of each user's pairs: at least one, never all."""
    order = np.lexsort((rng.random(len(user_P)), user_P))
    _, first, count = np.unique(user_P[order], return_index=True, return_counts=True)
    rank_P = np.arange(len(order)) - np.repeat(first, count)
    num_shown_U = np.clip(np.round(visible * count), 1, count - 1)
    is_shown_P = np.zeros(len(user_P), dtype=bool)
    is_shown_P[order[rank_P < np.repeat(num_shown_U, count)]] = True
    return is_shown_P
