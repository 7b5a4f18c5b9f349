"""Which vectors belong together: a run keeps its version while it lives, and takes in none of another CLIP."""

import json

import numpy as np
import pytest
from living_worlds import NUM_ITEMS, fresh, own_vectors, record_of, world_of

from graphrec.artifact import read_manifest
from graphrec.errors import GraphRecError
from graphrec.features.content_encoder import ContentEncoder
from graphrec.live_run import LiveRun
from graphrec.recommender import Recommender
from graphrec.workflow import export_run


def test_changes_leave_the_version_and_a_training_does_not(make_world, tmp_path):
    folder = fresh(make_world()).save(tmp_path / "run")
    with LiveRun.open(folder, "cpu") as run:
        version = run.version
        run.add_items([record_of("n0")], vectors=own_vectors(["n0"]))
        run.add_events([{"user_id": "v", "item_id": "n0"}, {"user_id": "u1", "item_id": "i20"}])
        run.update_items([{"item_id": "i1", "price": "3"}])
        run.remove_items(["i2"])
        assert run.version == version
    assert Recommender.load(folder, "cpu").version == version
    assert fresh(world_of(1, False, raw_dim=3)).version != version


def test_an_export_of_a_living_run_is_of_its_version_and_of_its_items_now(make_world, tmp_path):
    model = fresh(make_world())
    before = read_export(model, tmp_path / "before")
    model.add_items([record_of("n0"), record_of("n1")], own_vectors(["n0"]))
    model.add_events([{"user_id": "v", "item_id": "n0"}])
    model.remove_items(["i2", "n1"])
    now = read_export(model, tmp_path / "now")
    assert now["version"] == before["version"] == model.version
    expected = [one for one in before["ids"] if one != "i2"] + ["n0"]
    assert now["ids"] == expected
    state = model.live.state
    items = state.items.indices(expected, "")
    np.testing.assert_array_equal(now["vectors"], state.index.vectors_ID[items])
    users = model.embeddings("user")
    assert users.ids[-1] == "v"
    rows = dict(zip(users.ids, users.vectors, strict=True))
    found = model.recommend(["v"], k=NUM_ITEMS, exclude_seen=False).set_index("item_id")["score"]
    scores = dict(zip(expected, now["vectors"].astype(np.float64) @ rows["v"].astype(np.float64), strict=True))
    np.testing.assert_allclose(found, [scores[one] for one in found.index], rtol=1e-5, atol=1e-5)


def read_export(model, out):
    export_run(model, "npy", out)
    vectors = model.embeddings("item")
    manifest = read_manifest(out, kind="export")
    return {
        "version": manifest.about["model_version"],
        "ids": vectors.ids.tolist(),
        "vectors": np.load(out / "items.npy"),
    }


@pytest.fixture
def another_clip(monkeypatch):
    """The small CLIP under its own name, with other weights as far as a fingerprint tells."""
    facts = ContentEncoder.facts.fget

    def changed(encoder):
        found = facts(encoder)
        return found.model_copy(update={"image": "0" * len(found.image), "text": "0" * len(found.text)})

    monkeypatch.setattr(ContentEncoder, "facts", property(changed))


@pytest.mark.parametrize("call", ["add_items", "update_items"])
def test_a_clip_of_the_same_name_with_other_weights_is_refused(run_copy, another_clip, call):
    with LiveRun.open(run_copy, "cpu") as run:
        item_id = run.model.train_.catalogue.item_ids[0] if call == "update_items" else "n0"
        with pytest.raises(GraphRecError, match="is not the one that made this run's vectors") as caught:
            getattr(run, call)([{"item_id": item_id, "title": "red shoe"}])
        assert "\n" not in str(caught.value)
        assert run.sequence == 0
        ids = run.model.train_.catalogue.item_ids
        run.remove_items([ids[1]])  # what needs no CLIP goes on
        before = run.model.live.vectors.take("image", np.array([0]))[0]
        run.update_items([{"item_id": ids[0], "price": "3"}])
        assert run.model.live.vectors.take("image", np.array([0]))[0].tobytes() == before.tobytes()


def test_the_clip_of_the_run_is_taken(run_copy):
    made_by = json.loads((run_copy / "clip" / "clip.json").read_text())["made_by"]
    with LiveRun.open(run_copy, "cpu") as run:
        run.add_items([{"item_id": "n0", "title": "red shoe"}])
        (stored,) = run.model.changes_.stored
        assert (stored.model, dict(stored.made_by)) == (run.version, made_by)
        assert "n0" in set(run.model.search(text="red shoe", k=200)["item_id"])
