"""A comparison says that the graph helps where it does, and does not say so where there is nothing to help with."""

import json

import numpy as np
import pytest

import graphrec.comparison.side_by_side as module
from graphrec.comparison import (
    ARM_NAMES,
    ArmResult,
    Comparison,
    Difference,
    PoolResult,
    compare,
    compare_with,
    describe_difference,
    pool_names,
)
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.sample_store import SampleStoreConfig, write_sample_store
from graphrec.errors import GraphRecError
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import PairedInterval, Verdict
from graphrec.evaluation.protocol import build_pool
from graphrec.workflow import run_split

METRICS = {"recall@20", "ndcg@20", "precision@20"}


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def planted_world(rng, num_styles=24, items_per_style=8, num_scenes=4, num_users=300, items_per_user=4):
    """Content shows an item's style; which styles belong to one scene shows only in what people touch together.

    A user has one scene and touches a few of its items, so most of its styles are none of theirs: only the other users
    of the scene tell that they would fit.
    """
    style_I = np.repeat(np.arange(num_styles), items_per_style)
    scene_I = rng.permutation(num_styles)[style_I] % num_scenes
    num_items = len(style_I)
    own_ID = rng.normal(size=(num_styles, 32))[style_I] + 0.3 * rng.normal(size=(num_items, 32))
    scene_U = rng.integers(num_scenes, size=num_users)
    items = [rng.choice(np.flatnonzero(scene_I == scene), items_per_user, replace=False) for scene in scene_U]
    ids = np.array([f"i{number}" for number in range(num_items)], dtype=object)
    nothing = np.full(num_items, "", dtype=object)
    return Dataset(
        name="planted",
        catalogue=Catalogue(ids, nothing, nothing, nothing, None, nothing, Attributes()),
        user_ids=np.array([f"u{number}" for number in range(num_users)], dtype=object),
        site_names=(),
        interactions=Interactions.from_pairs(
            np.repeat(np.arange(num_users), items_per_user), np.concatenate(items), num_users, num_items
        ),
        own_vectors={"style": OwnVectors(ids, own_ID.astype(np.float32))},
    )


@pytest.fixture(scope="module")
def planted():
    split = planted_world(np.random.default_rng(0)).split_cold_items(0.2, seed=1)
    config = GraphRecConfig.load(None, ["model.encoder.dim=32", "model.training.users_per_batch=64"])
    return compare(split, ["random", "popularity", "content", "graph"], "cold", config=config)


@pytest.fixture(scope="module")
def compared(fitted):
    return compare_with(fitted, run_split(fitted), pool=["cold", "warm", "full"])


def test_where_scenes_show_only_in_the_graph_it_is_said_to_help(planted):
    (result,) = planted.pools
    for popularity in (True, False):
        assert result.difference("ndcg@20", popularity).verdict == Verdict.HELPS
        assert result.difference("ndcg@20", popularity).interval.difference > 0.05
    assert result.conclusion.startswith("the graph helps (")
    assert "ndcg@20" in result.conclusion


@pytest.mark.parametrize("signal", ["none", pytest.param("content", marks=pytest.mark.slow)])
def test_where_the_graph_has_nothing_to_add_it_is_not_said_to_help(signal, tmp_path):
    """`none`: items dealt out at random. `content`: all follow their own likings for what the content shows.

    An interval speaks of the users only; which items are held out is a matter of chance as well, so most hold-outs of
    three must say so.
    """
    sizes = SampleStoreConfig(signal=signal, products_per_site=200, shared_products=70, num_users=600)
    dataset = Dataset.load(write_sample_store(tmp_path / "store", sizes))
    said = []
    for seed in range(3):
        split = dataset.split_cold_items(0.2, seed, warm_fraction=0.1)  # as `graphrec train` holds out
        (result,) = compare(split, ["content", "graph"], "cold").pools
        assert result.num_users > 300
        said.append("\n".join([result.conclusion, *map(describe_difference, result.differences)]))
    assert sum(one.startswith(("the graph helps", "mixed")) for one in said) <= 1, "\n\n".join(said)


def test_an_arm_that_gives_the_same_lists_differs_by_exactly_nothing(fitted, monkeypatch):
    class SameAsGraph:
        def fit(self, inputs, progress):
            return fitted

    monkeypatch.setitem(module.BASELINES, "content", SameAsGraph)
    (result,) = compare_with(fitted, run_split(fitted), ["content", "graph"]).pools
    assert len(result.differences) == 2 * len(METRICS)
    for one in result.differences:
        interval = one.interval
        assert (interval.difference, interval.low, interval.high, interval.smallest_detectable) == (0, 0, 0, 0)
        assert one.verdict == Verdict.NO_DIFFERENCE_SHOWN
    assert result.conclusion == "the graph does not help: no difference from content was shown"


def test_every_arm_stands_in_every_pool_over_the_same_users(compared):
    assert [result.pool for result in compared.pools] == ["cold", "warm", "full"]
    for result in compared.pools:
        assert [arm.arm for arm in result.arms] == list(ARM_NAMES)
        assert all(set(arm.metrics) == METRICS for arm in result.arms)
        shown_without = {arm.arm for arm in result.arms if arm.metrics_without_popularity is not None}
        assert shown_without == {"content", "graph"}
        assert {one.interval.num_users for one in result.differences} == {result.num_users}
        for one in result.differences:
            arms = {arm.arm: arm for arm in result.arms}
            values = [
                (arms[name].metrics if one.popularity else arms[name].metrics_without_popularity)[one.metric]
                for name in ("graph", "content")
            ]
            assert one.interval.difference == pytest.approx(values[0] - values[1], abs=1e-12)


def test_the_metrics_are_those_of_the_lists_that_the_arm_gives(fitted, compared):
    """Recall counted by hand in plain Python, all metrics by `evaluate`, with popularity and without."""
    split = run_split(fitted)
    for result in compared.pools:
        pool = build_pool(split, result.pool)
        graph = next(arm for arm in result.arms if arm.arm == "graph")
        for popularity, shown in ((True, graph.metrics), (False, graph.metrics_without_popularity)):
            lists = fitted.rank(pool.users, pool.items, pool.seen[pool.users], 20, popularity)
            means = evaluate(lists, pool, pool.users, [20]).means()
            assert shown == {name: means[name] for name in METRICS}
            assert shown["recall@20"] == pytest.approx(recall_by_hand(fitted, split, pool, lists.items_UK), abs=1e-12)


def recall_by_hand(model, split, pool, items_UK):
    touched = set(zip(*(getattr(model.train_.interactions, f"{one}_index_E") for one in ("user", "item")), strict=True))
    held_out = set(zip(split.truth.user_index_P, split.truth.item_index_P, strict=True)) - touched
    shares = []
    for user, items in zip(pool.users, items_UK, strict=True):
        relevant = {item for one, item in held_out if one == user and item in set(pool.items)}
        assert not any((user, item) in touched for item in items)
        shares.append(len(relevant & set(items)) / len(relevant))
    return np.mean(shares)


def test_the_first_k_of_the_asked_k_count(fitted):
    split = run_split(fitted)
    shown = [compare_with(fitted, split, ["graph"], k=k).pools[0].arms[0].metrics for k in (1, 5)]
    assert [set(one) for one in shown] == [{f"{name}@{k}" for name in ("recall", "ndcg", "precision")} for k in (1, 5)]
    assert shown[1]["recall@5"] > shown[0]["recall@1"]


def test_the_same_comparison_twice_is_the_same(fitted, compared):
    assert compare_with(fitted, run_split(fitted), pool="warm").to_json()["pools"][0] == compared.to_json()["pools"][1]


def test_without_both_content_and_graph_there_is_no_difference_to_show(fitted):
    (result,) = compare_with(fitted, run_split(fitted), ["popularity", "graph"]).pools
    assert result.differences == []
    assert result.conclusion == "graph and content were not both compared"


def test_what_cannot_be_compared_is_told_in_one_line_before_anything_is_fitted(fitted, monkeypatch):
    split = run_split(fitted)
    for name in ARM_NAMES[:-1]:
        monkeypatch.setitem(module.BASELINES, name, None)
    monkeypatch.setattr(module, "Recommender", None)
    assert "Unknown arm 'graf': choose from random" in error_of(lambda: compare(split, ["content", "graf"]))
    assert "Unknown arm 'graf'" in error_of(lambda: compare_with(fitted, split, ["graf"]))
    assert "no arm" in error_of(lambda: compare(split, [])).lower()
    assert "Unknown pool 'lukewarm'" in error_of(lambda: compare_with(fitted, split, pool="lukewarm"))
    assert "Unknown pool 'lukewarm'" in error_of(lambda: compare(split, pool=["cold", "lukewarm"]))
    assert "got 0" in error_of(lambda: compare_with(fitted, split, k=0))
    assert "got 0" in error_of(lambda: compare(split, k=0))
    assert "got 10001" in error_of(lambda: compare(split, k=10_001))


def test_one_user_alone_shows_no_difference(fitted):
    split = run_split(fitted)
    user = build_pool(split, "cold").users[0]
    is_theirs_P = split.truth.user_index_P == user
    alone = Split(split.train, Truth(split.truth.user_index_P[is_theirs_P], split.truth.item_index_P[is_theirs_P]))
    (result,) = compare_with(fitted, alone, ["content", "graph"], k=1).pools
    assert (result.num_users, result.differences) == (1, [])
    assert "one user says nothing" in result.conclusion


def test_pools_are_asked_for_by_name_with_commas_or_all():
    assert pool_names("all") == ["cold", "warm", "full"]
    assert pool_names("full,cold") == ["cold", "full"]
    assert "Unknown pool ''" in error_of(lambda: pool_names("cold,"))


def interval(low, high):
    return PairedInterval((low + high) / 2, low, high, 0.01, 50)


HELPS, HURTS, NEITHER = interval(0.01, 0.03), interval(-0.03, -0.01), interval(-0.01, 0.02)


def result_of(**intervals: tuple[PairedInterval, PairedInterval]):
    """A pool's result from metric=(interval with popularity, interval without)."""
    verdicts = {HELPS: Verdict.HELPS, HURTS: Verdict.HURTS, NEITHER: Verdict.NO_DIFFERENCE_SHOWN}
    differences = [
        Difference(metric, popularity, one, verdicts[one])
        for metric, pair in intervals.items()
        for popularity, one in zip((True, False), pair, strict=True)
    ]
    return PoolResult("cold", "described", "covered", 3, 2, [ArmResult("graph", {"recall": np.nan}, None)], differences)


def test_the_conclusion_says_what_the_intervals_say():
    both = result_of(recall=(HELPS, HELPS), ndcg=(HELPS, NEITHER))
    assert both.conclusion == "the graph helps (recall), with popularity on and off"
    popular = result_of(recall=(HELPS, NEITHER), ndcg=(HELPS, HURTS))
    assert popular.conclusion.startswith("the lift (recall, ndcg) is popularity's")
    hurt = result_of(recall=(HURTS, NEITHER), ndcg=(NEITHER, HELPS))
    assert hurt.conclusion == "the graph hurts (recall): content alone is better"
    mixed = result_of(recall=(HELPS, NEITHER), ndcg=(HURTS, NEITHER))
    assert mixed.conclusion == "mixed: the graph helps recall and hurts ndcg"
    none = result_of(recall=(NEITHER, HELPS), ndcg=(NEITHER, NEITHER))
    assert none.conclusion == "the graph does not help: no difference from content was shown"


def test_json_is_valid_without_nan_and_holds_the_conclusion(compared):
    for one in (compared, Comparison("d", 20, [result_of(recall=(HELPS, NEITHER))])):
        text = json.dumps(one.to_json(), allow_nan=False)
        assert [pool["conclusion"] for pool in json.loads(text)["pools"]] == [pool.conclusion for pool in one.pools]
    plain = json.loads(text)["pools"][0]
    assert plain["arms"] == [{"arm": "graph", "metrics": {"recall": None}, "metrics_without_popularity": None}]
    assert plain["differences"][0]["verdict"] == "helps"
    assert plain["differences"][0]["interval"]["low"] == 0.01


def test_the_printed_table_holds_every_figure_the_verdicts_and_the_conclusion(compared):
    text = str(compared)
    for result in compared.pools:
        assert f"{result.pool} pool: {result.description}; {result.coverage}" in text
        assert result.conclusion in text
        for arm in result.arms:
            assert all(f"{value:.4f}" in text for value in arm.metrics.values())
        for one in result.differences:
            assert describe_difference(one) in text
    line = describe_difference(Difference("recall@20", False, HELPS, Verdict.HELPS))
    assert line == (
        "graph - content, recall@20, popularity off: +0.0200 [+0.0100, +0.0300], smallest detectable 0.0100: helps"
    )
