"""`forget-user` on the disk: run, checkpoint, exports and whatever lies beside them."""

import gzip
import json
import shutil
from dataclasses import replace

import faiss
import numpy as np
import pandas as pd
import pytest

from graphrec.artifact import CONTAINS_FORGOTTEN, read_manifest
from graphrec.data.dataset import Dataset
from graphrec.data.privacy.settings import KeySource
from graphrec.errors import GraphRecError
from graphrec.forgetting import folder as forgetting
from graphrec.forgetting.folder import forget_in_folder, traces_in_run
from graphrec.recommender import Recommender
from graphrec.workflow import export_run, train_run

KEY = "".join(f"{number:02x}" for number in range(7, 39))


@pytest.fixture(scope="module")
def busy(loaded):
    """Somebody with training data and held-out pairs."""
    held_out = loaded.held_out_["held-out"].user_index_P
    degree_U = loaded.train_.interactions.user_degree()
    return str(loaded.train_.user_ids[next(user for user in held_out if degree_U[user] > 2)])


def bytes_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def beside(folder):
    return sorted(path.name for path in folder.parent.iterdir())


def test_the_folder_holds_the_run_that_was_made_without_them(run_copy, busy, saved_run):
    expected = Recommender.load(saved_run, "cpu").forget_users([busy])
    before = Recommender.load(run_copy, "cpu")
    done = forget_in_folder(run_copy, [busy], device="cpu")
    found = Recommender.load(run_copy, "cpu")
    for name in ("graph_ID", "content_ID", "served_ID"):
        np.testing.assert_array_equal(getattr(found.model_, name), getattr(expected.model_, name))
    np.testing.assert_array_equal(found.model_.encoded.q_UD, expected.model_.encoded.q_UD)
    assert found.train_.user_ids.tolist() == [one for one in before.train_.user_ids if one != busy]
    user = before.train_.user_id_index.get_loc(busy)
    assert done.events == (before.train_.interactions.user_index_E == user).sum() > 0
    assert done.held_out_pairs == (before.held_out_["held-out"].user_index_P == user).sum() > 0
    assert (done.people, done.in_weights, done.exports, done.removed) == (1, 1, (), ())
    assert beside(run_copy) == ["latest"]


def test_no_trace_is_left_and_there_was_one(run_copy, busy):
    assert [trace.file for trace in traces_in_run(run_copy, [busy])] == ["users.parquet"]
    forget_in_folder(run_copy, [busy], device="cpu")
    assert traces_in_run(run_copy, [busy]) == []
    assert busy not in pd.read_parquet(run_copy / "users.parquet")["user_id"].tolist()
    assert not any(busy.encode() in data for data in bytes_of(run_copy).values())


def test_the_manifest_counts_the_forgotten_and_names_nobody(run_copy, busy, loaded):
    other = next(str(one) for one in loaded.train_.user_ids if one != busy)
    forget_in_folder(run_copy, [busy], device="cpu")
    forget_in_folder(run_copy, [other], device="cpu")
    assert read_manifest(run_copy).about[CONTAINS_FORGOTTEN] == 2
    text = (run_copy / "manifest.json").read_text()
    assert '"contains-forgotten": 2' in text
    assert busy not in text
    model = Recommender.load(run_copy, "cpu")
    model.forgotten_ = 0  # as `fit` leaves it
    model.save(run_copy)
    assert CONTAINS_FORGOTTEN not in read_manifest(run_copy).about


def test_rows_set_aside_that_name_them_leave(run_copy, busy):
    model = Recommender.load(run_copy, "cpu")
    rows = pd.DataFrame({"file": "log.csv", "row": [3, 4], "column": "", "value": [f"{busy},what", "x"], "reason": "r"})
    model.train_ = replace(model.train_, set_aside=replace(model.train_.set_aside, rows=rows))
    model.save(run_copy)
    assert {trace.file for trace in traces_in_run(run_copy, [busy])} == {"users.parquet", "set_aside.csv"}
    assert forget_in_folder(run_copy, [busy], device="cpu").rows_set_aside == 1
    assert pd.read_csv(run_copy / "set_aside.csv")["value"].tolist() == ["x"]


@pytest.mark.parametrize("to", ["parquet", "npy", "faiss", "recbole"])
def test_exports_are_made_anew_wherever_they_are(run_copy, busy, tmp_path, to):
    for out in (run_copy / "for the shop", tmp_path / "out"):
        export_run(Recommender.load(run_copy, "cpu"), to, out)
    named = [tmp_path / "out", run_copy / ".." / "latest" / "for the shop"]  # the latter would be found anyhow
    done = forget_in_folder(run_copy, [busy], named, device="cpu")
    assert sorted(path.name for path in done.exports) == ["for the shop", "out"]
    model = Recommender.load(run_copy, "cpu")
    for out in (run_copy / "for the shop", tmp_path / "out"):
        manifest = read_manifest(out, kind="export")
        assert manifest.about["format"] == to
        assert manifest.about["model_version"] == model.version
        assert manifest.about["counts"]["users"] == len(model.train_.user_ids)
        assert manifest.about[CONTAINS_FORGOTTEN] == 1
        ids = pd.read_parquet(out / "users.parquet") if to == "parquet" else pd.read_csv(out / "user_ids.csv")
        assert ids["id"].tolist() == model.train_.user_ids.tolist()
    if to == "npy":
        np.testing.assert_array_equal(np.load(tmp_path / "out" / "users.npy"), model.embeddings("user").vectors)


def test_an_index_made_anew_has_ids_of_the_same_kind(run_copy, busy):
    export_run(Recommender.load(run_copy, "cpu"), "faiss", run_copy / "out", index_ids="stable")
    forget_in_folder(run_copy, [busy], device="cpu")
    assert read_manifest(run_copy / "out", kind="export").about["index_ids"] == "stable"
    assert isinstance(faiss.read_index(str(run_copy / "out" / "items.faiss")), faiss.IndexIDMap2)


def test_an_export_of_another_model_is_refused_before_anything_changes(run_copy, busy, tmp_path):
    model = Recommender.load(run_copy, "cpu")
    model.version = "another"
    export_run(model, "npy", tmp_path / "out")
    before = bytes_of(run_copy)
    with pytest.raises(GraphRecError, match="was made from another model than this run is"):
        forget_in_folder(run_copy, [busy], [tmp_path / "out"], device="cpu")
    assert bytes_of(run_copy) == before


def test_a_checkpoint_goes_so_that_nothing_resumes_from_it(run_copy, busy):
    checkpoint = run_copy.parent / ".latest.checkpoint.safetensors"
    shutil.copy(run_copy / "encoder.safetensors", checkpoint)
    with pytest.raises(GraphRecError, match="Unknown user 'nobody': not in the run"):
        forget_in_folder(run_copy, ["nobody"], device="cpu")
    assert checkpoint.exists()  # a slip of the keyboard costs no training
    forget_in_folder(run_copy, [busy], device="cpu")
    assert not checkpoint.exists()


def test_files_that_somebody_put_into_the_run_leave_and_are_named(run_copy, busy):
    (run_copy / "notes").mkdir()
    (run_copy / "notes" / "calls.txt.gz").write_bytes(gzip.compress(f"called {busy}".encode()))
    assert "notes/calls.txt.gz" in [trace.file for trace in traces_in_run(run_copy, [busy])]
    assert forget_in_folder(run_copy, [busy], device="cpu").removed == ("notes/calls.txt.gz",)
    assert not (run_copy / "notes").exists()


def test_what_killed_writers_left_goes_too_even_where_nobody_is_left_to_forget(run_copy, busy):
    """As a kill between the last rename and the deletion of the old folder leaves it."""
    old = run_copy.parent / "old"
    shutil.copytree(run_copy, old)
    forget_in_folder(run_copy, [busy], device="cpu")
    shutil.copytree(old, run_copy.parent / ".latest.writing-1234")
    old.rename(run_copy.parent / ".latest.previous")
    assert len(traces_in_run(run_copy, [busy])) == 2
    assert forget_in_folder(run_copy, [busy], device="cpu").people == 0
    assert beside(run_copy) == ["latest"]
    assert traces_in_run(run_copy, [busy]) == []


def test_interrupted_before_the_run_is_written_the_same_call_does_the_rest(run_copy, busy, tmp_path, monkeypatch):
    export_run(Recommender.load(run_copy, "cpu"), "npy", tmp_path / "out")
    before = bytes_of(run_copy)
    with monkeypatch.context() as patch:
        patch.setattr(Recommender, "save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget_in_folder(run_copy, [busy], [tmp_path / "out"], device="cpu")
    assert bytes_of(run_copy) == before
    done = forget_in_folder(run_copy, [busy], [tmp_path / "out"], device="cpu")
    assert done.people == 1
    assert traces_in_run(run_copy, [busy]) == []


def test_killed_when_the_run_was_saved_the_same_call_brings_its_exports_back(run_copy, busy, monkeypatch):
    export_run(Recommender.load(run_copy, "cpu"), "npy", run_copy / "for" / "the shop")
    with monkeypatch.context() as patch:
        real = Recommender.save

        def save_and_die(*given: object):
            real(*given)
            raise KeyboardInterrupt

        patch.setattr(Recommender, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            forget_in_folder(run_copy, [busy], device="cpu")
    assert not (run_copy / "for").exists()
    assert forget_in_folder(run_copy, [busy], device="cpu").people == 0
    model = Recommender.load(run_copy, "cpu")
    assert read_manifest(run_copy / "for" / "the shop", kind="export").about["model_version"] == model.version
    assert busy not in pd.read_csv(run_copy / "for" / "the shop" / "user_ids.csv")["id"].tolist()
    assert beside(run_copy) == ["latest"]


def test_a_second_call_says_that_nobody_is_there_and_names_what_holds_them(
    run_copy, busy, graphrec, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    export_run(Recommender.load(run_copy, "cpu"), "npy", tmp_path / "unnamed")
    forget_in_folder(run_copy, [busy], device="cpu")
    code, out, err = graphrec("forget-user", busy)
    assert code == 0, err
    assert "Nobody of them is in the run at runs/latest." in out
    code, _, err = graphrec("forget-user", busy, "--export", "unnamed")
    assert code == 1
    assert "unnamed/user_ids.csv: delete what is named there" in " ".join(err.split())


def test_a_trace_that_is_left_fails_loudly_by_the_name_of_its_file(run_copy, busy, monkeypatch):
    real = forgetting.clean_up

    def plant_then_clean(run):
        (run / "left.json").write_text(json.dumps({"who": busy}))
        real(run)

    monkeypatch.setattr(forgetting, "clean_up", plant_then_clean)
    with pytest.raises(GraphRecError, match=r"Traces are left in .*latest/left.json: delete what is named") as error:
        forget_in_folder(run_copy, [busy], device="cpu")
    assert busy not in str(error.value)


@pytest.fixture(scope="module")
def pseudonymous(small_store, quick_config, tmp_path_factory):
    """A run whose users are pseudonyms, and the raw ids of its log; the environment variable is gone afterwards."""
    place = tmp_path_factory.mktemp("pseudonymous")
    store = shutil.copytree(small_store, place / "store")
    with (store / "dataset.yaml").open("a") as file:
        file.write("\nprivacy: {pseudonyms: {scope: shop, key_env: SHOP_KEY}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_KEY", KEY)
        train_run(Dataset.load(store), quick_config, place / "runs" / "latest", device="cpu")
    return place / "runs" / "latest", pd.read_csv(store / "interactions.csv", dtype=str)["user_id"].unique()


@pytest.fixture
def pseudonymous_run(pseudonymous, tmp_path):
    return shutil.copytree(pseudonymous[0], tmp_path / "runs" / "latest")


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    return KeySource(key_env="MY_KEY")


def test_neither_the_key_nor_a_raw_id_is_anywhere_in_a_run(pseudonymous):
    run, raw = pseudonymous
    assert len(raw) > 100
    assert traces_in_run(run, [KEY, bytes.fromhex(KEY).decode("latin-1"), *raw]) == []
    assert all(one.startswith("u1_") for one in Recommender.load(run, "cpu").train_.user_ids)


@pytest.mark.parametrize("by", ["raw id", "pseudonym"])
def test_people_with_a_pseudonym_are_forgotten_by_either_name(pseudonymous, pseudonymous_run, key, by):
    raw = pseudonymous[1][4]
    pseudonym = str(Recommender.load(pseudonymous_run, "cpu").train_.user_ids[4])
    if by == "raw id":
        forget_in_folder(pseudonymous_run, [raw], key=key, device="cpu")
    else:
        forget_in_folder(pseudonymous_run, [pseudonym], device="cpu")
    assert pseudonym not in Recommender.load(pseudonymous_run, "cpu").train_.user_id_index
    assert traces_in_run(pseudonymous_run, [pseudonym, raw]) == []


def test_recall_finds_people_by_their_own_id_and_the_key(pseudonymous, pseudonymous_run, key, graphrec, monkeypatch):
    monkeypatch.chdir(pseudonymous_run.parents[1])
    raw = pseudonymous[1][4]
    model = Recommender.load(pseudonymous_run, "cpu")
    expected = model.recommend([str(model.train_.user_ids[4])], k=5)
    code, out, err = graphrec("recall", "--user", raw, "-k", 5, "--json", "--key-env", "MY_KEY")
    assert code == 0, err
    assert [row["item_id"] for row in json.loads(out)] == expected["item_id"].tolist()
    code, _, err = graphrec("recall", "--user", raw)
    assert code == 1
    assert "knows its users by pseudonyms (u1_" in err
    monkeypatch.setenv("MY_KEY", KEY[::-1])
    code, _, err = graphrec("recall", "--user", raw, "--key-env", "MY_KEY")
    assert code == 1
    assert "Is it the key that the run was read with?" in err
    assert KEY[::-1] not in err


def test_a_shell_user_forgets_and_is_warned_from_then_on(run_copy, busy, graphrec, loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = graphrec("forget-user", busy)
    assert code == 0, err
    assert "Forgotten in runs/latest: 1 person" in out
    assert "delete the rows in them too" in out
    other = next(str(one) for one in loaded.train_.user_ids if one != busy)
    warning = "The weights were trained with a person who was forgotten since: train again."
    for command in (
        ["recall", "--user", other],
        ["eval", "--arms", "random"],
        ["export", "--out", "vectors"],
    ):
        code, out, err = graphrec(*command)
        assert code == 0, err
        assert warning in " ".join(err.split())
        assert warning not in out
    code, _, err = graphrec("recall", "--user", busy)
    assert code == 1
    assert f"Unknown user '{busy}': not in the training data" in err
    code, out, err = graphrec("forget-user", other, "--json")
    assert json.loads(out)["in_weights"] == 2
    assert "2 people who were forgotten since" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nobody"], 1, "Unknown user 'nobody': not in the run. Nothing was changed."),
        (["nobody", "--run", "elsewhere"], 1, "There is no run at "),
        (["nobody", "--export", "nowhere"], 1, "There is no export at nowhere"),
        (["nobody", "--export", "runs/latest"], 1, "Expected a graphrec export at runs/latest"),
        (["nobody", "--key-env", "NO_SUCH_KEY"], 1, "knows its users by their own ids, not by pseudonyms"),
        (["nobody", "--key-env", "A", "--key-file", "b"], 2, "exclude each other"),
        (["nobody", "--key-env", KEY], 2, "never the key itself"),
        ([], 2, "Missing argument 'ID...'"),
    ],
)
def test_careless_forgetting_is_refused_in_one_line_and_changes_nothing(
    run_copy, graphrec, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    before = bytes_of(run_copy)
    found, out, err = graphrec("forget-user", *arguments)
    assert (found, out) == (code, "")
    assert message in " ".join(err.replace("│", " ").split())
    assert KEY not in err
    assert bytes_of(run_copy) == before
