"""Which settings to try next: Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), without a database."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.tune.journal import Trial
from graphrec.tune.space import Choice, Dimension, Point, as_label

_AT_RANDOM = 8
"""Trials drawn at random before the estimator has something to go by."""
_ATTEMPTS = 100
"""Draws that may all have been tried before the space counts as exhausted; the later half ignores the estimator."""


def require_optuna() -> Any:
    """The library; raises GraphRecError where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise GraphRecError("Tuning needs Optuna: pip install 'graphrec[tune]'.") from None
    return optuna


def propose(space: Sequence[Dimension], start: Point, done: Sequence[Trial], seed: int) -> Point | None:
    """What to try after these trials: `start` first, never a point twice, None where the space is exhausted.

    A function of its arguments alone: a search that was killed and goes on proposes what it would have proposed.
    """
    tried = {_identity(trial.point) for trial in done}
    if _identity(start) not in tried:
        return start
    optuna = require_optuna()
    distributions = {dimension.key: _distribution(optuna, dimension) for dimension in space}
    with _quiet(optuna):
        study = optuna.create_study(direction="maximize")
        for trial in done:
            study.add_trial(_frozen(optuna, space, trial, distributions))
        for attempt in range(_ATTEMPTS):
            draw_seed = int(np.random.SeedSequence([seed, len(done), attempt]).generate_state(1)[0])
            study.sampler = (
                optuna.samplers.TPESampler(n_startup_trials=_AT_RANDOM, seed=draw_seed)
                if attempt < _ATTEMPTS // 2
                else optuna.samplers.RandomSampler(seed=draw_seed)
            )
            point = _point(space, study.ask(distributions).params)
            if _identity(point) not in tried:
                return point
    return None


def _identity(point: Point) -> str:
    return as_label(dict(sorted(point.items())))


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):  # as labels: Optuna's categories are plain values, and fanouts are lists
        return optuna.distributions.CategoricalDistribution([as_label(value) for value in dimension.values])
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=True)


def _frozen(optuna: Any, space: Sequence[Dimension], trial: Trial, distributions: dict[str, Any]) -> Any:
    states = optuna.trial.TrialState
    params = {
        dimension.key: as_label(trial.point[dimension.key])
        if isinstance(dimension, Choice)
        else float(trial.point[dimension.key])
        for dimension in space
    }
    return optuna.trial.create_trial(
        state=states.FAIL if trial.score is None else states.COMPLETE,
        params=params,
        distributions=distributions,
        value=trial.score,
    )


def _point(space: Sequence[Dimension], params: dict[str, Any]) -> Point:
    point = {}
    for dimension in space:
        drawn = params[dimension.key]
        if isinstance(dimension, Choice):
            point[dimension.key] = json.loads(drawn)
        else:  # three digits, which a person can read, and never outside the range
            point[dimension.key] = min(max(float(f"{drawn:.3g}"), dimension.low), dimension.high)
    return point


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without a line on the screen for every study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
