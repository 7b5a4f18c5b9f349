"""Choosing settings inside the training data: whole items are masked and must be found again."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from graphrec.data.dataset import Dataset, Split
from graphrec.errors import GraphRecError
from graphrec.evaluation.metrics import ndcg
from graphrec.evaluation.protocol import Pool, PoolName, build_pool
from graphrec.evaluation.ranking import hits, rank_by_vectors

CUTOFF = 20


class TuningConfig(BaseModel, extra="forbid", frozen=True):
    """How settings are chosen inside the training data, with the same effort for every arm.

    The content head of the graph arm and of the content arm is tuned by as many gradient steps, each warm item left out
    in turn. Other baselines get as many tries on masked items; the graph arm's epochs are chosen on those too.
    """

    masked_items: float = Field(default=0.2, gt=0, lt=1)
    """Share of the warm items whose every edge is hidden while settings are chosen."""
    masked_edges: float = Field(default=0.05, gt=0, lt=1)
    """Share of the other pairs that are hidden too: they decide how fast an item moves from content to graph."""
    steps: PositiveInt = 40
    """Gradient steps for the content head, in the graph and the content arm alike."""
    tries: NonNegativeInt = 40
    """Most settings that are tried for any other baseline; those that train anew each time take fewer."""
    max_users: PositiveInt = 2000
    """Users that a try is judged by."""
    warm_loss: float = Field(default=0.03, ge=0, lt=1)
    """Share of the warm items' recall given up at most to show more new ones (see `models.calibration`); 0: none."""


@dataclass(frozen=True)
class MaskedSplit:
    """A split of the training data into a smaller training set and the masked items that judge settings."""

    split: Split
    max_users: int
    seed: int

    @classmethod
    def of(cls, train: Dataset, config: TuningConfig, seed: int) -> "MaskedSplit":
        """Mask whole items and some edges of the others; raises GraphRecError where too little would be left."""
        split = train.split_cold_items(config.masked_items, seed, config.masked_edges)
        return cls(split, config.max_users, seed)

    @cached_property
    def cold(self) -> Pool:
        """The masked items as the pool."""
        return build_pool(self.split, "cold")

    @cached_property
    def degree_I(self) -> np.ndarray:
        """Of every item, in what is left of the site's log to learn from."""
        return self.split.train.own_interactions.item_degree()

    @cached_property
    def warm_items(self) -> np.ndarray:
        """Indices of the items that keep an edge, sorted."""
        return np.flatnonzero(self.degree_I)

    def judges(self, name: PoolName) -> tuple[Pool, np.ndarray] | None:
        """A pool and at most `max_users` of its users, drawn by the seed; None where nobody can be evaluated."""
        try:
            pool = self.cold if name == "cold" else build_pool(self.split, name)
        except GraphRecError:
            return None
        if len(pool.users) <= self.max_users:
            return pool, pool.users
        chosen = np.random.default_rng(self.seed).choice(pool.users, self.max_users, replace=False)
        return pool, np.sort(chosen)


def mean_ndcg(query_BD: np.ndarray, vectors_ID: np.ndarray, pool: Pool, users: np.ndarray) -> float:
    """NDCG@20 of full ranking over the pool, averaged over `users`; row b of the queries is user `users[b]`."""
    return mean_ndcg_in_pool(query_BD, vectors_ID[pool.items], pool, users)


def mean_ndcg_in_pool(query_BD: np.ndarray, vectors_PD: np.ndarray, pool: Pool, users: np.ndarray) -> float:
    """As `mean_ndcg`, with the vectors of the pool's items alone."""
    seen, truth = pool.seen[users][:, pool.items], pool.truth[users][:, pool.items]
    lists = rank_by_vectors(query_BD, vectors_PD, np.arange(len(pool.items)), seen, CUTOFF)
    return float(np.nanmean(ndcg(*hits(lists, truth), CUTOFF)))
