"""`graphrec train --hold-out WHAT`: the word that a user types, and what comes of it."""

import json

import pytest
import yaml

from graphrec import workflow
from graphrec.errors import GraphRecError

pytestmark = pytest.mark.usefixtures("elsewhere")


class StopError(GraphRecError):
    """The test has seen what it wanted to see."""


@pytest.fixture
def asked(graphrec, small_store, monkeypatch):
    """Train with these arguments up to the point where training would begin: (settings, whether to hold out)."""

    def train_run(dataset, config, out, hold_out, *rest: object):
        seen.append((config.hold_out, hold_out))
        raise StopError

    seen = []
    monkeypatch.setattr(workflow, "train_run", train_run)

    def run(*arguments: object):
        seen.clear()
        assert graphrec("train", small_store, *arguments)[0] == 1
        return seen[0]

    return run


@pytest.mark.parametrize("way", ["items", "time", "users", "pairs"])
def test_a_word_says_what_is_held_out(asked, way):
    settings, hold_out = asked("--hold-out", way, "--set", "hold_out.cold_items=0.1")
    assert (settings.by, settings.date, settings.cold_items, hold_out) == (way, None, 0.1, True)


def test_a_date_holds_out_by_time(asked):
    settings, _ = asked("--hold-out", "2024-05-31")
    assert (settings.by, str(settings.date)) == ("time", "2024-05-31 00:00:00")


def test_a_fraction_holds_out_one_fold(asked):
    settings, _ = asked("--hold-out", "2/3")
    assert (settings.by, settings.fold, settings.num_folds) == ("fold", 2, 3)


@pytest.mark.parametrize(
    ("fold", "words"), [("4/3", "there is no fold 4 of 3"), ("0/3", "fold: "), ("1/1", "num_folds")]
)
def test_a_fold_that_is_none_is_one_line(graphrec, small_store, fold, words):
    code, out, err = graphrec("train", small_store, "--hold-out", fold)
    (line,) = [one for one in err.splitlines() if one.startswith("graphrec: ")]
    assert (code, out) == (1, "")
    assert words in line


def test_a_word_wins_over_the_settings_file(asked):
    with open("settings.yaml", "w") as file:
        yaml.safe_dump({"hold_out": {"by": "time", "date": "2024-05-31"}}, file)
    assert asked("--config", "settings.yaml", "--hold-out", "users")[0].by == "users"
    assert asked("--config", "settings.yaml", "--hold-out", "time")[0].date is not None


@pytest.mark.parametrize(
    "arguments", [["--no-hold-out"], ["--hold-out", "none"], ["--hold-out", "none", "--no-hold-out"]]
)
def test_nothing_is_held_out_where_that_is_asked_for(asked, arguments):
    settings, hold_out = asked(*arguments)
    assert settings.by == "auto"
    assert not hold_out


def test_without_a_word_the_settings_decide(asked):
    settings, hold_out = asked()
    assert (settings.by, hold_out) == ("auto", True)


@pytest.mark.parametrize("arguments", [["--hold-out", "spring"], ["--hold-out", "items", "--no-hold-out"]])
def test_another_word_is_a_usage_error(graphrec, small_store, arguments):
    code, _, err = graphrec("train", small_store, *arguments)
    assert code == 2
    assert "--hold-out" in err


@pytest.mark.parametrize(("way", "pool", "check"), [("users", "warm", "user vectors"), ("time", "cold", "cut-off")])
def test_what_was_held_out_is_what_eval_finds_in_the_run(graphrec, small_store, way, pool, check):
    quick = [f"--set={one}" for one in ("model.encoder.dim=8", "model.training.max_epochs=1", "model.tuning.tries=1")]
    code, _, err = graphrec("train", small_store, "--hold-out", way, "--set=features.use=[attributes]", *quick)
    assert code == 0, err
    assert f"Next: graphrec eval --{'pool warm' if way == 'users' else 'cold-items'}" in err
    code, out, err = graphrec("eval", "--pool", pool, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["pools"][0]["num_users"] > 5
    assert check in answer["leak_checks"]


def test_a_date_outside_the_log_is_one_line(graphrec, small_store):
    code, out, err = graphrec("train", small_store, "--hold-out", "1999-01-01")
    (line,) = [one for one in err.splitlines() if one.startswith("graphrec: ")]
    assert (code, out) == (1, "")
    assert "The cut-off 1999-01-01 lies outside the log (20" in line
