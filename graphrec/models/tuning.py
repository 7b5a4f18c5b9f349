"""Choosing a head's settings inside the training data: whole items are masked and must be found again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from graphrec.data.dataset import Dataset, Split
from graphrec.errors import GraphRecError
from graphrec.evaluation.metrics import ndcg
from graphrec.evaluation.protocol import Pool, PoolName, build_pool
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.models.ridge import HeadSettings
from graphrec.progress import Progress, silent

CUTOFF = 20


class TuningConfig(BaseModel, extra="forbid", frozen=True):
    """How settings are chosen; every tuned arm gets the same masked items and the same number of tries.

    The graph arm's number of epochs is chosen on those items too, besides its tries: content has nothing like it.
    """

    masked_items: float = Field(default=0.2, gt=0, lt=1)
    """Share of the warm items whose every edge is hidden while settings are chosen."""
    masked_edges: float = Field(default=0.05, gt=0, lt=1)
    """Share of the other pairs that are hidden too: they decide how fast an item moves from content to graph."""
    tries: NonNegativeInt = 40
    """Settings that are tried for each arm."""
    max_users: PositiveInt = 2000
    """Users that a try is judged by."""


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
    def warm_items(self) -> np.ndarray:
        """Indices of the items that keep an edge, sorted."""
        return np.flatnonzero(self.split.train.interactions.item_degree())

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


@dataclass(frozen=True)
class Tuned:
    """The best settings found, with what they scored on the masked items."""

    settings: HeadSettings
    popularity_weight: float
    score: float


_PENALTY_FACTORS = (3.0, 1 / 3)
_WEIGHT_FACTORS = (1 / 4, 3.0, 0.0)
_POPULARITY_WEIGHTS = (0.1, 0.2, 0.4, 0.8, 1.6)


def tune_head(
    blocks: list[str],
    score: Callable[[HeadSettings, float], float],
    tries: int,
    progress: Progress = silent,
    description: str = "Tuning",
) -> Tuned:
    """Coordinate search from even block weights: penalty, then each block's weight, then the popularity weight.

    A change that scores better is kept and the next one starts from it; rounds repeat until the tries are used up or a
    whole round improves nothing. `score(settings, popularity_weight)` is the masked items' NDCG@20.
    """
    best = Tuned(HeadSettings(weights=dict.fromkeys(blocks, 1.0)), 0.0, -np.inf)
    best = Tuned(best.settings, 0.0, score(best.settings, 0.0))
    tried, left_in_vain = {_key(best)}, 0
    coordinates = ["penalty", *blocks, "popularity"]
    steps = iter(progress(range(tries), description))
    position = 0
    while left_in_vain < len(coordinates):
        improved = False
        for settings, weight in _moves(best, coordinates[position % len(coordinates)]):
            candidate = Tuned(settings, weight, 0.0)
            if _key(candidate) in tried:
                continue
            if next(steps, None) is None:
                return best
            tried.add(_key(candidate))
            value = score(settings, weight)
            if value > best.score:
                best, improved = Tuned(settings, weight, value), True
        left_in_vain = 0 if improved else left_in_vain + 1
        position += 1
    for _ in steps:  # the rest of the bar: nothing left to try
        pass
    return best


def _moves(best: Tuned, coordinate: str) -> list[tuple[HeadSettings, float]]:
    settings = best.settings
    if coordinate == "penalty":
        return [
            (HeadSettings(weights=settings.weights, penalty=settings.penalty * factor), best.popularity_weight)
            for factor in _PENALTY_FACTORS
        ]
    if coordinate == "popularity":
        return [(settings, weight) for weight in _POPULARITY_WEIGHTS]
    now = settings.weights[coordinate]
    values = [now * factor for factor in _WEIGHT_FACTORS] if now else [0.25]
    return [
        (
            HeadSettings(weights={**settings.weights, coordinate: value}, penalty=settings.penalty),
            best.popularity_weight,
        )
        for value in values
    ]


def _key(tuned: Tuned) -> tuple[tuple[float, ...], float, float]:
    weights = tuple(round(value, 9) for value in tuned.settings.weights.values())
    return weights, round(tuned.settings.penalty, 9), tuned.popularity_weight
