"""Searching small spaces of settings: a budget of tries, the same for all but the arms that train anew each time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import BaseModel

from graphrec.progress import Progress, silent

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Trial(Generic[S]):
    """One setting that was tried."""

    settings: S
    score: float
    """NDCG@20 on what was masked; nan where nobody could judge."""
    cpu_seconds: float
    """Of the whole process while this one was tried, on all threads."""


@dataclass(frozen=True)
class Search(Generic[S]):
    """All that was tried, in order; the first trial is the starting point."""

    trials: tuple[Trial[S], ...]

    @property
    def best(self) -> Trial[S]:
        """The highest score; the earliest of equals, and the starting point where none is a number."""
        return max(self.trials, key=lambda trial: -np.inf if np.isnan(trial.score) else trial.score)


def random_search(
    start: S,
    space: Mapping[str, Sequence[Any]],
    score: Callable[[S], float],
    tries: int,
    seed: int,
    progress: Progress = silent,
    description: str = "Tuning",
) -> Search[S]:
    """Score `start` and then `tries` other points of the grid in random order, or all of them where there are fewer.

    `space` names fields of the settings with the values that are tried; fields it does not name stay as they are in
    `start`. Random search finds as good settings as a full grid in fewer tries (Bergstra and Bengio 2012).
    """
    grid = [start.model_copy(update=dict(zip(space, point, strict=True))) for point in product(*space.values())]
    others = [settings for settings in grid if settings != start]
    order = np.random.default_rng(seed).permutation(len(others))[:tries]
    return Search(tuple(_tried(one, score) for one in progress([start, *(others[at] for at in order)], description)))


def coordinate_search(
    start: S,
    moves: Sequence[Callable[[S], list[S]]],
    score: Callable[[S], float],
    tries: int,
    progress: Progress = silent,
    description: str = "Tuning",
) -> Search[S]:
    """Score `start` and at most `tries` others: each move in turn proposes changes of the best settings so far.

    Ends early where a whole round of moves brought nothing better. For spaces too wide for random tries, such as one
    weight per feature block.
    """
    trials = [_tried(start, score)]
    steps = iter(progress(range(tries), description))
    in_vain = 0
    for move in cycle(moves):
        best = Search(tuple(trials)).best
        for settings in move(best.settings):
            if any(settings == trial.settings for trial in trials):
                continue
            if next(steps, None) is None:
                return Search(tuple(trials))
            trials.append(_tried(settings, score))
        in_vain = 0 if Search(tuple(trials)).best is not best else in_vain + 1
        if in_vain == len(moves):
            break
    for _ in steps:  # the rest of the bar: nothing left to try
        pass
    return Search(tuple(trials))


def _tried(settings: S, score: Callable[[S], float]) -> Trial[S]:
    begun = time.process_time()
    value = score(settings)
    return Trial(settings, value, time.process_time() - begun)
