"""What happened to a run since it was trained, in one SQLite file beside its other files: `changes.sqlite`.

SQLite's write-ahead log makes it safe: an entry is there whole or not at all, and once `append` has returned it is on
the disk; a process that is killed leaves nothing that the next one could not read. Several processes may write; each
waits for the other. Entries hold what came in (rows, and vectors as the encoders made them), never what a model made
of it: a model that is trained later reads them as well.
"""

import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality
from graphrec.living.arrival import Arrival
from graphrec.living.entries import Arrived, Entry, Happened, Removed

JOURNAL = "changes.sqlite"
JOURNAL_FILES = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm")
"""The file, and those that SQLite has beside it while somebody has it open."""
_FORMAT = 1
_WAIT_SECONDS = 60.0
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created TEXT NOT NULL, model TEXT NOT NULL,
    made_by TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    seq INTEGER NOT NULL REFERENCES entries, item_id TEXT NOT NULL, card TEXT NOT NULL, vectors BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS removals (seq INTEGER NOT NULL REFERENCES entries, item_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER NOT NULL REFERENCES entries, user_id TEXT NOT NULL, item_id TEXT NOT NULL, weight REAL NOT NULL,
    timestamp REAL, event TEXT NOT NULL, site TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS items_by_seq ON items (seq);
CREATE INDEX IF NOT EXISTS removals_by_seq ON removals (seq);
CREATE INDEX IF NOT EXISTS events_by_seq ON events (seq);
CREATE INDEX IF NOT EXISTS events_by_user ON events (user_id);
"""


@dataclass(frozen=True)
class Stored:
    """One entry, and what it was written for."""

    sequence: int
    entry: Entry
    model: str
    """Version of the model that served when it came."""
    made_by: Mapping[str, str]
    """image and text → fingerprint of the CLIP that made the vectors."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The same in every journal that the entry is taken over into."""


class Journal:
    """The journal of one run folder. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; one in a folder that is not to be written to can be read.

        Raises GraphRecError where it is no journal, or of a newer graphrec.
        """
        self.path = path
        is_open = os.access(path.parent, os.W_OK)
        where = f"{path.absolute().as_uri()}?{'' if is_open else _read_only(path)}"
        with _told(path):
            self._connection = sqlite3.connect(
                where, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False, uri=True
            )
            try:
                for pragma in _PRAGMAS if is_open else ():
                    self._connection.execute(f"PRAGMA {pragma}")
                (version,) = self._connection.execute("PRAGMA user_version").fetchone()
                if version > _FORMAT:
                    raise GraphRecError(f"{path} was written by a newer graphrec: upgrade graphrec.")
                if not version:
                    with self.transaction():
                        for statement in _SCHEMA.split(";"):
                            self._connection.execute(statement)
                        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside, or nothing; nobody else writes meanwhile."""
        with _told(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @property
    def last(self) -> int:
        """Number of the newest entry; 0 where there is none."""
        with _told(self.path):
            return int(self._connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0])

    def append(self, stored: Stored) -> Stored:
        """Inside a transaction: write an entry behind the others, and answer it with its number here."""
        number, now = self.last + 1, datetime.now(UTC).isoformat(timespec="milliseconds")
        kind = type(stored.entry).__name__.lower()
        row = (number, stored.id, kind, now, stored.model, json.dumps(dict(stored.made_by)))
        self._connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
        match stored.entry:
            case Arrived(arrival):
                rows = [(number, *one) for one in _item_rows(arrival)]
                self._connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
            case Removed(item_ids):
                self._connection.executemany(
                    "INSERT INTO removals VALUES (?, ?)", [(number, item_id) for item_id in item_ids]
                )
            case Happened() as happened:
                rows = [(number, *one) for one in _event_rows(happened)]
                self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return replace(stored, sequence=number)

    def after(self, sequence: int) -> list[Stored]:
        """The entries after this one, oldest first; what is written meanwhile is not among them, or is as a whole."""
        with _told(self.path):
            is_inside = self._connection.in_transaction
            if not is_inside:
                self._connection.execute("BEGIN")
            try:
                found = self._connection.execute(
                    "SELECT seq, id, kind, model, made_by FROM entries WHERE seq > ? ORDER BY seq", (sequence,)
                ).fetchall()
                return [self._read(*row) for row in found]
            finally:
                if not is_inside:
                    self._connection.execute("COMMIT")

    def known_events(self, happened: Happened) -> np.ndarray:
        """Boolean mask of the events with a time that are here already: same person, item, time, event type, site."""
        keys = list(_event_keys(happened))
        known: set[tuple[Any, ...]] = set()
        users = list(dict.fromkeys(happened.user_ids.tolist()))
        with _told(self.path):
            for start in range(0, len(users), 500):
                some = users[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(
                    f"SELECT user_id, item_id, timestamp, event, site FROM events WHERE user_id IN ({marks})", some
                )
                known.update(rows)
        return np.array([key[2] is not None and key in known for key in keys], dtype=bool)

    def take_over(self, other: Path, as_here: Callable[[Stored], Stored]) -> int:
        """Write the entries of another journal that are not here behind the own, as they are here; answers how many."""
        with self.transaction():
            here = {id_ for (id_,) in self._connection.execute("SELECT id FROM entries")}
            missing = [one for one in Journal(other).closing_after(0) if one.id not in here]
            for one in missing:
                self.append(as_here(one))
        return len(missing)

    def closing_after(self, sequence: int) -> list[Stored]:
        """`after`, and close."""
        try:
            return self.after(sequence)
        finally:
            self.close()

    def closing_copy(self, path: Path) -> None:
        """The whole journal as another file; closes it."""
        try:
            with _told(path), closing(sqlite3.connect(path)) as other:
                self._connection.backup(other)
        finally:
            self.close()

    def close(self) -> None:
        """Leaves one file, where nobody else has it open."""
        self._connection.close()

    def _read(self, number: int, id_: str, kind: str, model: str, made_by: str) -> Stored:
        try:
            return Stored(number, self._entry(number, kind), model, json.loads(made_by), id_)
        except (LookupError, TypeError, ValueError, AttributeError, SafetensorError) as error:
            raise GraphRecError(
                f"{self.path}: change {number} cannot be read ({type(error).__name__}), the file is damaged: put a "
                "copy back, or take it away to go on without any change since training."
            ) from None

    def _entry(self, number: int, kind: str) -> Entry:
        def rows(table: str, columns: str) -> list[tuple[Any, ...]]:
            query = f"SELECT {columns} FROM {table} WHERE seq = ? ORDER BY rowid"
            return self._connection.execute(query, (number,)).fetchall()

        if kind == "arrived":
            return Arrived(_arrival(rows("items", "item_id, card, vectors")))
        if kind == "removed":
            return Removed(tuple(item_id for (item_id,) in rows("removals", "item_id")))
        if kind == "happened":
            return _happened(rows("events", "user_id, item_id, weight, timestamp, event, site"))
        raise GraphRecError(f"{self.path} holds an entry of kind {kind!r}: upgrade graphrec.")


def _item_rows(arrival: Arrival) -> Iterator[tuple[str, str, bytes]]:
    cards, attributes = arrival.cards, arrival.cards.attributes
    for row, item_id in enumerate(cards.item_ids):
        number = {name: float(values[row]) for name, values in attributes.numeric.items()}
        card = {
            "title": cards.title[row],
            "text": cards.text[row],
            "image": cards.image[row],
            "site": cards.site[row],
            "categorical": {name: values[row] for name, values in attributes.categorical.items()},
            "multi_valued": {name: list(values[row]) for name, values in attributes.multi_valued.items()},
            "numeric": {name: None if np.isnan(value) else value for name, value in number.items()},
            "dims": {name: modality.num_features for name, modality in arrival.vectors.items()},
        }
        tensors = {f"x:{name}": one.x_IF[row] for name, one in arrival.vectors.items() if one.present_I[row]}
        tensors |= {f"signal:{name}": signal_NS[row] for name, signal_NS in arrival.signals.items()}
        yield str(item_id), json.dumps(card, ensure_ascii=False), save(tensors)


def _arrival(rows: Sequence[tuple[str, str, bytes]]) -> Arrival:
    cards = [json.loads(card) for _, card, _ in rows]
    tensors = [load(vectors) for _, _, vectors in rows]
    first = cards[0]
    vectors, signals = {}, {}
    for name, dim in first["dims"].items():
        present_N = np.array([f"x:{name}" in one for one in tensors], dtype=bool)
        nothing_F = np.zeros(dim, dtype=np.float32)
        vectors[name] = Modality(np.stack([one.get(f"x:{name}", nothing_F) for one in tensors]), present_N)
    for key in tensors[0]:
        if key.startswith("signal:"):
            signals[key.removeprefix("signal:")] = np.stack([one[key] for one in tensors])

    def column(pick: list[str]) -> np.ndarray:
        return np.array(pick, dtype=object)

    catalogue = Catalogue(
        item_ids=column([item_id for item_id, _, _ in rows]),
        title=column([one["title"] for one in cards]),
        text=column([one["text"] for one in cards]),
        image=column([one["image"] for one in cards]),
        image_root=None,
        site=column([one["site"] for one in cards]),
        attributes=Attributes(
            {name: column([one["categorical"][name] for one in cards]) for name in first["categorical"]},
            {name: [tuple(one["multi_valued"][name]) for one in cards] for name in first["multi_valued"]},
            {
                name: np.array([np.nan if one["numeric"][name] is None else one["numeric"][name] for one in cards])
                for name in first["numeric"]
            },
        ),
    )
    return Arrival(catalogue, vectors, signals)


def _event_keys(happened: Happened) -> Iterator[tuple[Any, ...]]:
    for user_id, item_id, _, timestamp, event, site in _event_rows(happened):
        yield user_id, item_id, timestamp, event, site


def _event_rows(happened: Happened) -> Iterator[tuple[Any, ...]]:
    times = [None if np.isnan(one) else one for one in happened.timestamp_E.tolist()]
    yield from zip(
        happened.user_ids.tolist(), happened.item_ids.tolist(), happened.weight_E.astype(np.float64).tolist(), times,
        happened.event_E.tolist(), happened.site_E.tolist(), strict=True,
    )  # fmt: skip


def _happened(rows: Sequence[tuple[Any, ...]]) -> Happened:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    text = [np.array(columns[place], dtype=object) for place in (0, 1, 4, 5)]
    time_E = np.array([np.nan if one is None else one for one in columns[3]], dtype=np.float64)
    return Happened(text[0], text[1], np.array(columns[2], dtype=np.float32), time_E, text[2], text[3])


def _read_only(path: Path) -> str:
    """Somebody who has it open may have written more than the file holds yet; otherwise nothing beside it is needed."""
    return "mode=ro" if path.with_name(JOURNAL_FILES[1]).exists() else "immutable=1"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite has against it, in one line."""
    try:
        yield
    except sqlite3.Error as error:
        busy = "locked" in str(error)
        advice = "another process is writing for long: try again" if busy else "make room, or put the file back"
        raise GraphRecError(f"{path} cannot be read or written ({error}): {advice}.") from None
