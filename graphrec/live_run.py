"""A run folder that changes while it serves: what is written to it is on the disk before it is acknowledged.

Every change is read, encoded and taken in by a new state of the model first; then it is written, and only then does
anybody see it. Several processes may write to one folder: each takes in what the others wrote before its own entry.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from graphrec.artifact import MANIFEST
from graphrec.data.dataset import OwnVectors, SetAside
from graphrec.data.id_list import check_list
from graphrec.device import Device
from graphrec.errors import GraphRecError
from graphrec.living.drift import Drift
from graphrec.living.entries import Arrived, Entry, Happened
from graphrec.living.journal import JOURNAL, Journal, Stored
from graphrec.living.live_model import LiveModel
from graphrec.living.tables import Source
from graphrec.locks import locked
from graphrec.progress import Progress, silent
from graphrec.recommender import Recommender

AGAIN = "the same event again (user, item, time, event type and site); it was here already"
_Read = Callable[[LiveModel], tuple[Entry, SetAside]]


@dataclass(frozen=True)
class Change:
    """What was taken in; it is on the disk."""

    sequence: int
    """Number of the entry; what others wrote has the numbers between."""
    ids: tuple[str, ...]
    """The items, or those of the events."""
    set_aside: SetAside
    """Rows that were not taken in, with reasons."""
    drift: Drift


class LiveRun:
    """One run folder with what changed since it was trained. Safe to use from several threads."""

    def __init__(self, folder: Path, model: Recommender, journal: Journal, identity: tuple[int, ...]) -> None:
        """See `open`."""
        self.folder = folder
        self._model = model
        self._journal = journal
        self._identity = identity
        self._writing = threading.RLock()

    @classmethod
    def open(cls, folder: str | Path, device: Device = "auto", cache: Path | None = None) -> "LiveRun":
        """Read a run folder and what happened to it. Raises GraphRecError as `Recommender.load` does."""
        folder = Path(folder).resolve()
        return cls(folder, *_opened(folder, device, cache))

    @property
    def model(self) -> Recommender:
        """As of the last change that was taken in; it never changes, so take it once for one answer."""
        return self._model

    @property
    def version(self) -> str:
        """Of the model: vectors of another one are not comparable."""
        return self._model.version

    @property
    def sequence(self) -> int:
        """Number of the last change that was taken in."""
        return self._model.changes_.last

    def drift(self) -> Drift:
        """What changed since training."""
        return self._model.drift

    def add_items(
        self,
        items: Source,
        *,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: Path | None = None,
        site: str | None = None,
        progress: Progress = silent,
    ) -> Change:
        """See `Recommender.add_items`; nothing happened where it raises."""
        return self._change(lambda live: live.read_added(items, vectors, root, site, progress))

    def update_items(
        self,
        items: Source,
        *,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: Path | None = None,
        site: str | None = None,
        progress: Progress = silent,
    ) -> Change:
        """See `Recommender.update_items`; nothing happened where it raises."""
        return self._change(lambda live: live.read_updated(items, vectors, root, site, progress))

    def remove_items(self, item_ids: Sequence[str]) -> Change:
        """See `Recommender.remove_items`; nothing happened where it raises."""
        check_list(item_ids, "item ids")
        return self._change(lambda live: (live.read_removed(item_ids), SetAside()))

    def add_events(self, events: Source, *, site: str | None = None) -> Change:
        """See `Recommender.add_events`; an event with a time that is here already counts once."""
        return self._change(lambda live: live.read_events(events, site))

    def refresh(self) -> bool:
        """Take in what other processes wrote, and follow a run that a new training put here; whether anything was new.

        Where the run is just being replaced, or cannot be read, the old one goes on answering. Cheap where nothing is
        new: call it as often as you like. While another thread writes it answers at once: that takes in everything.
        """
        if not self._writing.acquire(blocking=False):
            return False
        try:
            if _identity(self.folder) != self._identity:
                self._reopen()
                return True
            before = self._model
            if self._journal.last != self.sequence:
                self._catch_up()
            return self._model is not before
        except (GraphRecError, OSError):
            return False
        finally:
            self._writing.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the journal."""
        with self._writing:
            self._journal.close()

    def _change(self, read: _Read) -> Change:
        before = self._model
        entry, set_aside = read(before.live)  # whatever takes long, before anybody has to wait
        with self._writing, self._in_place():
            with self._journal.transaction():
                self._catch_up()
                if self._model is not before:
                    entry, set_aside = read(self._model.live)
                if isinstance(entry, Happened):
                    entry, set_aside = self._without_known(entry, set_aside)
                sequence = self._journal.last
                if len(entry):
                    stored = self._journal.append(Stored(0, entry, self.version, self._model.made_by))
                    sequence, changed = stored.sequence, self._model.taking([stored])
                else:
                    changed = self._model
            self._model = changed  # only now that it is on the disk
        return Change(sequence, _ids(entry), set_aside, changed.drift)

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """The run that is held is the one in the folder, and nobody puts another there meanwhile.

        Raises GraphRecError where there is none that could be held.
        """
        while True:
            with locked(self.folder.parent):
                if _identity(self.folder) == self._identity:
                    yield
                    return
            self._reopen()  # takes long, and puts a half-made replacement right, for which it needs the lock itself

    def _without_known(self, entry: Happened, set_aside: SetAside) -> tuple[Happened, SetAside]:
        is_known_E = self._journal.known_events(entry)
        if not is_known_E.any():
            return entry, set_aside
        left_out = {**set_aside.left_out, AGAIN: int(is_known_E.sum())}
        return entry.take(~is_known_E), replace(set_aside, left_out=left_out)

    def _catch_up(self) -> None:
        stored = self._journal.after(self.sequence)
        if stored:
            self._model = self._model.taking(stored)

    def _reopen(self) -> None:
        cache, before = self._model.cache, self._journal
        opened = _opened(self.folder, self._model.device, None if cache is None else Path(cache))
        self._model, self._journal, self._identity = opened
        before.close()


def _opened(folder: Path, device: Device, cache: Path | None) -> tuple[Recommender, Journal, tuple[int, ...]]:
    identity = _identity(folder)
    model = Recommender.load(folder, device, cache)
    _prepare(model)
    if not os.access(folder, os.W_OK):
        raise GraphRecError(f"{folder} is not yours to write to: ask its owner, or copy the run.")
    return model, Journal(folder / JOURNAL), identity


def _prepare(model: Recommender) -> None:
    """Make what is made once and takes as long as the catalogue is large: now, not while somebody waits."""
    _ = model.version, model.model_.by_popularity
    model.live.encoder.prepare()
    for ids in (model.live.state.items.id_index, model.live.state.users):
        ids.prepare()


def _identity(folder: Path) -> tuple[int, ...]:
    """Other for every run that is put there; empty while there is none."""
    try:
        stat = (folder / MANIFEST).stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _ids(entry: Entry) -> tuple[str, ...]:
    if isinstance(entry, Arrived):
        return tuple(entry.arrival.cards.item_ids)
    return tuple(np.unique(entry.item_ids)) if isinstance(entry, Happened) else entry.item_ids
