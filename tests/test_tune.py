"""The search for settings: planted scores instead of trainings, so that the right answer is known."""

import re
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError
from graphrec.evaluation.intervals import Verdict
from graphrec.progress import unsaid
from graphrec.tune.journal import TRIALS
from graphrec.tune.masked_items import TuneConfig
from graphrec.tune.sampler import propose, require_optuna
from graphrec.tune.search import search
from graphrec.tune.settings_file import check_settings_file, write_settings
from graphrec.tune.space import SPACE, Choice, Range, as_label, at_point, point_of, space_around

NUM_USERS = 400


class PlantedItems:
    """Stands for `MaskedItems`: every user gets `quality(model settings)` and some noise of their own."""

    def __init__(self, quality, noise=0.02, fail_at=None):
        self.judges = {"cold": (None, np.arange(NUM_USERS))}
        self.split = SimpleNamespace(cold=SimpleNamespace(items=np.arange(7)))
        self.quality, self.noise, self.fail_at, self.fitted = quality, noise, fail_at or {}, []

    def key(self, config):
        return config.model_dump_json()

    def fit(self, config):
        self.fitted.append(config)
        if len(self.fitted) in self.fail_at:
            raise self.fail_at[len(self.fitted)]
        return SimpleNamespace(served_ID=np.zeros((1, 1)), choices=SimpleNamespace(epochs=3), config=config)

    def judge(self, model):
        rng = np.random.default_rng(zlib.crc32(model.config.model_dump_json().encode()))
        return {"cold": self.quality(model.config) + self.noise * rng.standard_normal(NUM_USERS)}


def sharp(config):
    """Best at temperature .08 and 256 dimensions."""
    return 0.3 - 0.05 * abs(np.log(config.training.temperature / 0.08)) + 0.05 * (config.encoder.dim == 256)


def run(masked, folder, trials=6, config=None, space=None, minutes=None, restart=False, say=unsaid):
    config = config or GraphRecConfig()
    tune = TuneConfig(trials=trials, minutes=minutes)
    return search(masked, config, tune, space or space_around(config), folder, restart, say=say)


def points(tuning):
    return [as_label(trial.point) for trial in tuning.trials]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tuned.trials"


@pytest.fixture(autouse=True)
def needs_optuna():
    pytest.importorskip("optuna")


def test_every_setting_of_the_space_exists_and_takes_every_value():
    for dimension in SPACE:
        values = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        for value in values:
            config = at_point(GraphRecConfig(), {dimension.key: value})
            assert as_label(point_of(config, [dimension])[dimension.key]) == as_label(value)


def test_the_space_holds_the_settings_it_starts_from():
    config = GraphRecConfig.load(None, ["model.encoder.dim=48", "model.training.temperature=0.9"])
    by_key = {dimension.key: dimension for dimension in space_around(config)}
    assert by_key["model.encoder.dim"].values == (48, 64, 128, 256)
    assert by_key["model.training.temperature"].high == 0.9


def test_a_setting_that_is_not_searched_is_one_line():
    with pytest.raises(GraphRecError, match=r"'model.encoder.deep'.*choose among model.encoder.dim"):
        space_around(GraphRecConfig(), ["model.encoder.deep"])


def test_true_is_no_one():
    assert not Choice("raw", (0, 1)).holds(True)
    assert not Range("rate", 0.1, 2.0).holds(True)


def test_the_planted_optimum_is_found_and_shown_to_be_better(folder):
    masked = PlantedItems(sharp)
    tuning = run(masked, folder, trials=40)
    assert tuning.config.model.encoder.dim == 256
    assert 0.05 <= tuning.config.model.training.temperature <= 0.13
    (improvement,) = tuning.improvements
    start, best = (sharp(at_point(GraphRecConfig(), trial.point).model) for trial in (tuning.start, tuning.best))
    assert improvement.plain.difference == pytest.approx(best - start, abs=0.01)
    assert improvement.verdict == Verdict.HELPS
    assert "is better than the starting settings" in tuning.conclusion
    assert len(set(points(tuning))) == len(masked.fitted) == 40


def test_the_first_trial_is_the_settings_as_they_are_and_nothing_worse_is_the_answer(folder):
    config = GraphRecConfig.load(None, ["model.encoder.dim=96"])
    tuning = run(PlantedItems(lambda model: float(model.encoder.dim == 96), noise=0), folder, config=config)
    assert tuning.trials[0].point == point_of(config, space_around(config))
    assert tuning.best.score == 1.0
    assert (tuning.best, tuning.config, tuning.improvements) == (tuning.start, config, ())
    assert "none of 5 other trials beats" in tuning.conclusion


def test_luck_alone_is_not_called_better(folder):
    tuning = run(PlantedItems(lambda model: 0.3), folder, trials=20)
    (improvement,) = tuning.improvements
    assert tuning.best.score > tuning.start.score
    assert improvement.for_choice.low < improvement.plain.low
    assert "no difference beyond the noise" in tuning.conclusion


def test_a_stopped_search_goes_on_as_if_it_had_not_been(folder, tmp_path):
    whole = run(PlantedItems(sharp, noise=0), tmp_path / "whole", trials=14)
    run(PlantedItems(sharp, noise=0), folder, trials=10)
    rest = PlantedItems(sharp, noise=0)
    said = []
    resumed = run(rest, folder, trials=14, say=said.append)
    assert len(rest.fitted) == 4
    assert points(resumed) == points(whole)
    assert "10 trials are done already" in said[0]
    assert not run(PlantedItems(sharp), folder, trials=5, say=said.append).trials[14:]


def test_a_line_cut_off_by_a_kill_is_set_aside_and_tried_again(folder):
    before = run(PlantedItems(sharp, noise=0), folder, trials=4)
    path = folder / TRIALS
    path.write_text(path.read_text()[:-30])
    again, said = PlantedItems(sharp, noise=0), []
    after = run(again, folder, trials=5, say=said.append)
    assert "1 line(s) set aside" in said[0]
    assert "line 4" in said[0]
    assert len(again.fitted) == 2
    assert points(after)[:4] == points(before)
    assert len((folder / "set_aside.jsonl").read_text().splitlines()) == 1
    assert len(path.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line.replace('"epochs":3', '"epochs":-3'), "epochs: expected"),
        (lambda line: line.replace('"ndcg":{"cold":0.', '"ndcg":{"cold":0.9'), "does not belong to it"),
        (lambda line: line.replace('"model.raw_dim"', '"model.raw"'), "not in the space"),
        (
            lambda line: line.replace('"model.encoder.residual":', '"model.encoder.residual":1.5,"x":'),
            "not in the space",
        ),
        (lambda line: line.replace('"number":1', '"number":0'), "does not belong to it"),
        (lambda line: "[]", "expected"),
    ],
)
def test_a_changed_line_is_no_trial(folder, change, why):
    run(PlantedItems(sharp), folder, trials=3)
    path = folder / TRIALS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], change(lines[1]), lines[2]]) + "\n")
    masked, said = PlantedItems(sharp), []
    tuning = run(masked, folder, trials=3, say=said.append)
    assert len(masked.fitted) == 1
    assert len(tuning.trials) == 3
    assert re.search(why, said[0])


def test_trials_of_other_settings_are_refused_unless_told_to_begin_anew(folder):
    run(PlantedItems(sharp), folder, trials=3)
    other = GraphRecConfig.load(None, ["model.training.patience=7"])
    with pytest.raises(GraphRecError, match=r"other data, settings or versions.*--restart"):
        run(PlantedItems(sharp), folder, config=other)
    masked = PlantedItems(sharp)
    assert len(run(masked, folder, trials=3, config=other, restart=True).trials) == len(masked.fitted) == 3


def test_a_folder_of_something_else_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(GraphRecError, match="no folder of trials"):
        run(PlantedItems(sharp), folder, restart=True)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_an_interruption_keeps_the_best_so_far(folder):
    tuning = run(PlantedItems(sharp, fail_at={4: KeyboardInterrupt()}), folder, trials=9)
    assert (tuning.stopped, len(tuning.trials)) == ("interrupted", 3)
    assert tuning.best.score == max(trial.score for trial in tuning.trials)


def test_an_interruption_of_the_first_trial_has_nothing_to_keep(folder):
    with pytest.raises(GraphRecError, match="Interrupted before the first trial"):
        run(PlantedItems(sharp, fail_at={1: KeyboardInterrupt()}), folder)


def test_a_trial_that_fails_is_passed_over_but_not_the_first(folder, tmp_path):
    said = []
    masked = PlantedItems(sharp, fail_at={2: ValueError("not\nfinite")})
    tuning = run(masked, folder, trials=3, say=said.append)
    assert [trial.failed for trial in tuning.trials] == [None, "ValueError: not finite", None]
    assert tuning.best.number != 1
    assert "Trial 1 failed" in said[1]
    assert len(run(PlantedItems(sharp), folder, trials=3).trials) == 3  # it is not tried again
    with pytest.raises(GraphRecError, match="too little"):
        run(PlantedItems(sharp, fail_at={1: GraphRecError("too little")}), tmp_path / "other")


def test_a_small_space_is_exhausted(folder):
    space = space_around(GraphRecConfig(), ["model.encoder.residual"])
    masked = PlantedItems(sharp)
    tuning = run(masked, folder, trials=9, space=space)
    assert (tuning.stopped, len(masked.fitted)) == ("exhausted", 2)


def test_no_trial_begins_that_would_be_late(folder, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("graphrec.tune.search.time.monotonic", lambda: now[0])

    class Slow(PlantedItems):
        def fit(self, config):
            now[0] += 40
            return super().fit(config)

    tuning = run(Slow(sharp), folder, trials=9, minutes=2.5)  # three of 40 seconds each; a fourth would need 160
    assert (tuning.stopped, len(tuning.trials)) == ("minutes", 3)
    config = GraphRecConfig()
    waited = search(  # 50 seconds went by before: a third would need 170
        Slow(sharp), config, TuneConfig(trials=9, minutes=2.5), space_around(config), tmp_path / "other.trials",
        begun=now[0] - 50,
    )  # fmt: skip
    assert (waited.stopped, len(waited.trials)) == ("minutes", 2)


def test_proposals_depend_on_the_seed_alone():
    config = GraphRecConfig()
    space, start = space_around(config), point_of(config, space_around(config))
    trials = list(run_points(space, start, seed=1))
    assert trials == list(run_points(space, start, seed=1))
    assert trials != list(run_points(space, start, seed=2))


def run_points(space, start, seed):
    from graphrec.tune.journal import Trial

    done = []
    for number in range(4):
        point = propose(space, start, done, seed)
        done.append(Trial(number=number, point=dict(point), ndcg={"cold": 0.1 * number}, epochs=1, seconds=1))
        yield as_label(point)


def test_without_optuna_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(GraphRecError, match=r"pip install 'graphrec\[tune\]'"):
        require_optuna()


def test_the_answer_is_yaml_that_train_takes_and_replaces_nothing_else(folder, tmp_path):
    tuning, out = run(PlantedItems(sharp), folder, trials=12), tmp_path / "a" / "tuned.yaml"
    write_settings(tuning, out)
    assert GraphRecConfig.load(out) == tuning.config != GraphRecConfig()
    check_settings_file(out)  # its own earlier answer
    (tmp_path / "mine.yaml").write_text("seed: 1\n")
    with pytest.raises(GraphRecError, match="not written by tune"):
        check_settings_file(tmp_path / "mine.yaml")
    with pytest.raises(GraphRecError, match="is a folder"):
        check_settings_file(tmp_path)
