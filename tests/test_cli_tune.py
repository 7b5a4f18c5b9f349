"""`graphrec tune` on a small store: from the command line to a file that `train` takes."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from graphrec import workflow
from graphrec.comparison import compare_with
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.models.graph_model import ModelConfig
from graphrec.recommender import Recommender
from graphrec.tune.masked_items import MaskedItems, TuneConfig

pytestmark = pytest.mark.usefixtures("elsewhere")
QUICK = [
    word
    for setting in ("encoder.dim=8", "training.max_epochs=1", "tuning.steps=2", "raw_dim=0")
    for word in ("--set", f"model.{setting}")
]


@pytest.fixture(autouse=True)
def needs_optuna():
    pytest.importorskip("optuna")


class Shut(dict):
    """Truths by name that nobody may open."""

    def __getitem__(self, name):
        raise AssertionError(f"truth {name} was opened")

    get = values = items = __getitem__


@pytest.fixture(scope="module")
def tuned(small_store, tmp_path_factory):
    """What a search of two trials over one setting wrote: (the answer, its file)."""
    out = tmp_path_factory.mktemp("tune") / "tuned.yaml"
    config = GraphRecConfig.load(None, [word for word in QUICK if word != "--set"])
    dataset = Dataset.load(small_store)
    only = ["model.encoder.residual"]
    return workflow.tune_settings(dataset, config, out, TuneConfig(trials=2), only, device="cpu"), out


def test_it_writes_settings_that_train_takes_and_a_table_of_trials(tuned):
    tuning, out = tuned
    assert GraphRecConfig.load(out) == tuning.config
    assert tuning.config.model.encoder.dim == 8
    lines = [json.loads(line) for line in (out.with_suffix(".trials") / "trials.jsonl").read_text().splitlines()]
    assert [line["point"]["model.encoder.residual"] for line in lines] == [True, False]
    assert tuning.best.score == max(trial.score for trial in tuning.trials) > 0


def test_minutes_count_from_the_start_of_the_command(graphrec, small_store, monkeypatch):
    """Loading and encoding take 50 seconds here, and each of four trainings 40: within 2.5 minutes two of them end."""
    now = [1000.0]
    monkeypatch.setattr("graphrec.cli.tune.time.monotonic", lambda: now[0])  # the one clock of all modules
    load, encode, fit = Dataset.load, MaskedItems.of, MaskedItems.fit

    def slow(seconds, call):
        def waited(*given: object, **named: object):
            now[0] += seconds
            return call(*given, **named)

        return waited

    monkeypatch.setattr(Dataset, "load", slow(20, load))
    monkeypatch.setattr(MaskedItems, "of", slow(30, encode))
    monkeypatch.setattr(MaskedItems, "fit", slow(40, fit))
    code, out, err = graphrec("tune", small_store, *QUICK, "--trials", 4, "--minutes", 2.5, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert (answer["stopped"], len(answer["trials"])) == ("minutes", 2)


def test_the_same_command_again_trains_nothing_and_answers_the_same(tuned, graphrec, small_store, monkeypatch):
    def fit(self, config: ModelConfig):
        raise AssertionError("trained again")

    monkeypatch.setattr(MaskedItems, "fit", fit)
    tuning, out = tuned
    call = ["tune", small_store, "--trials", 2, "--only", "model.encoder.residual", "--out", out, "--device", "cpu"]
    code, printed, err = graphrec(*call, *QUICK, "--json")
    assert code == 0
    answer = json.loads(printed)
    assert (answer["best"], len(answer["trials"])) == (tuning.best.number, 2)
    assert answer["config"]["model"]["encoder"]["residual"] == tuning.config.model.encoder.residual
    assert f"Next: graphrec train {small_store} --config {out}" in err
    code, printed, _ = graphrec(*call, *QUICK)
    assert code == 0
    assert "2 trials" in printed
    assert "the starting settings" in printed


@pytest.mark.parametrize("by", ["auto", "items"])
def test_what_train_holds_out_stays_shut(small_dataset, by):
    """Neither a truth that came as a file nor the pairs that train will hold out are there when settings are chosen."""
    config = GraphRecConfig().with_hold_out(by=by)
    truths = Shut(valid=None) if by == "auto" else {}
    train, held_out, _ = workflow._hold_out(replace(small_dataset, truths=truths), config, True, print)
    masked = MaskedItems.of(train, config, TuneConfig(measure="cold+warm"))
    inner = masked.split.split
    learned_UI = inner.train.interactions.user_item_matrix()
    for pool, users in masked.judges.values():
        assert len(users)
        assert not pool.truth.multiply(learned_UI).nnz
        assert (train.interactions.user_item_matrix().astype(bool) > pool.truth).nnz
        assert not (pool.truth > train.interactions.user_item_matrix().astype(bool)).nnz
    cold = masked.split.cold.items
    assert not inner.train.interactions.item_degree()[cold].any()
    assert not inner.train.truths
    for truth in {} if by == "auto" else held_out.values():
        assert not np.asarray(learned_UI[truth.user_index_P, truth.item_index_P]).any()


class StopError(GraphRecError):
    """The test has seen what it wanted to see."""


@pytest.mark.parametrize("by", ["items", "time", "pairs"])
def test_it_searches_in_what_train_would_learn_from(small_dataset, monkeypatch, tmp_path, by):
    seen = []

    def keep(train, *rest: object):
        seen.append(train.interactions)
        raise StopError

    monkeypatch.setattr(MaskedItems, "of", keep)
    monkeypatch.setattr(Recommender, "fit", lambda self, *rest: keep(*rest))
    config = GraphRecConfig().with_hold_out(by=by)
    for call in (workflow.tune_settings, workflow.train_run):
        with pytest.raises(StopError):
            call(small_dataset, config, tmp_path / "out")
    searched, learned = seen
    assert len(searched.user_index_E) < len(small_dataset.interactions.user_index_E)
    np.testing.assert_array_equal(searched.user_index_E, learned.user_index_E)
    np.testing.assert_array_equal(searched.item_index_E, learned.item_index_E)


def test_a_trial_is_judged_as_an_evaluation_would(small_dataset):
    """The mean of the graph arm's NDCG@20 with popularity and without, from the comparison of a whole recommender."""
    config = GraphRecConfig.load(None, [word for word in QUICK if word != "--set"])
    masked = MaskedItems.of(small_dataset, config, TuneConfig(measure="cold+warm"))
    judged = masked.judge(masked.fit(config.model))
    split = masked.split.split
    recommender = Recommender(config, "cpu").fit(split.train)
    comparison = compare_with(recommender, split, ["random", "graph"], ["cold", "warm"], 20)
    assert len(comparison.pools) == len(judged) == 2
    for result in comparison.pools:
        (graph,) = [arm for arm in result.arms if arm.arm == "graph"]
        expected = (graph.metrics["ndcg@20"] + graph.metrics_without_popularity["ndcg@20"]) / 2
        assert judged[result.pool].mean() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--measure", "warm"), 2, "cold+warm"),
        (("--minutes", 0), 2, "more than 0"),
        (("--only", "model.encoder.deep"), 1, "choose among"),
        (("--out", "."), 1, "is a folder"),
        (("--trials", 0), 2, "--trials"),
    ],
)
def test_a_mistake_costs_one_line_and_no_training(graphrec, small_store, arguments, code, words, monkeypatch):
    monkeypatch.setattr(MaskedItems, "of", None)
    got, printed, err = graphrec("tune", small_store, *arguments)
    assert (got, printed) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_without_optuna_one_line_names_the_extra(graphrec, small_store, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = graphrec("tune", small_store)
    assert code == 1
    assert "pip install 'graphrec[tune]'" in err
