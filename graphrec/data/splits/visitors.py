"""Cold users of a site who are known elsewhere, and a site before its first day."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from graphrec.data.dataset import Dataset, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import product_nodes
from graphrec.data.splits.held_out import checked_share, counted
from graphrec.data.splits.users import shown_pairs
from graphrec.errors import GraphRecError


def split_visitors(dataset: Dataset, fraction: float, seed: int) -> Split:
    """See `Dataset.split_visitors`."""
    checked_share(fraction, "visitors to hold out")
    inter, is_served_I = dataset.interactions, _served(dataset)
    matrix_UI = inter.user_item_matrix()
    num_here_U = np.asarray((matrix_UI[:, np.flatnonzero(is_served_I)] > 0).sum(axis=1)).ravel()
    on_both = np.flatnonzero((num_here_U > 0) & (num_here_U < inter.user_degree()))
    num_held = counted(fraction, len(on_both), f"users of {dataset.target_site} and another site")
    is_held_U = np.zeros(inter.num_users, dtype=bool)
    is_held_U[np.random.default_rng(seed).choice(on_both, num_held, replace=False)] = True
    pairs = inter.take(is_held_U[inter.user_index_E]).user_item_matrix().tocoo()
    return _split(dataset, ~is_held_U[inter.user_index_E], pairs.row, pairs.col, ~is_served_I[pairs.col])


def split_site(dataset: Dataset, visible: float, seed: int) -> Split:
    """See `Dataset.split_site`."""
    checked_share(visible, "each user's pairs that are shown")
    inter, is_served_I = dataset.interactions, _served(dataset)
    is_here_E = is_served_I[inter.item_index_E]
    elsewhere = inter.take(~is_here_E)
    node_I = product_nodes(dataset.same_as, is_served_I)
    touched_UI = replace(elsewhere, item_index_E=node_I[elsewhere.item_index_E]).user_item_matrix()
    here_UI = inter.take(is_here_E).user_item_matrix()
    # Who touched a product elsewhere knows it: it is neither shown nor judged again.
    here_UI.data[:] = 1
    touched_UI.data[:] = 1
    pairs = sp.csr_matrix(here_UI - here_UI.multiply(touched_UI))
    pairs.eliminate_zeros()
    pairs = pairs.tocoo()
    several = np.diff(pairs.tocsr().indptr) >= 2  # one pair could be shown or judged, not both
    is_used_P = several[pairs.row]
    user_P, item_P = pairs.row[is_used_P], pairs.col[is_used_P]
    if not len(user_P) or is_here_E.all():
        raise GraphRecError(
            f"Cannot leave site {dataset.target_site} out: it needs users with at least two items, and another site "
            "to learn from."
        )
    is_shown_P = shown_pairs(user_P, visible, np.random.default_rng(seed))
    return _split(dataset, ~is_here_E, user_P, item_P, is_shown_P)


def _served(dataset: Dataset) -> np.ndarray:
    if dataset.target_site is None:
        raise GraphRecError("Name the site whose visitors are meant: target_site in dataset.yaml, or --site.")
    return dataset.is_served_I


def _split(
    dataset: Dataset, is_kept_E: np.ndarray, user_P: np.ndarray, item_P: np.ndarray, is_shown_P: np.ndarray
) -> Split:
    inter = dataset.interactions
    user_P, item_P = user_P.astype(np.int64), item_P.astype(np.int64)
    return Split(
        train=replace(dataset, interactions=inter.take(is_kept_E), truths={}).with_borrowed_log(),
        truth=Truth(user_P[~is_shown_P], item_P[~is_shown_P]),
        visible=Interactions.from_pairs(user_P[is_shown_P], item_P[is_shown_P], inter.num_users, inter.num_items),
        is_disjoint=True,
    )
