"""The file that changes are written to: what goes in comes out bit for bit, and whatever is wrong is one line."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality
from graphrec.living.arrival import Arrival
from graphrec.living.entries import Arrived, Happened, Removed
from graphrec.living.journal import JOURNAL, Journal, Stored

STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NUMBERS = st.one_of(st.just(np.nan), st.floats(allow_nan=False, allow_infinity=False))
TIMES = NUMBERS.map(lambda number: number + 0.0)  # there is no time of minus zero


def column(values):
    return np.array([*values, None], dtype=object)[:-1]


@st.composite
def arrivals(draw):
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    count, rng = len(ids), np.random.default_rng(draw(st.integers(0, 999)))

    def strings():
        return column(draw(st.lists(STRINGS, min_size=count, max_size=count)))

    def modality(width):
        present_N = rng.random(count) < 0.6
        x_NF = rng.normal(size=(count, width)).astype(np.float32) * 10.0 ** rng.integers(-30, 30)
        return Modality(np.where(present_N[:, None], x_NF, 0).astype(np.float32), present_N)

    names = draw(st.lists(st.sampled_from(["image", "text", "stýle"]), unique=True))
    signal_NS = rng.normal(size=(count, 3)).astype(np.float32)
    signal_NS[rng.random(signal_NS.shape) < 0.3] = np.nan
    lists = draw(st.lists(st.lists(STRINGS, max_size=3).map(tuple), min_size=count, max_size=count))
    numbers = np.array(draw(st.lists(NUMBERS, min_size=count, max_size=count)))
    return Arrival(
        Catalogue(
            item_ids=column(ids), title=strings(), text=strings(), image=strings(), image_root=None, site=strings(),
            attributes=Attributes({"kind": strings()}, {"tags": lists}, {"price": numbers}),
        ),
        {name: modality(int(rng.integers(1, 5))) for name in names},
        {"image": signal_NS} if draw(st.booleans()) else {},
    )  # fmt: skip


@st.composite
def happenings(draw):
    count = draw(st.integers(0, 5))

    def some(of):
        return draw(st.lists(of, min_size=count, max_size=count))

    weights = np.array(some(st.floats(2.0**-20, 2.0**20, width=32)), dtype=np.float32)
    times = np.array(some(TIMES), dtype=np.float64)
    return Happened(column(some(IDS)), column(some(IDS)), weights, times, column(some(STRINGS)), column(some(STRINGS)))


ENTRIES = st.one_of(arrivals().map(Arrived), st.lists(IDS, max_size=4).map(tuple).map(Removed), happenings())


def plain(entry):
    """Everything an entry holds, floats as their bits."""
    match entry:
        case Arrived(arrival):
            cards, attributes = arrival.cards, arrival.cards.attributes
            texts = [cards.item_ids, cards.title, cards.text, cards.image, cards.site, *attributes.categorical.values()]
            return (
                [one.tolist() for one in texts],
                [*attributes.names, *map(list, attributes.multi_valued.values())],
                [one.tobytes() for one in attributes.numeric.values()],
                [
                    (name, one.x_IF.tobytes(), one.x_IF.dtype, one.present_I.tolist())
                    for name, one in arrival.vectors.items()
                ],
                [(name, one.tobytes(), one.dtype) for name, one in arrival.signals.items()],
            )
        case Removed(item_ids):
            return item_ids
        case Happened():
            names = (entry.user_ids, entry.item_ids, entry.event_E, entry.site_E)
            numbers = (entry.weight_E, entry.timestamp_E)
            return [one.tolist() for one in names], [(one.tobytes(), one.dtype) for one in numbers]


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=4))
def test_every_entry_comes_back_bit_for_bit(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("journal") / JOURNAL
    stored = [Stored(0, entry, f"m{place}", {"image": "f√"}) for place, entry in enumerate(entries)]
    journal = Journal(path)
    for one in stored:
        with journal.transaction():
            journal.append(one)
    journal.close()
    assert [one.name for one in path.parent.iterdir()] == [JOURNAL]
    found = Journal(path).closing_after(0)
    assert [one.sequence for one in found] == list(range(1, len(entries) + 1))
    for one, other in zip(stored, found, strict=True):
        assert (one.id, one.model, dict(one.made_by)) == (other.id, other.model, dict(other.made_by))
        assert plain(one.entry) == plain(other.entry)


def test_numbers_that_are_no_numbers_stay_so(tmp_path):
    nothing = column([""])
    attributes = Attributes(numeric={"price": np.array([np.nan])})
    cards = Catalogue(column(["a"]), nothing, nothing, nothing, None, nothing, attributes)
    happened = Happened(column(["u"]), column(["a"]), np.ones(1, np.float32), np.array([np.nan]), nothing, nothing)
    journal = Journal(tmp_path / JOURNAL)
    with journal.transaction():
        journal.append(Stored(0, Arrived(Arrival(cards, {})), "m", {}))
        journal.append(Stored(0, happened, "m", {}))
    arrived, events = (one.entry for one in journal.closing_after(0))
    assert np.isnan(arrived.arrival.cards.attributes.numeric["price"]).all()
    assert np.isnan(events.timestamp_E).all()


def some_events(count, user="u"):
    none = np.full(count, "", dtype=object)
    ids = column([f"{user}{place}" for place in range(count)])
    return Happened(ids, ids, np.ones(count, np.float32), np.arange(count, dtype=np.float64), none, none)


def written(path, count=3, rows=5):
    journal = Journal(path)
    for place in range(count):
        with journal.transaction():
            journal.append(Stored(0, some_events(rows, f"u{place}-"), "m", {}))
    journal.close()


def refused(path):
    with pytest.raises(GraphRecError) as caught:
        Journal(path).closing_after(0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"no journal at all" * 99, b"SQLite format 3\x00" + b"\xff" * 900, b"\x00" * 4096])
def test_what_is_no_journal_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / JOURNAL
    path.write_bytes(content)
    refused(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_that_was_cut_off_is_refused_in_one_line(tmp_path, kept):
    path = tmp_path / JOURNAL
    written(path, rows=400)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    refused(path)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("items", "card = '{\"title\": '"),
        ("items", "card = '[]'"),
        ("items", "card = '{}'"),
        ("items", "vectors = x'00ff'"),
        ("items", "card = NULL"),
        ("entries", "kind = 'exploded'"),
        ("entries", "made_by = 'no json'"),
    ],
)
def test_a_damaged_row_is_refused_in_one_line(tmp_path, table, change):
    path, nothing = tmp_path / JOURNAL, column([""])
    cards = Catalogue(column(["a"]), nothing, nothing, nothing, None, nothing, Attributes())
    journal = Journal(path)
    with journal.transaction():
        journal.append(Stored(0, Arrived(Arrival(cards, {})), "m", {}))
    journal.close()
    with sqlite3.connect(path) as connection:
        columns = "CREATE TABLE loose AS SELECT * FROM items; DROP TABLE items; ALTER TABLE loose RENAME TO items"
        connection.executescript(columns)  # without its constraints
        connection.execute(f"UPDATE {table} SET {change}")
    connection.close()
    refused(path)


def test_a_journal_of_a_newer_graphrec_is_refused(tmp_path):
    path = tmp_path / JOURNAL
    written(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "upgrade graphrec" in refused(path)


def test_a_folder_in_the_way_is_refused_in_one_line(tmp_path):
    (tmp_path / JOURNAL).mkdir()
    refused(tmp_path / JOURNAL)


def test_what_is_not_finished_is_not_there(tmp_path):
    path = tmp_path / JOURNAL
    written(path, count=1)
    journal = Journal(path)

    def fail():
        with journal.transaction():
            journal.append(Stored(0, some_events(3), "m", {}))
            assert Journal(path).closing_after(0)[-1].sequence == 1  # nobody else sees it before it is whole
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert journal.last == 1
    with journal.transaction():
        assert journal.append(Stored(0, some_events(2), "m", {})).sequence == 2
    assert [len(one.entry) for one in journal.closing_after(0)] == [5, 2]


def test_only_what_comes_after_is_read(tmp_path):
    path = tmp_path / JOURNAL
    written(path, count=4)
    assert [one.sequence for one in Journal(path).closing_after(2)] == [3, 4]


def test_an_event_is_known_by_person_item_time_type_and_site(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    one = column(["x"])
    event = Happened(column(["u"]), column(["a"]), np.ones(1, np.float32), np.array([5.0]), one, one)
    untimed = Happened(column(["u"]), column(["b"]), np.ones(1, np.float32), np.array([np.nan]), one, one)
    with journal.transaction():
        journal.append(Stored(0, event, "m", {}))
        journal.append(Stored(0, untimed, "m", {}))
    asked = Happened(
        column(["u", "u", "u", "v", "u", "u", "u"]), column(["a", "a", "b", "a", "b", "a", "a"]),
        np.full(7, 2, np.float32), np.array([5.0, 6.0, np.nan, 5.0, 5.0, 5.0, 5.0]),
        column(["x", "x", "x", "x", "x", "y", "x"]), column(["x", "x", "x", "x", "x", "x", "z"]),
    )  # fmt: skip
    assert journal.known_events(asked).tolist() == [True, False, False, False, False, False, False]
    journal.close()


def test_many_people_are_asked_for_at_once(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    with journal.transaction():
        journal.append(Stored(0, some_events(1_700), "m", {}))
    assert journal.known_events(some_events(1_800)).tolist() == [True] * 1_700 + [False] * 100
    journal.close()


def test_entries_are_taken_over_once_and_behind_the_own(tmp_path):
    one, other = tmp_path / "one.sqlite", tmp_path / "other.sqlite"
    written(one, count=3)
    written(other, count=2)
    ids = [stored.id for path in (other, one) for stored in Journal(path).closing_after(0)]
    journal = Journal(other)
    assert journal.take_over(one, lambda stored: stored) == 3
    assert journal.take_over(one, lambda stored: stored) == 0
    found = journal.closing_after(0)
    assert [stored.id for stored in found] == ids
    assert [stored.sequence for stored in found] == [1, 2, 3, 4, 5]


ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from graphrec.errors import GraphRecError
from graphrec.living.entries import Happened
from graphrec.living.journal import Journal, Stored
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
ids = np.array([f"user {place:060}" for place in range(200)], dtype=object)
events = Happened(ids, ids, np.ones(200, np.float32), np.full(200, np.nan), ids, ids)
done = 0
try:
    while True:
        with journal.transaction():
            journal.append(Stored(0, events, "m", {}))
        done += 1
except GraphRecError as error:
    print(done, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with journal.transaction():
    journal.append(Stored(0, events, "m", {}))
print(done + 1)
"""


@pytest.mark.parametrize(("size", "fewest"), [(100_000, 0), (600_000, 2)])
def test_a_full_disk_keeps_what_was_acknowledged_and_says_so_in_one_line(tmp_path, size, fewest):
    path = tmp_path / JOURNAL
    answer = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(path), str(size)], capture_output=True, text=True, check=True
    )
    told, last = answer.stdout.splitlines()
    done, _, message = told.partition(" ")
    assert int(done) >= fewest
    assert message.startswith(f"{path} cannot be read or written (")
    assert int(last) == int(done) + 1  # and with room again it goes on
    found = Journal(path).closing_after(0)
    assert [(one.sequence, len(one.entry)) for one in found] == [(place, 200) for place in range(1, int(last) + 1)]


AS_A_STRANGER = """
import os, sys
from pathlib import Path
from graphrec.living.journal import Journal
os.setgid(65534); os.setuid(65534)
print(len(Journal(Path(sys.argv[1])).closing_after(0)))
"""


@pytest.fixture
def folder_for_all():
    """Where others may look, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
@pytest.mark.parametrize("is_open", [False, True])
def test_who_may_not_write_reads_all_that_was_acknowledged(folder_for_all, is_open):
    path = folder_for_all / JOURNAL
    written(path, count=2)
    journal = Journal(path)
    if is_open:  # what it writes is beside the file for now
        with journal.transaction():
            journal.append(Stored(0, some_events(2), "m", {}))
        assert path.with_name(f"{JOURNAL}-wal").stat().st_size > 0
    else:
        journal.close()
    answer = subprocess.run(
        [sys.executable, "-c", AS_A_STRANGER, str(path)], capture_output=True, text=True, check=False
    )
    journal.close()
    assert answer.stdout == f"{3 if is_open else 2}\n", answer.stderr[-300:]
