"""Training by epochs until what is masked is found no better."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stopped:
    """The epoch, counted from 1, that scored best, and its score."""

    epoch: int
    score: float


def train_to_best(
    epoch: Callable[[], None], score: Callable[[], float], max_epochs: int, every: int, patience: int
) -> Stopped:
    """Run epochs, score after each `every` of them, stop when the last `patience` scores brought nothing better.

    Where nobody can judge (score nan) all `max_epochs` are run.
    """
    best, in_vain = Stopped(max_epochs, float("nan")), 0
    for number in range(1, max_epochs + 1):
        epoch()
        if number % every and number < max_epochs:
            continue
        value = score()
        if value > best.score or (np.isnan(best.score) and not np.isnan(value)):
            best, in_vain = Stopped(number, value), 0
        elif not np.isnan(value):
            in_vain += 1
        if in_vain >= patience:
            break
    return best
