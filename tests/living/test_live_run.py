"""One folder, several threads and whatever happens to the folder meanwhile."""

import shutil
import threading

import pytest
from living_worlds import NUM_ITEMS, fresh, own_vectors, record_of

from graphrec.errors import GraphRecError
from graphrec.live_run import LiveRun
from graphrec.living.journal import JOURNAL, Journal
from graphrec.recommender import Recommender


@pytest.fixture
def folder(make_world, tmp_path):
    return fresh(make_world()).save(tmp_path / "run")


def add(run, item_id):
    return run.add_items([record_of(item_id)], vectors=own_vectors([item_id]))


def ids_of(model):
    return model.live.state.items.item_ids.full().tolist()


def test_what_one_process_writes_another_has_at_its_next_look(folder):
    with LiveRun.open(folder, "cpu") as one, LiveRun.open(folder, "cpu") as other:
        assert not other.refresh()
        before = other.model
        assert add(one, "n0").sequence == 1
        assert ids_of(other.model) == ids_of(before)  # until it looks
        assert other.refresh()
        assert not other.refresh()
        assert ids_of(other.model)[-1] == "n0"
        assert other.remove_items(["n0"]).sequence == 2
        assert one.refresh()
        with pytest.raises(GraphRecError, match="was removed"):
            one.remove_items(["n0"])
    assert [path.name for path in folder.glob(f"{JOURNAL}*")] == [JOURNAL]


def test_numbers_run_on_across_processes_and_restarts(folder):
    with LiveRun.open(folder, "cpu") as run:
        assert [add(run, "n0").sequence, add(run, "n1").sequence] == [1, 2]
    with LiveRun.open(folder, "cpu") as run:
        assert run.sequence == 2
        assert add(run, "n2").sequence == 3
    assert ids_of(Recommender.load(folder, "cpu"))[NUM_ITEMS:] == ["n0", "n1", "n2"]


def test_an_event_with_a_time_counts_once_whoever_sends_it(folder):
    event = {"user_id": "u3", "item_id": "i20", "timestamp": "2024-05-01T10:00:00"}
    with LiveRun.open(folder, "cpu") as one, LiveRun.open(folder, "cpu") as other:
        assert one.add_events([event]).ids == ("i20",)
        again = other.add_events([event, event | {"user_id": "u4"}])
        assert list(again.set_aside.left_out.values()) == [1]
        assert again.drift.events == 2
        whole = one.add_events([event])
        assert (whole.ids, whole.sequence) == ((), 2)  # nothing was written
        assert one.add_events([{"user_id": "u3", "item_id": "i20"}] * 2).drift.events == 3
    assert len(Journal(folder / JOURNAL).closing_after(0)) == 3


def test_a_mistake_writes_nothing(folder):
    with LiveRun.open(folder, "cpu") as run:
        before = run.model
        for mistake in (
            lambda: run.add_items([record_of("i1")]),
            lambda: run.update_items([{"item_id": "no-such", "title": "x"}]),
            lambda: run.remove_items(["i1", "no-such"]),
            lambda: run.remove_items("i1"),
            lambda: run.remove_items([7]),
            lambda: run.add_events([{"user_id": "u1", "item_id": "no-such"}]),
            lambda: run.add_items([record_of("n1")], vectors={"other": own_vectors(["n1"])["style"]}),
        ):
            with pytest.raises(GraphRecError) as caught:
                mistake()
            assert "\n" not in str(caught.value)
        assert run.model is before
        assert run.sequence == 0
    assert Journal(folder / JOURNAL).closing_after(0) == []


def test_of_threads_that_add_one_item_one_does(folder):
    with LiveRun.open(folder, "cpu") as run:
        barrier, outcomes = threading.Barrier(4), []

        def work():
            for number in range(6):
                barrier.wait()
                try:
                    outcomes.append((number, add(run, f"n{number}").sequence))
                except GraphRecError:
                    outcomes.append((number, None))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = sorted(one for one in outcomes if one[1] is not None)
        assert [number for number, _ in done] == list(range(6))
        assert ids_of(run.model)[NUM_ITEMS:] == [f"n{number}" for number in range(6)]
    assert len(Journal(folder / JOURNAL).closing_after(0)) == 6


def test_what_changed_between_reading_and_writing_is_read_again(folder, monkeypatch):
    """Another thread adds the same item while this one has read it and not written it yet."""
    with LiveRun.open(folder, "cpu") as run:
        live, others = type(run.model.live), [lambda: add(run, "n0")]
        read_added = live.read_added

        def slowly(self, source, vectors, root, site, progress):
            answer = read_added(self, source, vectors, root, site, progress)
            while others:
                others.pop()()
            return answer

        monkeypatch.setattr(live, "read_added", slowly)
        with pytest.raises(GraphRecError, match="in the catalogue already"):
            add(run, "n0")
    assert len(Journal(folder / JOURNAL).closing_after(0)) == 1


def test_threads_that_read_and_look_are_never_disturbed_by_one_that_writes(folder):
    with LiveRun.open(folder, "cpu") as run:
        stop, errors, num_answers = threading.Event(), [], [0, 0]

        def work(place):
            while not stop.is_set():
                try:
                    run.refresh()
                    model = run.model
                    assert len(model.recommend(["u3"], k=5)) == 5
                    num_answers[place] += 1
                except Exception as error:
                    errors.append(error)
                    return

        threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
        for thread in threads:
            thread.start()
        for number in range(12):
            add(run, f"n{number}")
            run.add_events([{"user_id": f"v{number}", "item_id": f"n{number}"}])
            if number == 5:
                Recommender.load(folder, "cpu").save(folder)  # a run takes its place
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert min(num_answers) > 0
    assert ids_of(Recommender.load(folder, "cpu"))[NUM_ITEMS:] == [f"n{number}" for number in range(12)]


def test_a_run_that_is_replaced_is_followed_and_written_to(folder, make_world):
    with LiveRun.open(folder, "cpu") as run:
        add(run, "n0")
        old = run.version
        fresh(make_world(1, False, raw_dim=3)).save(folder)
        assert run.refresh()
        assert run.version != old
        assert ids_of(run.model)[NUM_ITEMS:] == ["n0"]
        assert add(run, "n1").sequence == 2
    assert ids_of(Recommender.load(folder, "cpu"))[NUM_ITEMS:] == ["n0", "n1"]


def test_a_write_goes_to_the_run_that_took_the_place_also_without_a_look(folder, make_world):
    with LiveRun.open(folder, "cpu") as run:
        add(run, "n0")
        new = fresh(make_world(1, False, raw_dim=3))
        new.save(folder)
        assert add(run, "n1").sequence == 2
        assert run.version == new.version
    found = Journal(folder / JOURNAL).closing_after(0)
    assert [stored.model for stored in found][1] == new.version
    assert ids_of(Recommender.load(folder, "cpu"))[NUM_ITEMS:] == ["n0", "n1"]


def test_a_run_that_is_gone_is_not_written_to_and_goes_on_answering(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, "n0")
        shutil.rmtree(folder)
        assert not run.refresh()
        assert ids_of(run.model)[-1] == "n0"
        with pytest.raises(GraphRecError, match="There is no run at"):
            add(run, "n1")
        assert ids_of(run.model)[-1] == "n0"


def test_a_run_that_was_damaged_is_not_written_to(folder, make_world):
    with LiveRun.open(folder, "cpu") as run:
        fresh(make_world(1, False, raw_dim=3)).save(folder)
        (folder / "served.npy").write_bytes(b"")
        assert not run.refresh()
        with pytest.raises(GraphRecError, match="was changed after it was written"):
            add(run, "n1")
        assert len(run.model.recommend(["u3"], k=3)) == 3


def test_a_replacement_that_was_killed_half_way_is_put_right_by_the_next_write(folder):
    with LiveRun.open(folder, "cpu") as run:
        folder.rename(folder.with_name(f".{folder.name}.previous"))  # killed between its two renames
        done = threading.Thread(target=lambda: add(run, "n0"), daemon=True)
        done.start()
        done.join(30)
        assert not done.is_alive()
    assert ids_of(Recommender.load(folder, "cpu"))[-1] == "n0"


def test_a_journal_that_cannot_be_read_is_one_line(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, "n0")
    (folder / JOURNAL).write_bytes(b"torn" * 2000)
    for load in (Recommender.load, LiveRun.open):
        with pytest.raises(GraphRecError) as caught:
            load(folder, "cpu")
        assert str(folder / JOURNAL) in str(caught.value)
        assert "\n" not in str(caught.value)
