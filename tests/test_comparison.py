"""A comparison says that the graph helps where it does, and does not say so where there is nothing to help with."""

import json
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

import graphrec.comparison.evidence as evidence_module
import graphrec.comparison.side_by_side as module
from graphrec.comparison import (
    ARM_NAMES,
    DEFAULT_ARMS,
    ArmResult,
    Comparison,
    Difference,
    PoolResult,
    compare,
    compare_with,
    describe_difference,
    merge_seeds,
    pool_names,
)
from graphrec.comparison.evidence import rank_in_blocks
from graphrec.comparison.question import arm_names, by_names, cut_offs, metric_names
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.sample_store import SampleStoreConfig, write_sample_store
from graphrec.errors import GraphRecError
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import PairedInterval, Verdict, holm, paired_bootstrap
from graphrec.evaluation.item_clusters import ItemInterval
from graphrec.evaluation.list_metrics import LIST_METRICS, list_metrics
from graphrec.evaluation.metrics import METRICS as ALL_METRICS
from graphrec.evaluation.protocol import LeftOut, Pool, build_pool
from graphrec.evaluation.ranking import rank_by_scores
from graphrec.recommender import Recommender
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
        def check(self, train, has_unseen_users):
            pass

        def fit(self, inputs, progress):
            return fitted

    monkeypatch.setitem(module.BASELINES, "content", SameAsGraph)
    (result,) = compare_with(fitted, run_split(fitted), ["content", "graph"]).pools
    assert len(result.differences) == 2 * len(METRICS)
    for one in result.differences:
        interval, items = one.interval, one.items
        assert (interval.difference, interval.low, interval.high, interval.smallest_detectable) == (0, 0, 0, 0)
        assert (interval.p_value, one.p_holm, items.low, items.high) == (1, 1, 0, 0)
        assert one.verdict == Verdict.NO_DIFFERENCE_SHOWN
    assert result.conclusion == "the graph does not help: no difference from content was shown"


def value_of(result, arm, metric, popularity=True):
    one = next(one for one in result.arms if one.arm == arm)
    return (one.metrics if popularity else one.metrics_without_popularity)[metric]


def test_every_arm_stands_in_every_pool_over_the_same_users(compared):
    assert [result.pool for result in compared.pools] == ["cold", "warm", "full"]
    for result in compared.pools:
        assert [arm.arm for arm in result.arms] == list(DEFAULT_ARMS)
        assert all(set(arm.metrics) >= METRICS for arm in result.arms)
        shown_without = {arm.arm for arm in result.arms if arm.metrics_without_popularity is not None}
        assert shown_without == {"content", "graph"}
        assert {one.interval.num_users for one in result.differences} == {result.num_users}
        assert {(one.arm, one.reference) for one in result.differences} == {
            (arm, "content") for arm in DEFAULT_ARMS if arm != "content"
        }
        for one in result.differences:
            values = [value_of(result, name, one.metric, one.popularity) for name in (one.arm, one.reference)]
            assert one.interval.difference == pytest.approx(values[0] - values[1], abs=1e-12)
            assert one.items.low <= one.items.high
            assert one.items.num_items <= result.num_items
            assert one.p_holm >= one.interval.p_value


def test_the_headline_stands_first(compared):
    for result in compared.pools:
        assert [(one.arm, one.popularity) for one in result.differences[: len(METRICS)]] == [("graph", True)] * 3
        assert result.headline == [one for one in result.differences if one.arm == "graph"]


def test_the_metrics_are_those_of_the_lists_that_the_arm_gives(fitted, compared):
    """Recall counted by hand in plain Python, all metrics by `evaluate`, with popularity and without."""
    split = run_split(fitted)
    for result in compared.pools:
        pool = build_pool(split, result.pool)
        graph = next(arm for arm in result.arms if arm.arm == "graph")
        for popularity, shown in ((True, graph.metrics), (False, graph.metrics_without_popularity)):
            lists = fitted.rank(pool.users, pool.items, pool.seen[pool.users], 20, popularity)
            means = evaluate(lists, pool, pool.users, [20]).means()
            about = list_metrics(
                lists.items_UK, 20, pool.items, fitted.model_.degree_I,
                (fitted.train_.interactions.user_degree() > 0).sum(), fitted.blocks.x_IF,
            )  # fmt: skip
            assert shown == means | about
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


def test_several_cut_offs_are_the_same_as_one_by_one(fitted):
    split = run_split(fitted)
    both = compare_with(fitted, split, ["random", "graph"], k=(5, 2))
    assert both.metrics == ("recall@5", "ndcg@5", "precision@5", "recall@2", "ndcg@2", "precision@2")
    together = value_of(both.pools[0], "graph", "recall@2"), value_of(both.pools[0], "graph", "ndcg@5")
    alone = [compare_with(fitted, split, ["random", "graph"], k=k).pools[0] for k in (2, 5)]
    assert together == (value_of(alone[0], "graph", "recall@2"), value_of(alone[1], "graph", "ndcg@5"))
    assert together[1] > together[0]
    assert both.pools[0].difference("ndcg@5", True, "graph", "random") == alone[1].difference(
        "ndcg@5", True, "graph", "random"
    )


def test_the_same_comparison_twice_is_the_same(fitted, compared):
    assert compare_with(fitted, run_split(fitted), pool="warm").to_json()["pools"][0] == compared.to_json()["pools"][1]


def test_any_arm_can_be_held_against_any_other_and_the_headline_stays(fitted):
    split = run_split(fitted)
    (result,) = compare_with(fitted, split, ["popularity", "content", "graph"], reference="popularity").pools
    pairs = {(one.arm, one.reference): one.p_holm for one in result.differences}
    assert set(pairs) == {("graph", "content"), ("content", "popularity"), ("graph", "popularity")}
    assert pairs["graph", "content"] is None
    assert not {one.popularity for one in result.differences if one.reference == "popularity"} - {True}
    (result,) = compare_with(fitted, split, ["popularity", "graph"]).pools  # the first where content is not there
    assert {(one.arm, one.reference) for one in result.differences} == {("graph", "popularity")}
    assert result.conclusion == "graph and content were not both compared"


def test_holm_is_taken_over_the_arms_of_one_metric_and_popularity(compared):
    for result in compared.pools:
        for metric in METRICS:
            for popularity in (True, False):
                family = [d for d in result.differences if (d.metric, d.popularity) == (metric, popularity)]
                assert [d.p_holm for d in family] == holm([d.interval.p_value for d in family])
                assert len(family) == (4 if popularity else 1)


def test_a_low_setting_of_memory_changes_nothing_and_takes_the_users_in_blocks(fitted, compared, monkeypatch):
    monkeypatch.setattr(evidence_module, "_BYTES_PER_SCORE", 2**20)  # one megabyte: less than a user's scores
    asked, rank = [], Recommender.rank

    def noted(self, users, *arguments: object):
        asked.append(len(users))
        return rank(self, users, *arguments)

    monkeypatch.setattr(Recommender, "rank", noted)
    low = compare_with(fitted, run_split(fitted), ["random", "graph"], memory_mb=60)
    assert max(asked) == 60 // len(build_pool(run_split(fitted), "cold").items) == 2
    assert low.pools[0].arms[1] == compared.pools[0].arms[4]


def test_arms_are_ranked_within_the_memory_that_is_set():
    """An arm that scores everything at once, as a dense one does."""

    class Dense:
        def rank(self, users, pool, seen, k, popularity):
            score_BP = np.random.default_rng(0).random((len(users), len(pool)))
            return rank_by_scores(lambda rows: score_BP[rows], len(users), seen.shape[1], pool, seen, k)

    shape = (3000, 2000)
    seen = sp.random(*shape, 0.001, format="csr", random_state=0)
    pool = Pool("full", np.arange(2000), "", seen, seen, np.arange(3000), LeftOut(0, 0, 0, 0))
    tracemalloc.start()
    lists = rank_in_blocks(Dense(), pool, 10, True, memory_mb=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lists.items_UK.shape == (3000, 10)
    assert peak < 8 * 2**20 + 2 * (lists.items_UK.nbytes + lists.scores_UK.nbytes)  # 48 MB without the setting


@pytest.fixture(scope="module")
def broken_down(fitted):
    return compare_with(
        fitted, run_split(fitted), ["random", "content", "graph"], ["cold", "full"], k=10,
        by=("item-degree", "user-degree", "modality"),
    )  # fmt: skip


def test_strata_are_what_a_loop_over_users_and_items_finds(fitted, broken_down):
    split, degree_I = run_split(fitted), fitted.model_.degree_I
    pool = build_pool(split, "full")
    lists = fitted.rank(pool.users, pool.items, pool.seen[pool.users], 10)
    strata = [one for one in broken_down.pools[1].strata if one.by == "item-degree"]
    bins = {"0": (0, 0), "1-2": (1, 2), "3-5": (3, 5), "6-20": (6, 20), "> 20": (21, 10**9)}
    seen_pairs = 0
    for stratum in strata:
        low, high = bins[stratum.label]
        shares, items, pairs = [], set(), 0
        for user, listed in zip(pool.users, lists.items_UK, strict=True):
            relevant = {item for item in pool.truth[user].indices if low <= degree_I[item] <= high}
            if relevant:
                shares.append(len(relevant & set(listed)) / len(relevant))
                items |= relevant
                pairs += len(relevant)
        assert (stratum.num_users, stratum.num_items, stratum.num_pairs) == (len(shares), len(items), pairs)
        assert value_of(stratum, "graph", "recall@10") == pytest.approx(np.mean(shares))
        seen_pairs += pairs
    assert seen_pairs == broken_down.pools[1].num_pairs


def test_users_of_all_degrees_together_are_the_pool(broken_down):
    for result in broken_down.pools:
        strata = [one for one in result.strata if one.by == "user-degree"]
        assert sum(one.num_users for one in strata) == result.num_users
        mean = sum(one.num_users * value_of(one, "graph", "ndcg@10") for one in strata) / result.num_users
        assert mean == pytest.approx(value_of(result, "graph", "ndcg@10"))


def test_a_stratum_has_the_interval_of_its_users_or_is_too_few_to_say(fitted, broken_down):
    all_strata = [one for result in broken_down.pools for one in result.strata]
    assert {one.too_few for one in all_strata} == {True, False}
    for one in all_strata:
        assert one.too_few == (one.num_users < 30 or one.num_items < 5)
        assert bool(one.differences) != one.too_few
        for difference in one.differences:
            assert difference.interval.num_users == one.num_users
            values = [
                value_of(one, arm, difference.metric, difference.popularity)
                for arm in (difference.arm, difference.reference)
            ]
            assert difference.interval.difference == pytest.approx(values[0] - values[1], abs=1e-12)
    (cold,) = [one for one in broken_down.pools[0].strata if one.by == "item-degree"]
    assert cold.label == "0"
    for difference in cold.differences:  # every item of the cold pool is in it
        whole = broken_down.pools[0].difference(
            difference.metric, difference.popularity, difference.arm, difference.reference
        )
        assert difference.interval == whole.interval


def test_items_are_grouped_by_what_is_known_of_them(fitted, broken_down):
    image = fitted.features_.modalities["image"].present_I
    pool = build_pool(run_split(fitted), "full")
    relevant = np.unique(pool.truth[pool.users].indices)
    counted = {one.label: one.num_items for one in broken_down.pools[1].strata if one.by == "modality"}
    assert counted["with image"] == image[relevant].sum()
    assert counted["no image"] == (~image[relevant]).sum()
    attributes = [m.present_I for name, m in fitted.features_.modalities.items() if name.startswith("attribute:")]
    assert counted["with attributes"] == np.any(attributes, axis=0)[relevant].sum()


def test_seeds_together_are_the_mean_of_each_users_values(small_dataset, quick_config):
    split = small_dataset.split_cold_items(0.2, seed=1)
    arms = ["random", "popularity", "content-untrained"]
    both = compare(split, arms, config=quick_config, reference="popularity", seeds=(0, 1))
    ones = [compare(split, arms, config=quick_config, reference="popularity", seeds=(seed,)) for seed in range(2)]
    assert both.seeds == (0, 1)
    assert merge_seeds(ones).to_json() == both.to_json()
    (result,) = both.pools
    alone = [one.pools[0] for one in ones]
    values = [value_of(one, "random", "recall@20") for one in alone]
    assert value_of(result, "random", "recall@20") == pytest.approx(np.mean(values))
    assert result.arms[0].spread["recall@20"] == pytest.approx(np.std(values, ddof=1))
    assert alone[0].arms[0].spread is None
    difference = result.difference("recall@20", True, "random", "popularity")
    assert difference.by_seed == pytest.approx(
        [one.difference("recall@20", True, "random", "popularity").interval.difference for one in alone]
    )
    per_user = [
        [one.evidence[0].arms[arm, True][0].findings.per_user(["recall"], [20])["recall@20"] for one in ones]
        for arm in ("random", "popularity")
    ]
    expected = paired_bootstrap(np.mean(per_user[0], 0), np.mean(per_user[1], 0), np.random.default_rng(0))
    assert vars(difference.interval) == pytest.approx(vars(expected), abs=1e-12)
    assert difference.items.low < difference.interval.difference < difference.items.high


def test_comparisons_of_other_questions_or_of_one_seed_twice_are_not_merged(fitted):
    split = run_split(fitted)
    one, other = (compare_with(fitted, split, ["random", arm]) for arm in ("popularity", "graph"))
    with pytest.raises(ValueError, match="same arms"):
        merge_seeds([one, other])
    with pytest.raises(ValueError, match="every seed once, got 0, 0"):
        merge_seeds([one, one])


def test_only_the_arms_that_are_asked_for_are_fitted(small_dataset, quick_config, monkeypatch):
    monkeypatch.setattr(module, "Recommender", None)
    split = small_dataset.split_cold_items(0.2, seed=1)
    (result,) = compare(split, ["popularity", "content-untrained"], config=quick_config).pools
    assert [arm.arm for arm in result.arms] == ["popularity", "content-untrained"]


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
    assert "got 0" in error_of(lambda: compare(split, k=()))
    assert "Unknown metric 'auc': choose from recall" in error_of(lambda: compare(split, metrics=["auc"]))
    assert "Unknown breakdown 'age': choose from item-degree" in error_of(lambda: compare(split, by=["age"]))
    assert "'ease' is not among the arms" in error_of(lambda: compare(split, ["graph"], reference="ease"))
    assert "got the string 'graph': write ['graph']" in error_of(lambda: compare(split, "graph"))
    assert "at least 1 MB" in error_of(lambda: compare(split, memory_mb=0))
    assert "several seeds, such as (0, 1, 2), got 3" in error_of(lambda: compare(split, seeds=3))


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


def test_what_the_command_line_asks_for_is_read():
    assert arm_names("all") == list(ARM_NAMES)
    assert arm_names("graph, random") == ["random", "graph"]
    assert cut_offs("50,10,20") == [10, 20, 50]
    assert "numbers with commas between them, such as 10,20, got '10,ten'" in error_of(lambda: cut_offs("10,ten"))
    assert metric_names("ndcg,gini,recall") == (["ndcg", "recall"], ["gini"])
    assert metric_names("coverage") == (["recall", "ndcg", "precision"], ["coverage"])
    assert metric_names("all") == (list(ALL_METRICS), list(LIST_METRICS))
    assert "Unknown metric 'hits': choose from recall" in error_of(lambda: metric_names("recall,hits"))
    assert by_names("all") == ["item-degree", "user-degree", "modality"]


def interval(low, high):
    return PairedInterval((low + high) / 2, low, high, 0.01, 50, 0.5)


HELPS, HURTS, NEITHER = interval(0.01, 0.03), interval(-0.03, -0.01), interval(-0.01, 0.02)


def result_of(items=None, **intervals: tuple[PairedInterval, PairedInterval]):
    """A pool's result from metric=(interval with popularity, interval without), and the interval over items of all."""
    verdicts = {HELPS: Verdict.HELPS, HURTS: Verdict.HURTS, NEITHER: Verdict.NO_DIFFERENCE_SHOWN}
    differences = [
        Difference("graph", "content", metric, popularity, one, items, 0.5, verdicts[one])
        for metric, pair in intervals.items()
        for popularity, one in zip((True, False), pair, strict=True)
    ]
    arm = ArmResult("graph", {"recall": np.nan}, None)
    return PoolResult("cold", "described", "covered", 3, 2, 7, [arm], differences)


def comparison_of(result):
    return Comparison("d", (20,), ("recall",), "content", (0,), [result], (), None, [], [])


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
    unsure = result_of(ItemInterval(-0.01, 0.05, 9, 100), recall=(HELPS, HELPS))
    assert unsure.conclusion == (
        "the graph helps (recall), with popularity on and off; with other held-out items it might not (recall)"
    )
    assert result_of(ItemInterval(0.01, 0.05, 9, 100), recall=(HELPS, HELPS)).conclusion.endswith("on and off")


def test_json_is_valid_without_nan_and_holds_the_conclusion(compared):
    for one in (compared, comparison_of(result_of(recall=(HELPS, NEITHER)))):
        text = json.dumps(one.to_json(), allow_nan=False)
        assert [pool["conclusion"] for pool in json.loads(text)["pools"]] == [pool.conclusion for pool in one.pools]
    plain = json.loads(text)["pools"][0]
    (arm,) = plain["arms"]
    assert (arm["arm"], arm["metrics"], arm["metrics_without_popularity"]) == ("graph", {"recall": None}, None)
    assert plain["differences"][0]["verdict"] == "helps"
    assert plain["differences"][0]["interval"]["low"] == 0.01


def test_the_printed_table_holds_every_figure_the_verdicts_and_the_conclusion(compared):
    text = str(compared)
    for result in compared.pools:
        assert f"{result.pool} pool: {result.description}; {result.coverage}" in text
        assert result.conclusion in text
        for arm in result.arms:
            assert all(f"{arm.metrics[metric]:.4f}" in text for metric in METRICS)
        for one in result.differences:
            assert describe_difference(one) in text
    line = describe_difference(
        Difference("graph", "content", "recall@20", False, HELPS, ItemInterval(0, 0.04, 9, 100), None, Verdict.HELPS)
    )
    assert line == (
        "graph - content, recall@20, popularity off: +0.0200 [+0.0100, +0.0300], over items [+0.0000, +0.0400], "
        "smallest detectable 0.0100: helps"
    )


def test_the_frame_has_a_row_for_every_figure(broken_down):
    frame = broken_down.to_frame()
    for result in broken_down.pools:
        rows = frame[(frame["pool"] == result.pool) & (frame["by"] == "") & frame["popularity"]]
        for arm in result.arms:
            mine = rows[rows["arm"] == arm.arm].set_index("metric")["value"]
            assert mine.to_dict() == pytest.approx(arm.metrics, nan_ok=True)
    one = broken_down.pools[1].difference("ndcg@10")
    (row,) = frame.query(
        "pool == 'full' and by == '' and arm == 'graph' and popularity and metric == 'ndcg@10'"
    ).to_dict("records")
    assert (row["reference"], row["difference"], row["low"]) == ("content", one.interval.difference, one.interval.low)
    assert (row["low_items"], row["p_holm"], row["verdict"]) == (one.items.low, one.p_holm, one.verdict)
    strata = frame[frame["by"] != ""]
    assert len(strata.groupby(["pool", "by", "stratum"])) == sum(len(one.strata) for one in broken_down.pools)
    assert frame.query("arm == 'content'")["reference"].isna().all()
