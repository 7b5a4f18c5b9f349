"""The pieces that tuned baselines share: search, early stopping, negatives, judges."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from pydantic import BaseModel

from graphrec.baselines.early_stopping import Stopped, train_to_best
from graphrec.baselines.judge import Judge
from graphrec.baselines.negatives import NegativeSampler
from graphrec.baselines.search import coordinate_search, random_search
from graphrec.errors import GraphRecError
from graphrec.models.tuning import MaskedSplit


class Point(BaseModel, extra="forbid", frozen=True):
    x: int = 0
    y: int = 0
    z: int = 7


SPACE = {"x": (0, 1, 2, 3), "y": (0, 1, 2)}


def test_random_search_scores_the_start_and_as_many_others_as_there_are_tries():
    asked = []
    search = random_search(Point(), SPACE, lambda p: asked.append(p) or p.x - p.y, tries=5, seed=0)
    assert asked[0] == Point()
    assert len(asked) == len(set(asked)) == 6
    assert search.best.score == max(p.x - p.y for p in asked)
    assert [trial.settings for trial in search.trials] == asked
    assert all(p.z == 7 for p in asked)


def test_random_search_ends_with_the_grid():
    search = random_search(Point(), SPACE, lambda p: 10 * p.x - p.y, tries=100, seed=0)
    assert len(search.trials) == 12
    assert search.best.settings == Point(x=3)


def test_where_nobody_can_judge_the_starting_point_is_taken():
    assert random_search(Point(x=2), SPACE, lambda p: math.nan, tries=4, seed=0).best.settings == Point(x=2)


def test_coordinate_search_climbs_and_never_asks_twice():
    asked = []

    def score(point):
        asked.append(point)
        return -((point.x - 5) ** 2) - (point.y + 3) ** 2

    moves = [
        lambda p: [p.model_copy(update={"x": p.x + step}) for step in (1, -1)],
        lambda p: [p.model_copy(update={"y": p.y + step}) for step in (1, -1)],
    ]
    assert coordinate_search(Point(), moves, score, tries=100).best.settings == Point(x=5, y=-3)
    assert len(asked) == len(set(asked))
    assert len(coordinate_search(Point(), moves, score, tries=3).trials) == 4


def test_training_stops_when_patience_is_used_up_and_names_the_best_epoch():
    scores, epochs = iter([0.1, 0.3, 0.2, 0.25, 0.9]), []
    stopped = train_to_best(lambda: epochs.append(1), lambda: next(scores), max_epochs=50, every=2, patience=2)
    assert stopped == Stopped(4, 0.3)
    assert len(epochs) == 8


def test_training_without_a_judge_runs_to_the_end():
    epochs = []
    assert train_to_best(lambda: epochs.append(1), lambda: math.nan, max_epochs=7, every=2, patience=1).epoch == 7
    assert len(epochs) == 7


def test_negatives_are_uniform_among_the_warm_items_that_the_user_has_not_touched():
    touched = sp.csr_matrix((np.ones(4), ([0, 0, 1, 2], [0, 1, 2, 4])), (3, 6))
    sampler = NegativeSampler(touched, np.array([0, 1, 2, 4]), np.random.default_rng(0))
    drawn = sampler.draw(np.zeros(4000, dtype=np.int64))
    share = np.bincount(drawn, minlength=6) / 4000
    np.testing.assert_allclose(share, [0, 0, 0.5, 0, 0.5, 0], atol=0.03)
    assert set(sampler.draw(np.array([1] * 50 + [2] * 50))[50:]) == {0, 1, 2}


def test_every_arm_is_judged_on_the_same_masked_items(inputs):
    masked = MaskedSplit.of(inputs.train, inputs.tuning, inputs.seed)
    for name in ("cold", "warm"):
        judge = Judge.of(inputs, name)
        np.testing.assert_array_equal(judge.masked.warm_items, masked.warm_items)
        np.testing.assert_array_equal(judge.pool.items, masked.judges(name)[0].items)


def test_a_judge_that_knows_the_truth_gives_1_by_scores_and_by_vectors(inputs):
    judge = Judge.of(inputs, "warm")
    truth_UI = judge.pool.truth.toarray().astype(float)
    assert judge.by_scores(lambda users, items: truth_UI[users][:, items]) == 1
    assert judge.by_vectors(truth_UI[judge.users], np.eye(30)) == 1


def test_warm_settings_stay_where_they_are_when_no_warm_pair_was_masked(train, blocks, inputs):
    """Ten users with one item each: every pair has to stay, so nobody can judge; arms that need cold judges say so."""
    events = replace(train.interactions.take(np.arange(10)), user_index_E=np.arange(10), item_index_E=np.arange(10))
    lonely = replace(inputs, train=replace(train, interactions=events))
    judge = Judge.of(lonely, "warm")
    assert math.isnan(judge.by_scores(lambda users, items: np.zeros((len(users), len(items)))))
    assert math.isnan(judge.by_vectors(np.zeros((0, 3)), np.zeros((30, 3))))
    with pytest.raises(GraphRecError, match="too few interactions"):
        Judge.of(lonely, "cold")
