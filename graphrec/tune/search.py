"""The search: propose settings, train with them, judge them on the masked items, write the trial down."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.locks import lock_file
from graphrec.progress import Progress, Say, silent, unsaid
from graphrec.tune.journal import Journal, Trial, open_journal
from graphrec.tune.masked_items import MaskedItems, TuneConfig
from graphrec.tune.result import Improvement, Stopped, Tuning
from graphrec.tune.sampler import propose
from graphrec.tune.space import Dimension, Point, at_point, point_of

LEVEL = 0.95


def search(
    masked: MaskedItems,
    config: GraphRecConfig,
    tune: TuneConfig,
    space: Sequence[Dimension],
    folder: Path,
    restart: bool = False,
    progress: Progress = silent,
    say: Say = unsaid,
    begun: float | None = None,
) -> Tuning:
    """Try the settings themselves and then other points of the space; `folder` keeps the trials.

    `begun` is when the minutes began to count, by `time.monotonic()`: now, where nothing was waited for before.

    The same call goes on where it was stopped; Ctrl-C ends the search with what it has. `say` gets a line per trial
    that beats all before it. A later trial that fails is written down and passed over.

    Raises GraphRecError where the first trial fails, nothing was tried, or the folder holds something else or is being
    used by another process.
    """
    begun = time.monotonic() if begun is None else begun
    pools = {str(name): len(users) for name, (_, users) in masked.judges.items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.parent / f".{folder.name}.lock") as is_ours:
        if not is_ours:
            raise GraphRecError(f"{folder}: another process is searching there; name another --run-folder.")
        journal = open_journal(folder, _key(masked, config, tune, space), pools, restart)
        done = journal.read(lambda point: _is_in(space, config, point), say)
        if done:
            say(f"{len(done)} trials are done already: {folder}")
        stopped = _run(masked, config, tune, space, journal, done, begun, progress, say)
        return _result(masked, config, space, journal, done, stopped)


def _run(
    masked: MaskedItems,
    config: GraphRecConfig,
    tune: TuneConfig,
    space: Sequence[Dimension],
    journal: Journal,
    done: list[Trial],
    begun: float,
    progress: Progress,
    say: Say,
) -> Stopped:
    """Add trials to the journal and to `done` until there are enough; says why it stopped."""
    start = point_of(config, space)
    try:
        for _ in progress(range(len(done), tune.trials), "Trials on masked items"):
            expected = float(np.mean([trial.seconds for trial in done])) if done else 0.0
            is_late = tune.minutes is not None and time.monotonic() - begun + expected > 60 * tune.minutes
            if done and is_late:
                return "minutes"
            point = propose(space, start, done, config.seed)
            if point is None:
                return "exhausted"
            number = 1 + max((trial.number for trial in done), default=-1)
            trial, per_user = _try(masked, config, point, number, is_start=point == start)
            journal.add(trial, per_user)
            is_best = trial.score is not None and trial.score > max(
                (other.score or 0.0 for other in done), default=-1.0
            )
            done.append(trial)
            if trial.score is None:
                say(f"Trial {number} failed and is passed over: {trial.failed}")
            elif is_best:
                say(f"Trial {number}: NDCG@20 {trial.score:.4f}, the best so far")
    except KeyboardInterrupt:
        if not any(trial.point == start for trial in done):
            raise GraphRecError("Interrupted before the first trial was done: nothing is written.") from None
        return "interrupted"
    return "trials"


def _try(
    masked: MaskedItems, config: GraphRecConfig, point: Point, number: int, is_start: bool
) -> tuple[Trial, dict[str, np.ndarray]]:
    begun = time.monotonic()
    try:
        model = masked.fit(at_point(config, point).model)
        if not np.isfinite(model.served_ID).all():
            raise GraphRecError("training diverged: the vectors are not finite.")
        per_user = masked.judge(model)
    except (GraphRecError, ValueError, ArithmeticError) as error:  # settings can be too much for the arithmetic
        if is_start:
            raise
        failed = " ".join(f"{type(error).__name__}: {error}".split())
        seconds = time.monotonic() - begun
        return Trial(number=number, point=dict(point), ndcg={}, epochs=0, seconds=seconds, failed=failed), {}
    trial = Trial(
        number=number,
        point=dict(point),
        ndcg={name: float(ndcg_U.mean()) for name, ndcg_U in per_user.items()},
        epochs=model.choices.epochs,
        seconds=round(time.monotonic() - begun, 3),
    )
    return trial, per_user


def _result(
    masked: MaskedItems,
    config: GraphRecConfig,
    space: Sequence[Dimension],
    journal: Journal,
    done: Sequence[Trial],
    stopped: Stopped,
) -> Tuning:
    start_point = point_of(config, space)
    start = next((trial for trial in done if trial.point == start_point), None)
    if start is None:
        raise GraphRecError(
            "The trial with the settings that the search starts from is missing or damaged, and no time was left to "
            "make it again: allow more minutes or trials, or begin anew with --restart."
        )
    best = start
    for trial in done:
        if trial.score is not None and best.score is not None and trial.score > best.score:
            best = trial
    improvements = tuple(
        _improvement(journal, best, start, pool, len(done) - 1, config.seed) for pool in best.ndcg if best is not start
    )
    return Tuning(
        trials=tuple(done),
        start=start,
        best=best,
        config=at_point(config, best.point),
        improvements=improvements,
        num_items=len(masked.split.cold.items),
        stopped=stopped,
    )


def _improvement(journal: Journal, best: Trial, start: Trial, pool: str, num_others: int, seed: int) -> Improvement:
    best_U, start_U = journal.per_user(best, pool), journal.per_user(start, pool)
    num_resamples = max(10_000, 1_000 * num_others)  # 25 of them in each tail, however thin the tails are
    plain, for_choice = (
        paired_bootstrap(best_U, start_U, np.random.default_rng(seed), num_resamples, level)
        for level in (LEVEL, 1 - (1 - LEVEL) / num_others)
    )
    return Improvement(pool, plain, for_choice)


def _is_in(space: Sequence[Dimension], config: GraphRecConfig, point: dict[str, Any]) -> bool:
    if set(point) != {dimension.key for dimension in space}:
        return False
    if not all(dimension.holds(point[dimension.key]) for dimension in space):
        return False
    try:
        at_point(config, point)
    except ValidationError:
        return False
    return True


def _key(masked: MaskedItems, config: GraphRecConfig, tune: TuneConfig, space: Sequence[Dimension]) -> str:
    about = {
        "fit": masked.key(config.model),
        "tune": tune.model_dump(mode="json", exclude={"trials", "minutes"}),
        "space": [repr(dimension) for dimension in space],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
