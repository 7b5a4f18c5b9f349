"""An arm that cannot be fitted is refused before any other has been waited for."""

import sys

import pytest

from graphrec.baselines import ease
from graphrec.baselines.arm import Baseline
from graphrec.baselines.registry import BASELINES
from graphrec.comparison import compare, compare_with
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender


@pytest.fixture(autouse=True)
def nothing_is_fitted(monkeypatch):
    def fit(*given: object, **named: object):
        raise AssertionError("something was fitted")

    monkeypatch.setattr(Recommender, "fit", fit)
    monkeypatch.setattr(Baseline, "fit", fit)


def refusals(split, fitted, arms):
    """What both kinds of comparison say."""
    said = []
    for call in (lambda: compare(split, arms, "warm"), lambda: compare_with(fitted, split, arms, "warm")):
        with pytest.raises(GraphRecError) as caught:
            call()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    return said[0]


@pytest.mark.parametrize(("name", "says"), [("als", "ALS"), ("mf-content", "MFContent")])
def test_without_the_extra(name, says, small_dataset, fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.setitem(sys.modules, "implicit.cpu", None)
    split = small_dataset.split_warm_pairs()
    expected = f"{says} needs the package implicit: pip install 'graphrec[baselines]', or leave it out."
    assert refusals(split, fitted, ["content", "graph", name]) == expected


@pytest.mark.parametrize("name", ["ease", "ease-content"])
def test_a_catalogue_that_is_too_large(name, small_dataset, fitted, monkeypatch):
    monkeypatch.setattr(ease, "MOST_ITEMS", 20)
    assert "more than the 20 that it takes" in refusals(small_dataset.split_warm_pairs(), fitted, ["content", name])


NEEDS_SITES = "content-cross-site"


def test_an_arm_of_several_sites_is_refused_where_there_is_one(small_dataset, fitted):
    said = refusals(small_dataset.split_warm_pairs(), fitted, ["content", NEEDS_SITES])
    assert said.startswith("content-cross-site needs a target site")
    assert "\n" not in said


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {NEEDS_SITES}))
def test_users_whom_training_never_saw(name, small_dataset, fitted):
    """Refused by the arms whose users have vectors that only training gives them, and by no other."""
    split = small_dataset.split_cold_users()
    if type(BASELINES[name]()).knowing is Baseline.knowing:
        assert "only for users that it was trained on" in refusals(split, fitted, ["random", name])
    else:
        BASELINES[name]().check(split.train, has_unseen_users=True)


def test_which_arms_refuse_unseen_users(small_dataset):
    train = small_dataset.split_cold_users().train
    refused = set()
    for name, make in BASELINES.items():
        if name == NEEDS_SITES:
            continue
        make().check(train)
        try:
            make().check(train, has_unseen_users=True)
        except GraphRecError:
            refused.add(name)
    assert refused == {"lightgcn", "two-tower-bce"}


def test_what_can_be_fitted_is(small_dataset):
    with pytest.raises(AssertionError, match="something was fitted"):
        compare(small_dataset.split_warm_pairs(), ["content", "ease"], "warm")
