"""A run folder is whole, says what is in it, and is refused where a file was changed."""

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graphrec
from graphrec import artifact, run_folder
from graphrec.artifact import FORMAT_VERSION, read_manifest
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes
from graphrec.data.dataset import Truth
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender
from graphrec.run_folder import Run, read_run, write_run
from graphrec.workflow import train_run


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_of(model, **changes: object):
    run = Run(model.config, model.train_, model.features_, model.model_, model.index_, model.held_out_)
    return replace(run, **changes)


def test_the_manifest_names_every_file_and_counts_what_is_in_it(saved_run, fitted):
    manifest = read_manifest(saved_run)
    assert set(manifest.files) | {"manifest.json"} == set(content_of(saved_run))
    expected = {"config.yaml", "metrics.json", "encoder.safetensors", "recall.faiss", "served.npy", "items.parquet"}
    assert expected | {"held_out/held-out.parquet"} <= set(manifest.files)
    assert manifest.about["dataset"] == "sample-store"
    assert manifest.about["items"] == 120
    assert manifest.about["users"] == 151
    assert manifest.about["interactions"] == len(fitted.train_.interactions)
    raw_dim = len(fitted.model_.raw_scale.average_D)
    assert manifest.about["dimension"] == 16 + raw_dim + 1  # GraphSAGE's, the raw block's, and the popularity term
    assert len(manifest.about["data_fingerprint"]) == 64


@pytest.mark.parametrize("name", ["served.npy", "config.yaml", "encoder.safetensors", "held_out/held-out.parquet"])
def test_a_flipped_byte_is_refused_by_the_name_of_its_file(run_copy, name):
    content = bytearray((run_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run_copy / name).write_bytes(bytes(content))
    message = error_of(lambda: Recommender.load(run_copy))
    assert str(run_copy / name) in message
    assert "changed" in message


def test_a_lost_file_is_named(run_copy):
    (run_copy / "users.npy").unlink()
    assert "users.npy is missing" in error_of(lambda: Recommender.load(run_copy))


def test_a_file_that_the_manifest_does_not_name_is_not_read(run_copy, loaded):
    (run_copy / "held_out" / "sneaked-in.parquet").write_bytes(b"anything")
    assert set(Recommender.load(run_copy).held_out_) == set(loaded.held_out_)


def test_a_missing_run_says_how_to_make_one(tmp_path):
    message = error_of(lambda: Recommender.load(tmp_path / "runs" / "latest"))
    assert "graphrec train" in message
    assert str(tmp_path / "runs" / "latest") in message


@pytest.mark.parametrize("moment", ["recall.faiss", "held_out"])
def test_a_save_killed_half_way_leaves_the_old_run_whole(loaded, run_copy, monkeypatch, moment):
    before = content_of(run_copy)

    def killed(*_: object, **__: object):
        raise Killed

    if moment == "held_out":
        monkeypatch.setattr("graphrec.run_folder._write_truth", killed)
    else:
        monkeypatch.setattr("graphrec.retrieval.item_index.ItemIndex.save", killed)
    monkeypatch.setattr(artifact.shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans nothing up
    other = run_of(loaded, held_out={**loaded.held_out_, "other": loaded.held_out_["held-out"]})
    with pytest.raises(Killed):
        write_run(other, run_copy)
    monkeypatch.undo()
    assert content_of(run_copy) == before
    assert set(Recommender.load(run_copy).held_out_) == {"held-out"}
    write_run(other, run_copy)
    assert set(Recommender.load(run_copy).held_out_) == {"held-out", "other"}
    assert [path.name for path in run_copy.parent.iterdir()] == ["latest"]  # the killed writer's files are gone


def test_a_folder_that_is_no_run_is_refused_before_training(small_dataset, quick_config, tmp_path, monkeypatch):
    (tmp_path / "thesis.tex").write_text("years of work")

    def fit(*_: object, **__: object):
        raise AssertionError("trained first")

    monkeypatch.setattr(Recommender, "fit", fit)
    message = error_of(lambda: train_run(small_dataset, quick_config, tmp_path))
    assert str(tmp_path) in message
    assert content_of(tmp_path) == {"thesis.tex": b"years of work"}


def test_an_earlier_run_is_replaced_as_a_whole(loaded, run_copy):
    write_run(run_of(loaded, held_out={}), run_copy)
    assert read_run(run_copy).held_out == {}
    assert not list((run_copy / "held_out").glob("*"))


def replace_while_features_are_read(monkeypatch, replace_run, times):
    """Another process finishes its training between the run's first files and its features, this many times."""
    read, left = run_folder.read_features, [times]

    def interrupted(folder):
        if left[0]:
            left[0] -= 1
            replace_run()
        return read(folder)

    monkeypatch.setattr(run_folder, "read_features", interrupted)


def test_files_of_two_runs_are_never_mixed(loaded, run_copy, monkeypatch):
    """The other run has another title and another truth: its first was read before, its second after it was there."""
    catalogue = replace(loaded.train_.catalogue, title=np.full_like(loaded.train_.catalogue.title, "new"))
    other = run_of(loaded, train=replace(loaded.train_, catalogue=catalogue), held_out={})
    replace_while_features_are_read(monkeypatch, lambda: write_run(other, run_copy), times=1)
    run = read_run(run_copy)
    assert set(run.train.catalogue.title) == {"new"}
    assert run.held_out == {}


def test_a_file_that_the_next_run_does_not_have_is_no_traceback(loaded, run_copy, monkeypatch):
    other = run_of(loaded, held_out={})
    replace_while_features_are_read(monkeypatch, lambda: write_run(other, run_copy), times=2)
    assert read_run(run_copy).held_out == {}


def test_a_run_that_is_replaced_again_and_again_is_given_up_in_one_line(loaded, run_copy, monkeypatch):
    others = iter([run_of(loaded, held_out={}), run_of(loaded), run_of(loaded, held_out={})])
    replace_while_features_are_read(monkeypatch, lambda: write_run(next(others), run_copy), times=3)
    assert error_of(lambda: read_run(run_copy)) == f"{run_copy} is being written by another process: try again."


def test_a_file_that_is_lost_while_nobody_writes_is_told_at_once(run_copy, monkeypatch):
    calls = []
    lost = run_copy / "features" / "features.json"
    replace_while_features_are_read(monkeypatch, lambda: (calls.append(1), lost.unlink()), times=3)
    assert "features.json is missing" in error_of(lambda: read_run(run_copy))
    assert len(calls) == 1


def test_everything_that_answers_need_survives_the_round_trip(loaded, tmp_path):
    train = loaded.train_
    num_items = len(train.catalogue)
    title = train.catalogue.title.copy()
    title[:4] = ["", "007", 'a "b", c\nd', "日本"]
    attributes = Attributes(
        categorical={"a:b": title}, multi_valued={"tags": [(), ("x", "")] * (num_items // 2)},
        numeric={"price": np.where(np.arange(num_items) % 3, 1.5, np.nan)},
    )  # fmt: skip
    catalogue = replace(train.catalogue, title=title, attributes=attributes)
    truths = {
        "valid": Truth(np.array([3, 1]), np.array([0, 7]), np.array([0, 5, 7])),
        "test": Truth(np.array([1]), np.array([2]), np.empty(0, dtype=np.int64)),
    }
    write_run(run_of(loaded, train=replace(train, catalogue=catalogue), held_out=truths), tmp_path / "run")
    run = read_run(tmp_path / "run")
    for name in ("item_ids", "title", "text", "image", "site"):
        assert list(getattr(run.train.catalogue, name)) == list(getattr(catalogue, name))
    assert list(run.train.catalogue.attributes.categorical["a:b"]) == list(title)
    assert run.train.catalogue.attributes.multi_valued == attributes.multi_valued
    np.testing.assert_array_equal(run.train.catalogue.attributes.numeric["price"], attributes.numeric["price"])
    assert (run.train.name, run.train.site_names) == (train.name, train.site_names)
    assert list(run.train.user_ids) == list(train.user_ids)
    for name in ("user_index_E", "item_index_E", "weight_E", "timestamp_E", "site_index_E"):
        before, after = getattr(train.interactions, name), getattr(run.train.interactions, name)
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype
    assert set(run.held_out) == {"valid", "test"}
    for name, truth in truths.items():
        for array in ("user_index_P", "item_index_P", "candidates"):
            assert getattr(run.held_out[name], array).tolist() == getattr(truth, array).tolist()


def test_what_the_loader_said_and_was_told_is_kept_with_the_run(loaded, small_dataset, tmp_path):
    """Also when a run that was read is written again."""
    loaded.save(tmp_path / "again")
    for run in (loaded.train_, read_run(tmp_path / "again").train):
        assert len(run.set_aside) > 0
        pd.testing.assert_frame_equal(run.set_aside.rows, small_dataset.set_aside.rows)
        assert run.set_aside.left_out == small_dataset.set_aside.left_out
        assert run.set_aside.left_out["rating below 3"] > 0
        assert run.set_aside.notes == small_dataset.set_aside.notes
        assert run.description == small_dataset.description
        assert run.description.interaction_files[0].events["wishlist"] == 0.5


def test_a_run_of_a_newer_format_is_refused(run_copy):
    path = run_copy / "manifest.json"
    path.write_text(path.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99'))
    assert "upgrade graphrec" in error_of(lambda: Recommender.load(run_copy))


def test_settings_of_a_version_to_come_are_told_in_one_line(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(GraphRecConfig, "to_yaml", lambda self: "novelty: 1\n")
    write_run(run_of(loaded), tmp_path / "run")
    message = error_of(lambda: read_run(tmp_path / "run"))
    assert message.startswith(f"{tmp_path / 'run'} was written by graphrec ")
    assert "upgrade graphrec, or train again" in message


def test_a_copied_run_answers_like_the_original(loaded, saved_run, tmp_path):
    shutil.copytree(saved_run, tmp_path / "elsewhere")
    user = str(loaded.train_.user_ids[0])
    pd.testing.assert_frame_equal(
        Recommender.load(tmp_path / "elsewhere").recommend([user]), loaded.recommend([user]), check_exact=True
    )


PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
ARGUMENTS = {("allow_pickle", True), ("weights_only", False)}


def pickles_in(tree):
    """Where a module could read or write a pickle: an import, a call that unpickles, an argument that allows it."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        elif isinstance(node, ast.Attribute):
            names = [node.attr] if node.attr in ("read_pickle", "to_pickle") else []
        elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            names = ["pickle"] if (node.arg, node.value.value) in ARGUMENTS else []
        elif isinstance(node, ast.Call):
            names = ["pickle"] if is_unguarded_load(node) else []
        yield from (f"line {node.lineno}: {ast.unparse(node)}" for name in names if name in {*PICKLES, "read_pickle"})


def is_unguarded_load(call):
    """torch.load without weights_only, torch.save at all, np.load and np.save without allow_pickle=False."""
    arguments = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
    function = ast.unparse(call.func)
    return (
        (function == "torch.load" and arguments.get("weights_only") is not True)
        or function == "torch.save"
        or (function in ("np.load", "np.save", "numpy.load") and arguments.get("allow_pickle") is True)
        or (function == "np.load" and arguments.get("allow_pickle") is not False)
    )


def test_no_module_reads_or_writes_a_pickle():
    package = Path(graphrec.__file__).parent
    found = {
        str(path.relative_to(package)): places
        for path in sorted(package.rglob("*.py"))
        if (places := list(pickles_in(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "np.load(path)", "np.load(path, allow_pickle=True)",
        "torch.load(path)", "torch.load(path, weights_only=False)", "torch.save(x, path)", "pd.read_pickle(path)",
    ],
)  # fmt: skip
def test_the_search_for_pickles_finds_them(line):
    assert list(pickles_in(ast.parse(line)))


def test_no_file_of_a_run_is_a_pickle(saved_run):
    for name, content in content_of(saved_run).items():
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")), name
        if name.endswith(".npy"):
            np.load(saved_run / name, allow_pickle=False)
