"""Every item is cold once, and a user's folds count as one user."""

import json
from dataclasses import replace

import numpy as np
import pytest

from graphrec.comparison import folds as module
from graphrec.comparison.folds import compare_folds
from graphrec.config import GraphRecConfig
from graphrec.evaluation.intervals import Verdict
from graphrec.evaluation.protocol import build_pool
from graphrec.leaks.check import LEAK_CHECKS

CONFIG = GraphRecConfig.load(None, ["features.use=[attributes]", "seed=3", "model.tuning.tries=1"])


@pytest.fixture(scope="module")
def compared(small_dataset):
    return compare_folds(small_dataset, 3, ["content-untrained", "popularity"], [5, 10], CONFIG, metrics=["recall"])


@pytest.fixture(scope="module")
def per_user(small_dataset):
    """Popularity's recall@5 of each user in each fold, counted in plain Python: fold → user → recall."""
    counted = []
    for split in small_dataset.cold_item_folds(3, 3):
        pool = build_pool(split, "cold")
        # Nobody has touched a cold item: popularity knows one order of them for everybody, drawn by the seed.
        tie_I = np.random.default_rng(3).permutation(len(small_dataset.catalogue))
        degree_I = split.train.interactions.item_degree()
        best = sorted(pool.items.tolist(), key=lambda item: (degree_I[item], tie_I[item]))[::-1][:5]
        relevant = {user: set(pool.truth[[user]].indices.tolist()) for user in pool.users.tolist()}
        counted.append({user: len(items & set(best)) / len(items) for user, items in relevant.items()})
    return counted


def test_a_user_counts_once_however_many_folds_they_appear_in(compared, per_user):
    users = set().union(*per_user)
    mean_of = {user: np.mean([fold[user] for fold in per_user if user in fold]) for user in users}
    arm = next(one for one in compared.arms if one.arm == "popularity")
    assert arm.metrics["recall@5"] == pytest.approx(np.mean(list(mean_of.values())), abs=1e-12)
    assert arm.by_fold["recall@5"] == pytest.approx([np.mean(list(fold.values())) for fold in per_user], abs=1e-12)
    assert arm.metrics["recall@5"] != pytest.approx(np.mean(arm.by_fold["recall@5"]), abs=1e-6)  # another estimate
    assert compared.num_users == len(users)


def test_every_touched_item_is_in_one_fold(compared, small_dataset):
    assert compared.num_items == (small_dataset.interactions.item_degree() > 0).sum()
    assert compared.num_folds == 3
    assert "training pairs" in compared.leak_checks
    assert set(compared.leak_checks) <= set(LEAK_CHECKS)


def test_a_difference_is_that_of_the_arms_over_users_and_in_each_fold(compared):
    one = compared.difference("recall@5", "popularity", "content-untrained")
    arms = {arm.arm: arm for arm in compared.arms if arm.popularity}
    for mine, of in (
        (one.interval.difference, lambda arm: arm.metrics["recall@5"]),
        (one.by_fold, lambda arm: np.array(arm.by_fold["recall@5"])),
    ):
        assert mine == pytest.approx(of(arms["popularity"]) - of(arms["content-untrained"]), abs=1e-12)
    assert one.interval.low < one.interval.difference < one.interval.high
    assert one.interval.num_users == compared.num_users


def test_the_same_arm_in_every_fold_differs_by_exactly_nothing(small_dataset, monkeypatch):
    """The fold's own values are compared with each other, not with those of another fold."""
    real = module.compare

    def twice(*given: object, **named: object):
        fold = real(*given, **named)
        (evidence,) = fold.evidence
        evidence.arms["content-untrained", True] = evidence.arms["popularity", True]
        return replace(fold, evidence=[evidence])

    monkeypatch.setattr(module, "compare", twice)
    arms = ["content-untrained", "popularity"]
    compared = compare_folds(small_dataset, 2, arms, 5, CONFIG, metrics=["ndcg"])
    one = compared.difference("ndcg@5", "popularity", "content-untrained")
    assert (one.interval.low, one.interval.high, one.by_fold) == (0, 0, [0, 0])
    assert one.verdict == Verdict.NO_DIFFERENCE_SHOWN


def test_the_answer_can_be_read_by_people_and_programs(compared):
    plain = json.loads(json.dumps(compared.to_json(), allow_nan=False))
    assert [arm["arm"] for arm in plain["arms"]] == [arm.arm for arm in compared.arms]
    text = str(compared)
    assert f"3 folds, {compared.num_items} items cold in one of them, {compared.num_users} users" in text
    assert "popularity - content-untrained, recall@10, popularity on: " in text
    for arm in compared.arms:
        assert f"{arm.metrics['recall@10']:.4f}" in text
