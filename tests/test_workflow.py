"""From a dataset to a run and back to an evaluation: what is held out, and what is opened again."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphrec import workflow
from graphrec.artifact import write_artifact
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Split, Truth
from graphrec.data.splits.time import seconds_of
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender
from graphrec.workflow import (
    HELD_OUT,
    SHOWN,
    demo_run,
    demo_user,
    evaluate_run,
    held_out_in_words,
    next_command,
    open_dataset,
    run_split,
    train_run,
)


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def learned_from(monkeypatch):
    """What `train_run` hands to `fit`, without fitting: a list of (train, held_out)."""
    calls = []

    def fit(self, train, progress, held_out, checkpoint, say):
        calls.append((train, held_out))
        return self

    monkeypatch.setattr(Recommender, "fit", fit)
    monkeypatch.setattr(Recommender, "save", lambda self, out, say: None)
    return calls


def assert_same_truth(truth, expected):
    np.testing.assert_array_equal(truth.user_index_P, expected.user_index_P)
    np.testing.assert_array_equal(truth.item_index_P, expected.item_index_P)


def with_held_out(model, held_out):
    """The same recommender with other truths beside it."""
    other = Recommender(model.config, model.device)
    vars(other).update({name: value for name, value in vars(model).items() if name.endswith("_")})
    other.held_out_ = held_out
    return other


def test_training_holds_out_what_the_settings_say(small_dataset, learned_from, tmp_path):
    config = GraphRecConfig.load(None, ["seed=4", "hold_out.cold_items=0.3", "hold_out.warm_pairs=0.2"])
    train_run(small_dataset, config, tmp_path / "run")
    ((train, held_out),) = learned_from
    expected = small_dataset.split_cold_items(0.3, 4, 0.2)
    assert set(held_out) == {HELD_OUT}
    assert_same_truth(held_out[HELD_OUT], expected.truth)
    np.testing.assert_array_equal(train.interactions.item_index_E, expected.train.interactions.item_index_E)
    assert len(train.interactions) < len(small_dataset.interactions)


@pytest.mark.parametrize(("overrides", "hold_out"), [(["hold_out.cold_items=0"], True), ([], False)])
def test_training_on_everything_holds_out_nothing(small_dataset, learned_from, tmp_path, overrides, hold_out):
    train_run(small_dataset, GraphRecConfig.load(None, overrides), tmp_path / "run", hold_out)
    assert learned_from == [(small_dataset, {})]


def test_training_holds_out_what_was_born_late_and_remembers_from_when(small_dataset, learned_from, tmp_path):
    expected = small_dataset.split_by_time(0.3)
    said = []
    config = GraphRecConfig.load(None, ["hold_out.by=time", "hold_out.cold_items=0.3"])
    model = train_run(small_dataset, config, tmp_path / "run", say=said.append)
    ((train, held_out),) = learned_from
    assert_same_truth(held_out[HELD_OUT], expected.truth)
    assert len(train.interactions) == len(expected.train.interactions)
    assert seconds_of(model.config.hold_out.date) == expected.cutoff
    assert said == []
    model.train_, model.held_out_ = train, held_out
    split = run_split(model)
    assert split.cutoff == expected.cutoff
    assert split.visible is None
    again = train_run(small_dataset, model.config, tmp_path / "run")  # the resolved settings give the same split
    assert again.config == model.config
    assert_same_truth(learned_from[1][1][HELD_OUT], expected.truth)


def test_events_without_a_time_are_told_to_be_left_out(small_dataset, learned_from, tmp_path):
    inter = small_dataset.interactions
    blank_E = np.where(np.arange(len(inter)) < 17, np.nan, inter.timestamp_E)
    dataset = replace(small_dataset, interactions=replace(inter, timestamp_E=blank_E))
    said = []
    train_run(dataset, GraphRecConfig.load(None, ["hold_out.by=time"]), tmp_path / "run", say=said.append)
    assert said == ["Left out: 17 events without a time: neither before nor after the cut-off."]


def test_what_held_out_users_may_be_known_by_is_kept_beside_the_truth(small_dataset, learned_from, tmp_path):
    config = GraphRecConfig.load(
        None, ["hold_out.by=users", "hold_out.cold_users=0.1", "hold_out.visible=0.6", "seed=4"]
    )
    model = train_run(small_dataset, config, tmp_path / "run")
    expected = small_dataset.split_cold_users(0.1, 0.6, 4)
    model.train_, model.held_out_ = learned_from[0]
    split = run_split(model)
    assert_same_truth(split.truth, expected.truth)
    assert (split.known != expected.known).nnz == 0
    assert next_command(model) == "eval --pool warm"
    assert "no split 'shown' (it has: held-out; " in error_of(lambda: run_split(model, "shown"))


def test_training_holds_out_one_fold(small_dataset, learned_from, tmp_path):
    settings = ["hold_out.by=fold", "hold_out.fold=3", "hold_out.num_folds=4", "seed=2"]
    train_run(small_dataset, GraphRecConfig.load(None, settings), tmp_path / "run")
    assert_same_truth(learned_from[0][1][HELD_OUT], small_dataset.cold_item_folds(4, 2)[2].truth)


def test_training_holds_out_pairs_where_that_is_asked_for(small_dataset, learned_from, tmp_path):
    config = GraphRecConfig.load(None, ["hold_out.by=pairs", "hold_out.warm_pairs=0.3"])
    train_run(small_dataset, config, tmp_path / "run")
    assert_same_truth(learned_from[0][1][HELD_OUT], small_dataset.split_warm_pairs(0.3, 0).truth)


def test_a_hold_out_that_is_named_leaves_the_split_files_shut(small_dataset, learned_from, tmp_path):
    dataset = replace(small_dataset, truths={"valid": Truth(np.array([150]), np.array([1]))})
    train_run(dataset, GraphRecConfig.load(None, ["hold_out.by=items"]), tmp_path / "run")
    ((train, held_out),) = learned_from
    assert set(held_out) == {HELD_OUT}
    assert train.truths == {}
    assert_same_truth(held_out[HELD_OUT], small_dataset.split_cold_items(0.2, 0, 0.1).truth)


def test_splits_that_came_as_files_are_used_as_they_are(small_dataset, learned_from, tmp_path):
    truths = {"valid": Truth(np.array([0]), np.array([1])), "test": Truth(np.array([2]), np.array([3]))}
    dataset = replace(small_dataset, truths=truths)
    train_run(dataset, GraphRecConfig(), tmp_path / "run")
    assert learned_from == [(dataset, truths)]


def test_without_a_hold_out_the_fixed_splits_are_learned_from_too(small_dataset, learned_from, tmp_path):
    truths = {"valid": Truth(np.array([150]), np.array([1])), "test": Truth(np.array([150]), np.array([3]))}
    train_run(replace(small_dataset, truths=truths), GraphRecConfig(), tmp_path / "run", hold_out=False)
    ((train, held_out),) = learned_from
    assert held_out == {}
    assert train.truths == {}
    assert train.interactions.user_item_matrix()[[150]].indices.tolist() == [1, 3]
    assert len(train.interactions) == len(small_dataset.interactions) + 2


def test_the_split_of_a_run_is_what_training_held_out(fitted, small_dataset):
    split = run_split(fitted)
    assert split.train is fitted.train_
    assert split.truth is fitted.held_out_[HELD_OUT]
    assert run_split(fitted, HELD_OUT).truth is split.truth
    whole = set(zip(small_dataset.interactions.user_index_E, small_dataset.interactions.item_index_E, strict=True))
    train = set(zip(split.train.interactions.user_index_E, split.train.interactions.item_index_E, strict=True))
    assert whole - train == set(zip(split.truth.user_index_P, split.truth.item_index_P, strict=True))


def test_a_test_split_is_opened_by_its_name_only(fitted):
    valid, test = (Truth(np.array([user]), np.array([0])) for user in (0, 1))
    model = with_held_out(fitted, {"test": test, "valid": valid})
    assert run_split(model).truth is valid
    assert run_split(model, "test").truth is test
    only_test = with_held_out(fitted, {"test": test})
    assert "it has: test; choose one with --split" in error_of(lambda: run_split(only_test))
    assert "no split 'held-out' (it has: test" in error_of(lambda: run_split(only_test, "held-out"))
    assert "trained on everything" in error_of(lambda: run_split(with_held_out(fitted, {})))


def test_a_truth_file_of_the_held_out_pairs_gives_the_same_evaluation(loaded, tmp_path):
    truth, train = loaded.held_out_[HELD_OUT], loaded.train_
    rows = zip(train.user_ids[truth.user_index_P], train.catalogue.item_ids[truth.item_index_P], strict=True)
    lines = ["user_id,item_id", *(",".join(row) for row in rows), "stranger,MW-10596", f"{train.user_ids[0]},gone"]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    own, _ = evaluate_run(loaded, arms=("content", "graph"))
    brought, set_aside = evaluate_run(loaded, truth=tmp_path / "truth.csv", arms=("content", "graph"))
    assert brought.pools[0].arms == own.pools[0].arms
    assert brought.pools[0].differences == own.pools[0].differences
    assert "1 without a training edge" in brought.pools[0].coverage
    assert len(set_aside) == 1


def test_candidates_without_a_truth_file_are_refused(loaded, tmp_path):
    assert "--truth" in error_of(lambda: evaluate_run(loaded, candidates=tmp_path / "pool.csv"))


def test_an_unknown_pool_is_told_in_one_line(loaded):
    assert "Unknown pool 'hot'" in error_of(lambda: evaluate_run(loaded, "cold,hot"))


def test_without_a_dataset_the_sample_store_is_written_once(small_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = []

    def write(path, progress):
        written.append(path)
        return shutil.copytree(small_store, path)

    monkeypatch.setattr(workflow, "write_sample_store", write)
    first, second = open_dataset(None), open_dataset(None)
    assert written == [Path("data/sample-store")]
    assert list(first.user_ids) == list(second.user_ids)
    assert list(first.catalogue.item_ids) == list(open_dataset(small_store).catalogue.item_ids)
    assert "nowhere" in error_of(lambda: open_dataset(Path("nowhere")))


def test_the_demo_never_takes_the_place_of_a_run_on_other_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    latest, aside = Path("runs/latest"), Path("runs/demo")
    assert demo_run() == latest
    write_artifact(latest, lambda folder: None, {"dataset": "sample-store"})
    assert demo_run() == latest
    write_artifact(latest, lambda folder: None, {"dataset": "our shop"})
    assert demo_run() == aside


def test_the_demo_goes_aside_where_runs_latest_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/latest").mkdir(parents=True)
    Path("runs/latest/notes.txt").write_text("mine")
    assert demo_run() == Path("runs/demo")


def test_the_demo_shows_a_user_with_a_middling_history(fitted):
    degree_U = fitted.train_.interactions.user_degree()
    user = fitted.train_.user_id_index.get_loc(demo_user(fitted))
    assert degree_U[user] == np.sort(degree_U[degree_U > 0])[(degree_U > 0).sum() // 2]


def test_after_training_the_evaluation_that_the_run_allows_is_proposed(fitted):
    degree_I = fitted.model_.degree_I
    cold, warm = (
        Truth(np.array([0]), np.array([int(np.argmax(is_it_I))])) for is_it_I in (degree_I == 0, degree_I > 0)
    )
    for held_out, words in [
        ({HELD_OUT: cold}, "eval --cold-items"),
        ({"test": warm, "valid": cold}, "eval --cold-items"),
        ({"test": cold}, "eval --cold-items --split test"),
        ({"valid": warm}, "eval --pool warm"),
        ({}, "recall --user ID"),
    ]:
        assert next_command(with_held_out(fitted, held_out)) == words


def test_what_was_held_out_is_told_in_words(fitted):
    cold = np.flatnonzero(fitted.model_.degree_I == 0)[:2]
    warm = np.flatnonzero(fitted.model_.degree_I > 0)[:1]
    truth = Truth(np.array([4, 5, 5, 6]), np.array([cold[0], cold[0], cold[1], warm[0]]))
    shown = Truth(np.array([4, 5, 6, 6, 6]), np.arange(5))
    own = with_held_out(fitted, {HELD_OUT: truth})
    assert held_out_in_words(own) == "4 pairs, 2 items whole"
    own.config = own.config.with_hold_out(by="time", date="2024-05-31")
    assert held_out_in_words(own) == "everything from 2024-05-31 on (4 pairs, 2 items whole)"
    users = with_held_out(fitted, {HELD_OUT: truth, SHOWN: shown})
    assert held_out_in_words(users) == "3 users whole, of whose pairs 5 are shown and 4 judge"
    files = with_held_out(fitted, {"valid": truth, "test": shown})
    assert held_out_in_words(files) == "valid (4 pairs), test (5 pairs)"
    assert held_out_in_words(with_held_out(fitted, {})) == "nothing"


def test_a_run_evaluates_the_pools_that_are_asked_for(loaded):
    comparison, set_aside = evaluate_run(loaded, "warm,cold", k=5, arms=("popularity",))
    assert [pool.pool for pool in comparison.pools] == ["cold", "warm"]
    assert comparison.ks == (5,)
    assert len(set_aside) == 0
    assert isinstance(run_split(loaded), Split)
