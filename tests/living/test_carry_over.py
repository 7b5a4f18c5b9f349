"""What becomes of changes when another run takes the place of the one that they happened to."""

import json
from dataclasses import replace

import numpy as np
import pytest
from living_worlds import NUM_ITEMS, NUM_USERS, catalogue_of, dataset_of_two, fresh, own_vectors, record_of, world_of

from graphrec.data.catalogue import stacked
from graphrec.data.interactions import Interactions
from graphrec.forgetting.folder import forget_in_folder, traces_in_run
from graphrec.live_run import LiveRun
from graphrec.living.journal import JOURNAL, Journal
from graphrec.recommender import Recommender


@pytest.fixture
def folder(make_world, tmp_path):
    return fresh(make_world()).save(tmp_path / "run")


def add(run, ids, price="5"):
    run.add_items([record_of(one) | {"price": price} for one in ids], vectors=own_vectors(ids))


def events(pairs):
    return [{"user_id": user, "item_id": item} for user, item in pairs]


def state_of(model):
    return model.live.state


def degree(model, item_id):
    state = state_of(model)
    return int(state.degree[state.items.id_index.indices([item_id])][0])


def price(model, item_id):
    state = state_of(model)
    return float(state.items.card(int(state.items.id_index.indices([item_id])[0])).attributes.numeric["price"][0])


def removed(model):
    state = state_of(model)
    return {state.items.item_ids[one] for one in state.items.removed}


def later_world():
    """A training on the same catalogue that came out otherwise: another version."""
    return fresh(world_of(1, False, raw_dim=3))


def with_items_and_pairs(records, pairs):
    """What the next training's data hold: these items and pairs as well; of people who may be new."""
    data = dataset_of_two(False)
    catalogue = stacked([data.catalogue, catalogue_of(records)], np.arange(NUM_ITEMS + len(records)))
    users = list(dict.fromkeys([*data.user_ids, *(user for user, _ in pairs)]))
    more = Interactions.from_pairs(
        [users.index(user) for user, _ in pairs], catalogue.id_index.get_indexer([item for _, item in pairs]),
        len(users), len(catalogue),
    )  # fmt: skip
    names = ("user_index_E", "item_index_E", "weight_E", "timestamp_E", "site_index_E")
    joined = [np.concatenate([getattr(one, name) for one in (data.interactions, more)]) for name in names]
    return replace(
        data, catalogue=catalogue, user_ids=np.array(users, dtype=object),
        interactions=Interactions(len(users), len(catalogue), *joined), own_vectors=own_vectors(catalogue.item_ids),
    )  # fmt: skip


def trained_on(data):
    """A recommender of these data, with made-up choices."""
    return fresh(world_of(1, False, data=data))


def test_what_training_did_not_see_comes_over_and_nothing_counts_twice(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0", "n1"], price="5")
        run.add_events(events([("u1", "n0"), ("v0", "n0"), ("v0", "n1"), ("v0", "i20"), ("u1", "i20")]))
        run.update_items([{"item_id": "n0", "price": "6"}, {"item_id": "n1", "price": "7"}])
        run.remove_items(["i3"])
    # The next training's data have n0 as well, at another price, and half of what was done.
    data = with_items_and_pairs([record_of("n0") | {"price": "9"}], [("u1", "n0"), ("v0", "i20")])
    said = []
    trained_on(data).save(folder, said.append)
    assert len(said) == 1
    assert said[0].startswith("4 changes since the training before were taken over")
    model = Recommender.load(folder, "cpu")
    assert state_of(model).items.item_ids.full().tolist()[NUM_ITEMS:] == ["n0", "n1"]
    assert (price(model, "n0"), price(model, "n1")) == (9.0, 7.0)
    assert (degree(model, "n0"), degree(model, "n1"), degree(model, "i20")) == (2, 1, 2)
    assert removed(model) == {"i3"}
    weights = state_of(model).seen.take(state_of(model).users.indices(["u1", "v0"]))
    columns = state_of(model).items.id_index.indices(["n0", "n1", "i20"])
    assert weights[:, columns].toarray().tolist() == [[1, 0, 1], [1, 1, 1]]
    assert model.drift.events == 3


def test_saving_again_and_again_takes_nothing_over_twice(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"])
        run.add_events(events([("u1", "n0"), ("v0", "n0")]))
    for _ in range(3):
        Recommender.load(folder, "cpu").save(folder)
    model = Recommender.load(folder, "cpu")
    model.add_events(events([("v1", "n0")]))  # in memory
    for _ in range(3):
        model.save(folder)
    assert [len(stored.entry) for stored in Journal(folder / JOURNAL).closing_after(1)] == [2, 1]
    assert degree(Recommender.load(folder, "cpu"), "n0") == 3


def test_what_another_process_wrote_meanwhile_stays(folder):
    model = Recommender.load(folder, "cpu")
    model.add_events(events([("u1", "i20")]))
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"])
    model.save(folder)
    loaded = Recommender.load(folder, "cpu")
    assert (degree(loaded, "i20"), degree(loaded, "n0")) == (1, 0)


def test_an_item_that_came_back_stays_back_in_the_next_run(folder):
    with LiveRun.open(folder, "cpu") as run:
        run.remove_items(["i3", "i4"])
        add(run, ["i3"], price="77")
    later_world().save(folder)
    model = Recommender.load(folder, "cpu")
    assert removed(model) == {"i4"}
    assert price(model, "i3") != 77  # the training data have it: their row counts
    assert "i3" in set(model.recommend(["u7"], k=NUM_ITEMS, exclude_seen=False)["item_id"])


def test_items_that_the_next_training_lacks_altogether_leave_nothing_half(folder):
    """An item added, touched, removed, and people who did nothing else."""
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"])
        run.add_events(events([("v0", "n0")]))
        run.remove_items(["n0"])
    later_world().save(folder)
    model = Recommender.load(folder, "cpu")
    assert removed(model) == {"n0"}
    assert len(model.recommend(["v0"], k=5)) == 5


def test_a_visit_here_is_not_taken_for_what_was_done_elsewhere(make_world, tmp_path):
    """Somebody who knows a product from another site, and then touches it here."""
    first = fresh(make_world(1, True))
    seen, own = first.view.matrix_UI.tocoo(), first.view.own_UI
    user, item = next((u, i) for u, i in zip(seen.row, seen.col, strict=True) if own[u, i] == 0 and i < 8)
    folder = first.save(tmp_path / "run")
    with LiveRun.open(folder, "cpu") as run:
        before = degree(run.model, f"i{item}")
        run.add_events(events([(f"u{user}", f"i{item}")]))
        assert degree(run.model, f"i{item}") == before + 1
    fresh(world_of(1, True, raw_dim=3)).save(folder)
    assert degree(Recommender.load(folder, "cpu"), f"i{item}") == before + 1


def test_changes_of_another_dataset_are_kept_aside_and_said(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"])
    stored = [one.id for one in Journal(folder / JOURNAL).closing_after(0)]
    other = trained_on(replace(dataset_of_two(False), name="another"))
    said = []
    other.save(folder, said.append)
    (kept,) = [path for path in folder.parent.iterdir() if path != folder]
    assert said == [f"Changes of the run of another dataset that was here are kept: {kept}."]
    assert [one.id for one in Journal(kept).closing_after(0)] == stored
    assert not (folder / JOURNAL).exists()
    assert len(state_of(Recommender.load(folder, "cpu")).items) == NUM_ITEMS


def test_what_was_made_by_another_clip_is_absent_and_the_rest_works(folder, monkeypatch):
    with LiveRun.open(folder, "cpu") as run:
        monkeypatch.setattr(Recommender, "made_by", {"style": "one"})
        add(run, ["n0"])
    later = later_world()
    monkeypatch.setattr(Recommender, "made_by", {"style": "another"})
    later.save(folder)
    model = Recommender.load(folder, "cpu")
    item = state_of(model).items.id_index.indices(["n0"])
    x_1F, present_1 = model.live.vectors.take("style", item)
    assert (present_1.tolist(), x_1F.any()) == ([False], False)
    assert price(model, "n0") == 5
    assert "n0" in set(model.recommend(["u7"], k=NUM_ITEMS + 1)["item_id"])
    bare = later_world()
    bare.add_items([record_of("n0") | {"price": "5"}])  # without a vector
    np.testing.assert_allclose(
        state_of(model).index.vectors_ID[item], state_of(bare).index.vectors_ID[item], rtol=1e-5, atol=1e-5
    )


def test_forgetting_reaches_changes_and_leaves_those_of_others(folder):
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"], price="5")
        run.update_items([{"item_id": "i1", "price": "1234"}])
        run.add_events(events([("somebody-new", "n0"), ("u1", "n0"), ("u2", "n0"), ("u7", "n0"), ("u7", "n0")]))
        mine = int(run.model.live.state.seen.row(1)[0][0])
        run.add_events([{"user_id": "u1", "item_id": f"i{mine}", "weight": "5"}])  # again what training knows
        weight = float(run.model.live.state.seen.take(np.array([1]))[0, mine])
    forget_in_folder(folder, ["somebody-new", "u2"], device="cpu")
    assert traces_in_run(folder, ["somebody-new"]) == []
    model = Recommender.load(folder, "cpu")
    assert set(model.changes_.user_ids) == {"u1", "u7"}
    assert degree(model, "n0") == 2
    assert price(model, "i1") == 1234  # nothing was trained on newer data: what was changed stays
    user = state_of(model).users.indices(["u1"])
    assert float(state_of(model).seen.take(user)[0, mine]) == weight
    assert "u2" not in set(state_of(model).users.names.full())
    assert len(state_of(model).users) == NUM_USERS - 1


def test_who_is_in_changes_alone_can_be_forgotten(folder):
    with LiveRun.open(folder, "cpu") as run:
        run.add_events(events([("somebody-new", "i20")]))
        forgotten = forget_in_folder(folder, ["somebody-new"], device="cpu")
        assert (forgotten.people, forgotten.events) == (1, 1)
        assert run.refresh()
        assert degree(run.model, "i20") == 0
        run.add_events(events([("u7", "i20")]))
        assert degree(run.model, "i20") == 1
    assert set(Recommender.load(folder, "cpu").changes_.user_ids) == {"u7"}
    assert b"somebody-new" not in (folder / JOURNAL).read_bytes()


def test_the_journal_is_not_in_the_manifest_and_the_rest_is_untouched(folder):
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with LiveRun.open(folder, "cpu") as run:
        add(run, ["n0"])
    now = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert set(now) - set(before) == {JOURNAL}
    assert all(now[name] == content for name, content in before.items())
    assert JOURNAL not in json.loads(before["manifest.json"])["files"]


def test_who_is_forgotten_leaves_what_was_written_meanwhile_too(run_copy, small_store):
    """Entries that came between the reading of a run and its saving are the journal's alone."""
    model = Recommender.load(run_copy, "cpu")
    gone, stays = (str(one) for one in model.train_.user_ids[:2])
    items = [str(one) for one in model.train_.catalogue.item_ids[:2]]
    with LiveRun.open(run_copy, "cpu") as live:
        live.add_events([{"user_id": user, "item_id": items[0]} for user in (gone, stays, "newcomer")])
        live.update_items([{"item_id": items[1], "title": "Changed meanwhile"}])
    model.forget_users([gone])
    model.save(run_copy)
    after = Recommender.load(run_copy, "cpu")
    assert after.changes_.user_ids == {stays, "newcomer"}
    assert after.live.state.items.title[1] == "Changed meanwhile"
