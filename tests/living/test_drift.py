"""What is counted since training, and when that is enough for another one."""

import numpy as np
import pytest
from living_worlds import NUM_ITEMS, fresh, own_vectors, record_of

from graphrec.living import drift as counting


@pytest.fixture
def model(make_world):
    return fresh(make_world())


def counts(model):
    drift = model.drift
    return (drift.items_added, drift.items_changed, drift.items_removed, drift.events, drift.users_added)


def test_a_run_that_nothing_happened_to_has_not_drifted(model):
    assert model.drift.to_json() == {
        "items_added": 0, "items_changed": 0, "items_removed": 0, "events": 0, "users_added": 0, "vectors_moved": 0,
        "why": "", "is_retrain_due": False,
    }  # fmt: skip


def test_what_happened_is_counted_once_and_as_it_is_in_the_end(model):
    model.add_items([record_of("n0"), record_of("n1"), record_of("n2")], own_vectors(["n0"]))
    assert counts(model) == (3, 0, 0, 0, 0)
    model.update_items([{"item_id": "n0", "price": "3"}, {"item_id": "i1", "price": "3"}])
    model.update_items([{"item_id": "i1", "price": "4"}])
    assert counts(model) == (3, 1, 0, 0, 0)  # one that was added counts as that
    model.remove_items(["n2", "i1", "i2"])
    assert counts(model) == (2, 0, 2, 0, 0)
    model.add_items([record_of("i2"), record_of("n2")])
    assert counts(model) == (3, 1, 1, 0, 0)
    model.add_events([{"user_id": user, "item_id": "n0"} for user in ("u1", "v1", "v2")])
    model.add_events([{"user_id": "v1", "item_id": "n0"}])
    assert counts(model) == (3, 1, 1, 4, 2)


def test_moved_vectors_are_those_that_are_searched_beside_the_index(model):
    model.add_items([record_of("n0")])
    assert model.drift.vectors_moved == 1
    model.add_events([{"user_id": "u7", "item_id": "n0"}])
    mine = model.live.state.seen.row(7)[0]
    assert model.drift.vectors_moved == len(mine)
    assert len(model.live.state.index.vectors_ID.rows) == len(mine)


def test_a_fifth_more_events_makes_a_training_due(model):
    trained_on = len(model.train_.interactions)
    enough = int(0.2 * trained_on)
    model.add_events([{"user_id": "u1", "item_id": "i1", "timestamp": place} for place in range(enough)])
    assert not model.drift.is_retrain_due
    model.add_events([{"user_id": "u1", "item_id": "i1", "timestamp": enough}])
    assert model.drift.is_retrain_due
    assert model.drift.why == f"{enough + 1:,} events came to the {trained_on:,} trained on"


def test_a_fifth_of_the_items_added_or_changed_makes_a_training_due(model):
    enough = int(0.2 * NUM_ITEMS)
    model.add_items([record_of(f"n{place}") for place in range(enough - 2)])
    model.update_items([{"item_id": f"i{place}", "price": "3"} for place in range(2)])
    assert model.drift.why == ""
    model.update_items([{"item_id": "i2", "price": "3"}])
    assert model.drift.why == f"{enough + 1} items were added or changed, of {NUM_ITEMS} trained on"
    model.remove_items(["i2"])
    assert model.drift.why == ""


def test_many_vectors_beside_the_index_make_a_training_due(model, monkeypatch):
    monkeypatch.setattr(counting, "_DUE_TOUCHED", 3)
    model.add_items([record_of(f"n{place}") for place in range(3)])
    assert model.drift.why == ""
    model.add_items([record_of("n3")])
    assert model.drift.why == "4 vectors are searched beside the index"


def test_counts_are_the_same_in_a_run_that_is_read_again(model, tmp_path):
    model.add_items([record_of("n0"), record_of("n1")])
    model.add_events([{"user_id": "v1", "item_id": "n0"}])
    model.remove_items(["n1", "i1"])
    again = type(model).load(model.save(tmp_path / "run"), "cpu")
    assert again.drift == model.drift
    np.testing.assert_array_equal(again.live.state.items.removed, model.live.state.items.removed)
