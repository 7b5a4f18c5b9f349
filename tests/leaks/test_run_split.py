"""A run is evaluated on what it held out itself: there is no other training set to compare the run's own with."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec import workflow
from graphrec.comparison import compare
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.leaks.check import FITTED_BEFORE
from graphrec.recommender import Recommender
from graphrec.workflow import evaluate_run, run_split, train_run


def knowing_too(split, user_P, item_P):
    """The same split, its training set with these pairs beside its own."""
    inter = split.train.interactions
    added = Interactions.from_pairs(user_P, item_P, inter.num_users, inter.num_items)
    columns = ("user_index_E", "item_index_E", "weight_E", "timestamp_E", "site_index_E")
    joined = {name: np.concatenate([getattr(inter, name), getattr(added, name)]) for name in columns}
    return replace(split, train=replace(split.train, interactions=replace(inter, **joined)))


@pytest.fixture
def evaluated(young_shop, quick_settings, tmp_path):
    """Train a run that holds out so much, read it again, evaluate it on its own split."""

    def run(*settings: str):
        config = GraphRecConfig.load(None, ["features.use=[attributes]", *quick_settings, *settings])
        train_run(young_shop.dataset, config, tmp_path / "run")
        model = Recommender.load(tmp_path / "run")
        return evaluate_run(model, "full", 5, arms=["graph"])[0].leak_checks

    return run


@pytest.mark.parametrize("way", ["items", "time", "users"])
def test_a_run_that_learned_nothing_of_what_it_holds_out_passes(way, evaluated):
    assert "training pairs" in evaluated(f"hold_out.by={way}")


@pytest.mark.parametrize(
    ("way", "which"), [("items", "held out"), ("time", "held out"), ("users", "held out"), ("users", "shown")]
)
def test_a_run_that_learned_what_it_holds_out_is_refused(way, which, evaluated, monkeypatch):
    make = workflow.split_of

    def leaky(*given: object):
        split = make(*given)
        if which == "shown":
            return knowing_too(split, split.visible.user_index_E[:2], split.visible.item_index_E[:2])
        return knowing_too(split, split.truth.user_index_P[:2], split.truth.item_index_P[:2])

    monkeypatch.setattr(workflow, "split_of", leaky)
    with pytest.raises(GraphRecError, match="training pairs: training knows 2 pairs that the split holds out, such as"):
        evaluated(f"hold_out.by={way}")


def test_known_pairs_in_a_file_are_no_leak_and_nothing_is_said_of_them(young_shop):
    """Where a truth came as a file beside the training data, it does not say what training must not know."""
    train, inter = young_shop.dataset, young_shop.dataset.interactions
    truth = Truth(inter.user_index_E[:5], inter.item_index_E[:5])
    users, items = np.nonzero(inter.user_item_matrix().toarray() == 0)
    truth = Truth(np.append(truth.user_index_P, users[:50]), np.append(truth.item_index_P, items[:50]))
    compared = compare(Split(train, truth), ["popularity"], "full", 5)
    assert "training pairs" not in compared.leak_checks
    assert "edges into items" in compared.leak_checks
    assert compared.evidence[0].pool.left_out.pairs_seen == 5


def test_the_split_of_a_run_says_what_may_not_be_in_training(evaluated, young_shop, tmp_path):
    evaluated("hold_out.by=items")
    model = Recommender.load(tmp_path / "run")
    assert run_split(model).is_disjoint
    model.held_out_ = {"valid": model.held_out_["held-out"]}
    assert not run_split(model).is_disjoint
    for split in (
        young_shop.dataset.split_cold_items(0.3, 0, 0.1),
        young_shop.dataset.split_cold_users(0.3),
        young_shop.dataset.split_warm_pairs(0.1),
        young_shop.dataset.split_by_time(0.3),
        *young_shop.dataset.cold_item_folds(3),
    ):
        assert split.is_disjoint


def test_statistics_from_before_somebody_was_forgotten_are_no_leak(young_shop, quick_settings, tmp_path):
    """An item loses its last user: its words and values were fitted on, and are not those of warm items any more."""
    train_run(young_shop.dataset, GraphRecConfig.load(None, quick_settings), tmp_path / "run")
    model = Recommender.load(tmp_path / "run")
    before, data = set(evaluate_run(model, "full", 5, arms=["graph"])[0].leak_checks), model.train_
    degree_I = data.interactions.item_degree()
    rarest = int(np.argmin(np.where(degree_I > 0, degree_I, degree_I.max())))
    users = np.unique(data.interactions.user_index_E[data.interactions.item_index_E == rarest])
    model.forget_users([str(one) for one in data.user_ids[users]])
    assert before - set(evaluate_run(model, "full", 5, arms=["graph"])[0].leak_checks) == set(FITTED_BEFORE) <= before
    model.forgotten_ = 0  # as if it had learned like this
    with pytest.raises(GraphRecError, match="Leak check failed: word vocabulary"):
        evaluate_run(model, "full", 5, arms=["graph"])
