"""Which items compete, which of them are right, and whose lists count: the pool of an evaluation."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from graphrec.data.dataset import Split, Truth
from graphrec.data.same_as import at_nodes, product_nodes
from graphrec.errors import GraphRecError

PoolName = Literal["cold", "warm", "full"]
POOL_NAMES: tuple[PoolName, ...] = get_args(PoolName)


@dataclass(frozen=True)
class LeftOut:
    """What of the held-out data does not count in a pool. Users and pairs are distinct ones.

    The held-out users are the evaluated ones, those without history and those without relevant items, each once.
    """

    users_without_history: int
    """Held-out users without a training edge: nothing is known to recommend from."""
    users_without_relevant: int
    """Held-out users with history, but no relevant item in the pool."""
    pairs_seen: int
    """Held-out pairs that are training pairs too: seen items are never recommended, so they cannot be found."""
    pairs_outside_pool: int
    """Other held-out pairs whose item does not compete in this pool."""


@dataclass(frozen=True)
class Pool:
    """The candidates of one ranking with their truth; every metric is stated together with its pool.

    A user's seen items are not recommended to them, although they belong to the pool.
    """

    name: PoolName
    items: np.ndarray
    """Indices of the items that compete, int64, sorted."""
    description: str
    """In words: which items compete and how many."""
    truth: sp.csr_matrix
    """All users × all items, bool: the held-out pairs inside the pool, of every user, without seen pairs."""
    seen: sp.csr_matrix
    """All users × all items: the training pairs, and what is shown of users that training never saw; items of a target
    site also where their product was touched on another."""
    users: np.ndarray
    """Indices of the users that are evaluated, int64, sorted: those with a training edge and a relevant item here."""
    left_out: LeftOut

    @property
    def coverage(self) -> str:
        """In words: how many users are evaluated, and how many held-out users are not, and why."""
        return (
            f"{len(self.users):,} users evaluated; left out: {self.left_out.users_without_history:,} without a "
            f"training edge, {self.left_out.users_without_relevant:,} with nothing relevant in the pool"
        )


def build_pool(split: Split, name: PoolName) -> Pool:
    """The pool of that name.

    - `cold`: items without a training edge that occur in the held-out pairs; where the split names candidates, the
      candidates without a training edge.
    - `warm`: items with a training edge, those among the candidates where there are any.
    - `full`: the candidates, or the whole catalogue.

    Where the data have a target site, of its items alone.

    Raises GraphRecError where the name is unknown, nothing is held out, the pool is empty or no user can be evaluated.
    """
    if name not in POOL_NAMES:
        raise GraphRecError(f"Unknown pool {name!r}: choose one of {', '.join(POOL_NAMES)}.")
    if not len(split.truth.user_index_P):
        raise GraphRecError("The split holds out no interaction, so nothing can be evaluated; check the held-out file.")
    items, description = _choose_items(split, name)
    if not len(items):
        raise GraphRecError(f"The {name} pool is empty: {_why_empty(split, name)}.")
    seen = _with_products(split)
    user_P, item_P = _distinct_pairs(split.truth, seen.shape)
    is_seen_P = np.asarray(seen[user_P, item_P]).ravel() > 0
    is_true_P = np.isin(item_P, items) & ~is_seen_P
    truth = sp.csr_matrix((is_true_P[is_true_P], (user_P[is_true_P], item_P[is_true_P])), seen.shape)

    held_out_users = np.unique(user_P)
    has_history = np.diff(seen.indptr)[held_out_users] > 0
    has_relevant = np.diff(truth.indptr)[held_out_users] > 0
    users = held_out_users[has_history & has_relevant]
    left_out = LeftOut(
        users_without_history=int((~has_history).sum()),
        users_without_relevant=int((has_history & ~has_relevant).sum()),
        pairs_seen=int(is_seen_P.sum()),
        pairs_outside_pool=int((~is_seen_P & ~is_true_P).sum()),
    )
    if not len(users):
        raise GraphRecError(
            f"No user can be evaluated in the {name} pool: {_why_nobody(len(held_out_users), left_out)}."
        )
    return Pool(name, items, description, truth, seen, users, left_out)


def _with_products(split: Split) -> sp.csr_matrix:
    """What users are known to have touched; a target site's item also where they touched its product elsewhere."""
    known, train = split.known, split.train
    if train.target_site is None or not len(train.same_as):
        return known
    return (known + at_nodes(known, product_nodes(train.same_as, train.is_served_I))).tocsr()


def _distinct_pairs(truth: Truth, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    key_P = np.unique(np.ravel_multi_index((truth.user_index_P, truth.item_index_P), shape))
    user_P, item_P = np.unravel_index(key_P, shape)
    return user_P, item_P


def _choose_items(split: Split, name: PoolName) -> tuple[np.ndarray, str]:
    if split.truth.candidates is None:
        candidates, among = np.flatnonzero(split.train.is_served_I), "items"
    else:
        candidates = np.unique(split.truth.candidates).astype(np.int64)
        among = f"of the {len(candidates):,} candidates"
    cold = np.intersect1d(candidates, split.cold_items)
    if name == "full":
        catalogue = "the whole catalogue" if split.train.target_site is None else f"site {split.train.target_site}"
        which = f"items of {catalogue}" if split.truth.candidates is None else "candidates"
        return candidates, f"all {len(candidates):,} {which}, {len(cold):,} of them without a training edge"
    if name == "warm":
        warm = np.setdiff1d(candidates, cold)
        return warm, f"the {len(warm):,} {among} with a training edge"
    if split.truth.candidates is not None:
        return cold, f"the {len(cold):,} {among} without a training edge"
    touched = np.intersect1d(cold, split.truth.item_index_P)
    return touched, f"the {len(touched):,} items without a training edge that occur in the held-out pairs"


def _why_empty(split: Split, name: PoolName) -> str:
    candidates = split.truth.candidates
    if candidates is not None and not len(candidates):
        return "the split's candidates file names no item of the catalogue; correct it or leave it out"
    if name == "full":
        return "the catalogue has no items; check the items file"
    if name == "warm":
        which = "item" if candidates is None else "candidate"
        return f"no {which} has a training edge; choose pool cold or full"
    which = "held-out item" if candidates is None else "candidate"
    return f"every {which} has a training edge; hold out whole items (a cold-item split) or choose pool warm or full"


def _why_nobody(num_held_out: int, left_out: LeftOut) -> str:
    return (
        f"of {num_held_out:,} users with held-out pairs {left_out.users_without_history:,} have no training edge and "
        f"{left_out.users_without_relevant:,} nothing relevant in the pool ({left_out.pairs_seen:,} held-out pairs are "
        "training pairs); choose another pool or split"
    )
