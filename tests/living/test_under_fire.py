"""Writers that are killed anywhere, and two at once: what was acknowledged is there, whole, in one order for all."""

import io
import multiprocessing
import shutil
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from living_worlds import NUM_ITEMS, fresh, own_vectors, record_of

from graphrec.errors import GraphRecError
from graphrec.live_run import LiveRun
from graphrec.living.entries import Arrived, Happened, Removed
from graphrec.living.journal import JOURNAL, Journal
from graphrec.recommender import Recommender

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["graphrec.workflow", "graphrec.live_run", "graphrec.cli", "graphrec.screen", "open_clip", "pytest"]
)
STEPS = 4
"""Changes of each round of a writer."""


def change(run, name, step):
    """The step-th change of this writer: several rows each, so that half of one could be seen."""
    number, kind = divmod(step, STEPS)
    ids = [f"{name}-{number}-{place}" for place in "abc"]
    if kind == 0:
        run.add_items([record_of(one) for one in ids], vectors=own_vectors(ids))
    elif kind == 1:
        run.add_events([{"user_id": f"{name} of {one}", "item_id": one, "timestamp": number} for one in [*ids, "i1"]])
    elif kind == 2:
        run.update_items([{"item_id": one, "price": str(number + 1)} for one in ids[:2]])
    else:
        run.remove_items(ids[1:])


def said(name, step):
    """What its entry has to say, whatever the others do."""
    number, kind = divmod(step, STEPS)
    ids = [f"{name}-{number}-{place}" for place in "abc"]
    if kind == 0:
        return "arrived", tuple(ids), None
    if kind == 1:
        return "happened", (*ids, "i1"), tuple(f"{name} of {one}" for one in [*ids, "i1"])
    return ("arrived", tuple(ids[:2]), float(number + 1)) if kind == 2 else ("removed", tuple(ids[1:]), None)


def read(entry, kind_of_step):
    match entry:
        case Arrived(arrival):
            prices = arrival.cards.attributes.numeric["price"]
            told = float(prices[0]) if kind_of_step == 2 else None
            assert kind_of_step != 2 or (prices == told).all()
            return "arrived", tuple(arrival.cards.item_ids), told
        case Removed(item_ids):
            return "removed", item_ids, None
        case Happened():
            return "happened", tuple(entry.item_ids), tuple(entry.user_ids)


def quiet():
    import torch

    torch.set_num_threads(1)
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()


def write_until_killed(folder, name, pipe):
    quiet()
    pipe.send("started")
    with LiveRun.open(folder, "cpu") as run:
        for step in range(10_000):
            change(run, name, step)
            pipe.send(step)


def killed_after(folder, name, seconds):
    """How many changes were acknowledged by a writer that lived so long."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=write_until_killed, args=(folder, name, there))
    process.start()
    there.close()
    assert here.recv() == "started"
    time.sleep(seconds)
    process.kill()
    process.join(60)
    assert process.exitcode == -9
    acknowledged = 0
    while here.poll():
        try:
            acknowledged = here.recv() + 1
        except EOFError:
            break
    return acknowledged


@pytest.fixture
def folder(make_world, tmp_path):
    """A run that nothing has happened to."""
    return fresh(make_world()).save(tmp_path / "run")


def entries_of(folder, name):
    """What is in the journal of this writer, in order."""
    found = []
    for stored in Journal(folder / JOURNAL).closing_after(0):
        ids = read(stored.entry, None)[1]
        if any(one.startswith(f"{name}-") for one in ids):
            found.append(read(stored.entry, len(found) % STEPS))
    return found


def assert_is_its_journal(folder, model, world):
    """The model is what taking in every entry makes of a run that nothing has happened to."""
    entries = [stored.entry for stored in Journal(folder / JOURNAL).closing_after(0)]
    state, replay = model.live.state, fresh(world).live.taking(entries).state
    assert state.items.item_ids.full().tolist() == replay.items.item_ids.full().tolist()
    assert state.users.names.full().tolist() == replay.users.names.full().tolist()
    np.testing.assert_array_equal(state.items.removed, replay.items.removed)
    np.testing.assert_array_equal(state.degree.full(), replay.degree.full())
    for mine, other in ((state.q, replay.q), (state.index.vectors_ID, replay.index.vectors_ID)):
        np.testing.assert_allclose(mine.full(), other.full(), rtol=1e-5, atol=1e-5)


def under_fire(folder, world, num_kills, longest):
    rng, num_acknowledged = np.random.default_rng(0), 0
    for number in range(num_kills):
        name = f"w{number}"
        acknowledged = killed_after(folder, name, rng.uniform(0, longest))
        found = entries_of(folder, name)
        assert acknowledged <= len(found) <= acknowledged + 1
        assert found == [said(name, step) for step in range(len(found))]
        with LiveRun.open(folder, "cpu") as run:  # the next one goes on as if nothing had been
            run.add_events([{"user_id": f"next-{number}", "item_id": "i2"}])
            assert_is_its_journal(folder, run.model, world)
        num_acknowledged += acknowledged
        if number % 5 == 4:  # or each would have to read what all others wrote
            (folder / JOURNAL).unlink()
    return num_acknowledged


def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(folder, make_world):
    assert under_fire(folder, make_world(), num_kills=20, longest=0.6) > 20  # they did get to work


@pytest.mark.slow
def test_a_hundred_writers_that_are_killed_lose_nothing_that_they_acknowledged(folder, make_world):
    assert under_fire(folder, make_world(), num_kills=100, longest=0.8) > 100


def write_beside_another(folder, name, num_steps, pipe):
    quiet()
    shared = []
    with LiveRun.open(folder, "cpu") as run:
        pipe.send("open")
        pipe.recv()
        for step in range(num_steps):
            change(run, name, step)
            with suppress(GraphRecError):  # who comes second is told that it is there
                run.add_items([record_of(f"shared{step}")], vectors=own_vectors([f"shared{step}"]))
                shared.append(step)
        pipe.send(shared)
        pipe.recv()
        run.refresh()
        state = run.model.live.state
        pipe.send(
            ([(one.sequence, one.id) for one in run.model.changes_.stored], state.items.item_ids.full().tolist(),
             state.index.vectors_ID.full())
        )  # fmt: skip


def test_two_writers_at_once_agree_on_one_order_and_lose_nothing(folder, make_world):
    num_steps, names = 24, ("left", "right")
    pipes = [SERVER.Pipe() for _ in names]
    processes = [
        SERVER.Process(target=write_beside_another, args=(folder, name, num_steps, there))
        for name, (_, there) in zip(names, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    heres = [here for here, _ in pipes]
    assert [here.recv() for here in heres] == ["open"] * 2
    for here in heres:
        here.send("go")
    num_read = 0
    with LiveRun.open(folder, "cpu") as reader:
        while not all(here.poll() for here in heres):
            reader.refresh()
            for model in (reader.model, Recommender.load(folder, "cpu")):  # one that stays, and one that comes
                found = model.recommend(["u3"], k=NUM_ITEMS)
                assert len(found)
                names_now = set(model.live.state.items.item_ids.full())
                for name in names:  # three rows of one change: all or none
                    assert all(
                        len({f"{name}-{number}-{place}" for place in "abc"} & names_now) in (0, 3)
                        for number in range(num_steps)
                    )
            num_read += 1
        taken = [here.recv() for here in heres]
        assert sorted(taken[0] + taken[1]) == list(range(num_steps))  # each shared item came from one of them
        for here in heres:
            here.send("finish")
        ends = [here.recv() for here in heres]
        reader.refresh()
        loaded = Recommender.load(folder, "cpu")
        order = [(one.sequence, one.id) for one in loaded.changes_.stored]
        assert [sequence for sequence, _ in order] == list(range(1, 3 * num_steps + 1))
        for seen, ids, vectors in ends:
            assert seen == order
            assert ids == loaded.live.state.items.item_ids.full().tolist()
            np.testing.assert_allclose(vectors, loaded.live.state.index.vectors_ID.full(), rtol=1e-5, atol=1e-5)
        for name in names:
            assert entries_of(folder, name) == [said(name, step) for step in range(num_steps)]
        assert_is_its_journal(folder, reader.model, make_world())
    assert num_read > 3
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_what_a_killed_writer_left_lying_does_not_stop_a_copy_of_the_run(folder, make_world, tmp_path):
    acknowledged = killed_after(folder, "w", 0.6)
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert len(entries_of(copied, "w")) >= acknowledged
    assert_is_its_journal(copied, Recommender.load(copied, "cpu"), make_world())
