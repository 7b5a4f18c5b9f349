"""The trials that are done, in a folder: a search that was killed goes on from it and repeats none of them.

`trials.jsonl` has a line per trial, `per_user/` what each user got from it, `about.json` which search it is of.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, ValidationError

from graphrec import atomic_file
from graphrec.data.dataset_yaml import one_line
from graphrec.errors import GraphRecError
from graphrec.progress import Say

FORMAT_VERSION = 1
ABOUT, TRIALS, SET_ASIDE, PER_USER = "about.json", "trials.jsonl", "set_aside.jsonl", "per_user"


class Trial(BaseModel, extra="forbid", frozen=True):
    """One training with the settings of one point."""

    number: NonNegativeInt
    point: dict[str, Any]
    ndcg: dict[str, float]
    """Pool → mean NDCG@20 over its users; empty where the trial failed."""
    epochs: NonNegativeInt
    seconds: NonNegativeFloat
    """Wall time."""
    failed: str | None = None
    """What went wrong, in one line."""

    @property
    def score(self) -> float | None:
        """What is searched for: the mean over the pools; None where the trial failed."""
        return float(np.mean(list(self.ndcg.values()))) if self.ndcg else None


@dataclass(frozen=True)
class Journal:
    """The folder; `pools` has the number of users per pool that every trial is judged by."""

    folder: Path
    pools: Mapping[str, int]

    def read(self, is_valid_point: Callable[[dict[str, Any]], bool], say: Say) -> list[Trial]:
        """The trials that are done, in their order.

        Lines that cannot be used (cut off by a kill, or changed) are moved to `set_aside.jsonl`, and said; their trials
        are not done.
        """
        path = self.folder / TRIALS
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        good: dict[int, tuple[str, Trial]] = {}
        bad: list[tuple[int, str, str]] = []
        for row, line in enumerate(lines, 1):
            read = self._trial(line, is_valid_point)
            if isinstance(read, Trial) and read.number not in good:
                good[read.number] = (line, read)
            else:
                bad.append((row, line, read if isinstance(read, str) else f"number {read.number} stands twice"))
        if bad:
            with (self.folder / SET_ASIDE).open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for _, line, _ in bad)
            with atomic_file.replacing(path) as scratch:
                scratch.write_text("".join(f"{line}\n" for line, _ in good.values()), encoding="utf-8")
            row, _, why = bad[0]
            say(f"{path}: {len(bad)} line(s) set aside in {SET_ASIDE}, the first is line {row}: {why}.")
        return [trial for _, (_, trial) in sorted(good.items())]

    def add(self, trial: Trial, per_user: Mapping[str, np.ndarray]) -> None:
        """Write a trial down; once this returns it survives a kill."""
        for pool, ndcg_U in per_user.items():
            with atomic_file.replacing(self._file(trial.number, pool)) as scratch, scratch.open("wb") as file:
                np.save(file, ndcg_U, allow_pickle=False)
        with (self.folder / TRIALS).open("a", encoding="utf-8") as file:
            file.write(trial.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def per_user(self, trial: Trial, pool: str) -> np.ndarray:
        """NDCG@20 of each user as `add` was given it; ValueError or OSError where the file is none."""
        return np.load(self._file(trial.number, pool), allow_pickle=False)

    def _file(self, number: int, pool: str) -> Path:
        return self.folder / PER_USER / f"{number:04d}-{pool}.npy"

    def _trial(self, line: str, is_valid_point: Callable[[dict[str, Any]], bool]) -> Trial | str:
        """The trial of a line, or why it is none."""
        try:
            trial = Trial.model_validate_json(line)
        except ValidationError as error:
            return one_line(error, Trial).removesuffix(".")
        if not is_valid_point(trial.point):
            return "its point is not in the space"
        if trial.failed is not None:
            return trial if not trial.ndcg else "it failed and has a score"
        if set(trial.ndcg) != set(self.pools):
            return f"expected a score for {', '.join(self.pools)}"
        for pool, ndcg in trial.ndcg.items():
            try:
                ndcg_U = self.per_user(trial, pool)
            except (OSError, ValueError):
                return f"{self._file(trial.number, pool).name} cannot be read"
            if ndcg_U.shape != (self.pools[pool],) or not np.isclose(ndcg_U.mean(), ndcg, rtol=0, atol=1e-9):
                return f"{self._file(trial.number, pool).name} does not belong to it"
        return trial


def open_journal(folder: Path, key: str, pools: Mapping[str, int], restart: bool = False) -> Journal:
    """The journal in this folder, made where there is none; `key` stands for the data, the settings and the space.

    `restart` deletes the trials that are there. Raises GraphRecError where the folder holds something else, or trials
    of another search.
    """
    about_path, about = folder / ABOUT, {"format": FORMAT_VERSION, "key": key}
    if about_path.exists() and not restart:
        try:
            found = json.loads(about_path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != about:
            raise GraphRecError(
                f"{folder}: holds trials of other data, settings or versions; name another --run-folder, or give "
                "--restart to begin anew there."
            )
        return Journal(folder, pools)
    if folder.exists() and not about_path.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GraphRecError(f"{folder}: is no folder of trials and not empty; name another --run-folder.")
    (folder / PER_USER).mkdir(parents=True, exist_ok=True)
    for old in (folder / TRIALS, folder / SET_ASIDE, *(folder / PER_USER).glob("*.npy")):
        old.unlink(missing_ok=True)
    with atomic_file.replacing(about_path) as scratch:
        scratch.write_text(json.dumps(about), encoding="utf-8")
    return Journal(folder, pools)
