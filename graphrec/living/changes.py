"""What happened to a run since it was trained, and what becomes of it when another run takes its place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from graphrec.living.entries import Happened
from graphrec.living.journal import JOURNAL, Journal, Stored
from graphrec.progress import Say


@dataclass(frozen=True)
class Changes:
    """What happened to a run since it was trained, oldest first."""

    stored: tuple[Stored, ...] = ()
    last: int = 0
    """Number of the newest entry that was read from the run's folder."""
    left: frozenset[str] = frozenset()
    """People who were forgotten since it was read."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Versions of models, and those that read entries for them alike."""

    @property
    def user_ids(self) -> set[str]:
        """Everybody who did something."""
        return {user for one in self.stored if isinstance(one.entry, Happened) for user in one.entry.user_ids}

    @property
    def events(self) -> int:
        """How many."""
        return sum(len(one.entry) for one in self.stored if isinstance(one.entry, Happened))

    def with_more(self, stored: Sequence[Stored]) -> "Changes":
        """With these behind them."""
        last = max([self.last, *(one.sequence for one in stored)])
        return replace(self, stored=(*self.stored, *stored), last=last)

    def without_users(self, user_ids: Sequence[str]) -> "Changes":
        """Without what these people did."""
        return self._seen_with(replace(self, left=self.left | frozenset(user_ids)))

    def of_version(self, old: str, new: str) -> "Changes":
        """Those written for the one version as written for the other, which reads them alike."""
        return self._seen_with(replace(self, renamed=(*self.renamed, (old, new))))

    def as_here(self, stored: Stored) -> Stored:
        """An entry that somebody wrote meanwhile, as it would be had it been here already."""
        entry, model = stored.entry, stored.model
        if self.left and isinstance(entry, Happened):
            entry = entry.take(~np.isin(entry.user_ids, list(self.left)))
        for old, new in self.renamed:
            model = new if model == old else model
        return replace(stored, entry=entry, model=model)

    def _seen_with(self, other: "Changes") -> "Changes":
        return replace(other, stored=tuple(other.as_here(one) for one in self.stored))


NO_CHANGES = Changes()


def read_changes(folder: Path) -> Changes:
    """What happened to the run of a folder."""
    if not (folder / JOURNAL).is_file():
        return Changes()
    stored = Journal(folder / JOURNAL).closing_after(0)
    return Changes(tuple(stored), stored[-1].sequence if stored else 0)


def write_changes(changes: Changes, folder: Path) -> None:
    """Into a folder that has none; no file where there are none."""
    if not changes.stored:
        return
    journal = Journal(folder / JOURNAL)
    try:
        with journal.transaction():
            for one in changes.stored:
                journal.append(one)
    finally:
        journal.close()


def take_over(changes: Changes, old: Path, new: Path, say: Say) -> None:
    """What happened to the run before and is not in the new folder yet; `say` gets a line about it."""
    journal = Journal(new / JOURNAL)
    try:
        num_taken = journal.take_over(old / JOURNAL, changes.as_here)
    finally:
        journal.close()
    if num_taken:
        say(
            f"{num_taken:,} changes since the training before were taken over; of items and pairs that the training "
            "data have, the data count."
        )


def keep_aside(old: Path, say: Say) -> None:
    """What happened to the run of another dataset, as a file beside its folder."""
    kept = old.with_name(f"{old.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{JOURNAL}")
    Journal(old / JOURNAL).closing_copy(kept)
    say(f"Changes of the run of another dataset that was here are kept: {kept}.")
