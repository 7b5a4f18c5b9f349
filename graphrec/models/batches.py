"""Which edges each training step predicts."""

from collections.abc import Iterator

import numpy as np

from graphrec.graph.adjacency import Adjacency
from graphrec.graph.uniform import subsets


class UserBatches:
    """Batches of edge positions, grouped by user: a `batch_sampler` for PyG's `LinkLoader`.

    Every user with at least two items comes once an epoch, and about `target_rate` of their items (at least one, at
    most `max_targets`, never all) are to be predicted from the others. Grouping by user keeps the number of
    neighbourhoods per step small: one per user, not one per edge.
    """

    def __init__(
        self,
        items_of_user: Adjacency,
        users_per_batch: int,
        target_rate: float,
        max_targets: int,
        rng: np.random.Generator,
    ) -> None:
        self.items_of_user = items_of_user
        self.degree_U = items_of_user.degree  # kept: taking it from the graph costs a pass over all users
        self.users = np.flatnonzero(self.degree_U >= 2)
        self.users_per_batch = users_per_batch
        self.target_rate = target_rate
        self.max_targets = max_targets
        self.rng = rng

    def __len__(self) -> int:
        return -(-len(self.users) // self.users_per_batch)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.users_per_batch):
            yield self._targets(order[start : start + self.users_per_batch]).tolist()

    def _targets(self, users: np.ndarray) -> np.ndarray:
        degree_B = self.degree_U[users]
        num_targets_B = np.clip(np.round(self.target_rate * degree_B), 1, np.minimum(self.max_targets, degree_B - 1))
        owner_S, member_S = subsets(degree_B, self.max_targets, self.rng)
        # A subset's members come in no random order, so a random rank decides which of them are kept.
        order_S = np.lexsort((self.rng.random(len(owner_S)), owner_S))
        owner_S, member_S = owner_S[order_S], member_S[order_S]
        rank_S = np.arange(len(owner_S)) - np.searchsorted(owner_S, owner_S)
        kept_S = rank_S < num_targets_B[owner_S]
        return self.items_of_user.indptr[users[owner_S[kept_S]]] + member_S[kept_S]
