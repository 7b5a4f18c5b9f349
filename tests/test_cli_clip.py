"""`graphrec clip fit` as a user types it."""

import json

import pytest

from graphrec.artifact import read_manifest
from graphrec.clip_fit.pairs import find_pairs
from graphrec.data.dataset import Dataset

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_fit_prints_what_it_gained_and_train_takes_the_folder(graphrec, small_store):
    code, out, err = graphrec(
        "clip", "fit", small_store, "--epochs", 1, "--batch-size", 32, "--held-out", 0.2, "--device", "cpu", "--json"
    )
    assert code == 0, err
    answer = json.loads(out)
    assert answer["start"] == "small"
    assert answer["after"]["text"]["image_to_text"]["pool"] > 10
    shown = " ".join(err.split())
    for part in (
        "held-out pairs",
        "picture → text",
        "chance",
        "bound",
        "mean R@k of whole texts",
        "Written to runs/clip",
    ):
        assert part in shown
    assert f"Next: graphrec train {small_store} --clip runs/clip" in shown
    assert "eval --cold-items on this shop may be a little optimistic about image and text features" in shown
    assert read_manifest("runs/clip", kind="clip").about["train_pairs"] == answer["train_pairs"]
    quick = [f"--set={one}" for one in ("model.encoder.dim=8", "model.training.max_epochs=1", "model.tuning.tries=2")]
    code, out, err = graphrec(
        "train", small_store, "--clip", "runs/clip", "--out", "runs/own", "--device", "cpu", *quick
    )
    assert code == 0, err
    assert "CLIP local-dir:" in " ".join(err.split())
    assert "small CLIP has seen" not in err


def test_cold_recall_compares_both_and_keeps_the_cold_items_out_of_the_fit(graphrec, small_store):
    common = ("clip", "fit", small_store, "--epochs", 1, "--batch-size", 32, "--device", "cpu", "--json")
    code, out, err = graphrec(*common, "--cold-recall", "--out", "some")
    assert code == 0, err
    answer = json.loads(out)
    left_out = answer["left_out"]["left out on request, with its whole product"]
    assert left_out > 10
    total = len(find_pairs([Dataset.load(small_store)]))
    assert answer["train_pairs"] + answer["held_out_pairs"] == total - left_out
    assert [arm["arm"] for arm in answer["cold_recall"]["arms"]] == ["content-untrained", "content"]
    assert "Cold recall of sample-store" in " ".join(err.split())
    assert "may be a little optimistic" not in " ".join(err.split())


def test_mistakes_are_one_line(graphrec, small_store, tmp_path):
    for arguments in (
        ("clip", "fit", small_store, "--clip", "no-such-model"),
        ("clip", "fit", small_store, "--clip", "local-dir:nowhere"),
        ("clip", "fit", tmp_path / "nothing"),
        ("train", small_store, "--clip", "nowhere:"),
    ):
        code, _, err = graphrec(*arguments)
        assert code == 1, err
        assert err.strip().splitlines()[-1].startswith("graphrec: ")
    assert graphrec("clip", "fit", small_store, "--root", "a", "--root", "b")[0] == 2
    assert graphrec("clip", "fit", small_store, "--batch-size", 1)[0] == 2
