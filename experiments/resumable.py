"""Results that are kept as soon as they are there, so that a long experiment may be killed and started again.

metrics.json is replaced whole under a lock, so that several processes may share the rows of one experiment. What every
user got is kept too, for paired intervals, but outside the repository.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from reporting import machine

from graphrec.atomic_file import replacing
from graphrec.evaluation.intervals import paired_bootstraps
from graphrec.evaluation.metrics import ndcg, recall
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists, hits
from graphrec.locks import lock_file, wait_for_lock

PROJECT = Path(__file__).parents[1]
K = 20
METRICS = ("recall@20", "ndcg@20", "recall@20 off", "ndcg@20 off")
"""With popularity on and off."""
_SOURCES = ("models", "graph", "baselines", "features")


class Kept:
    """The metrics.json and the users' values of one experiment."""

    def __init__(self, folder: Path) -> None:
        self.metrics_file = folder / "metrics.json"
        self.values_folder = PROJECT / "runs" / folder.name

    def load(self) -> dict[str, Any]:
        """Empty where nothing has been run yet."""
        return json.loads(self.metrics_file.read_text(encoding="utf-8")) if self.metrics_file.exists() else {}

    def update(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Read, change and replace metrics.json in one piece."""
        lock = wait_for_lock(self.metrics_file.parent)
        metrics = self.load() | machine()
        change(metrics)
        with replacing(self.metrics_file) as path:
            path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        if lock is not None:
            os.close(lock)

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """False where another process is at work on what is kept under that name."""
        path = self.values_folder / f"{name}.running"
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(path) as is_mine:
            yield is_mine

    def values_file(self, name: str) -> Path:
        return self.values_folder / f"{name}.npz"

    def keep_values(self, name: str, users: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Replaces what was kept under that name before."""
        path = self.values_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as scratch:
            np.savez(scratch, users=users, **values)

    def have_values(self, names: Sequence[str]) -> bool:
        return all(self.values_file(name).exists() for name in names)

    def paired(self, a: Sequence[str], b: Sequence[str]) -> dict[str, Any]:
        """Interval of a - b for each metric, over the seeds that the two lists of names stand for.

        A user counts once, with the mean over the seeds in which there are lists for them.
        """
        one, other = ([_loaded(self.values_file(name)) for name in names] for names in (a, b))
        users = np.unique(np.concatenate([values["users"] for values in one]))
        place = [np.searchsorted(users, values["users"]) for values in one]
        count_U = np.bincount(np.concatenate(place), minlength=len(users))
        pairs = []
        for metric in METRICS:
            sum_2U = np.zeros((2, len(users)))
            for where, left, right in zip(place, one, other, strict=True):
                sum_2U[:, where] += [left[metric], right[metric]]
            pairs.append((sum_2U[0] / count_U, sum_2U[1] / count_U))
        intervals = paired_bootstraps(pairs, np.random.default_rng(0))
        return {metric: vars(interval) for metric, interval in zip(METRICS, intervals, strict=True)}


def measured(rank: Callable[[bool], RankedLists], pool: Pool, users: np.ndarray) -> dict[str, np.ndarray]:
    """`METRICS` per user of what `rank` gives these users with popularity on and off."""
    truth, values = pool.truth[users], {}
    for popularity, suffix in ((True, ""), (False, " off")):
        found = hits(rank(popularity), truth)
        values[f"recall@20{suffix}"] = recall(*found, K)
        values[f"ndcg@20{suffix}"] = ndcg(*found, K)
    return values


def means(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.nanmean(value_U)) for name, value_U in values.items()}


def digest(value: Any) -> str:
    """Short and the same for the same JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def code_digest() -> str:
    """Of the sources that decide a result: rows made with different ones can be told apart."""
    sources = sorted(path for name in _SOURCES for path in (PROJECT / "graphrec" / name).rglob("*.py"))
    return digest([path.read_text(encoding="utf-8") for path in sources])


def _loaded(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as values:
        return dict(values)
