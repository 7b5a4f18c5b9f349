from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.baselines import content
from graphrec.baselines.arm import TrainingInput
from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.evaluation.protocol import build_pool
from graphrec.models import graph_model
from graphrec.models.graph_model import fit_graph_model
from graphrec.models.tuning import MaskedSplit, TuningConfig, mean_ndcg, tune_head


def planted(settings, popularity_weight):
    """Best, at 0, with penalty 45 (two steps of a round each), weights 3, 0 and 1 and popularity weight 0.4."""
    weights = settings.weights
    return -(
        abs(weights["good"] - 3)
        + weights["bad"]
        + abs(weights["plain"] - 1)
        + abs(np.log(settings.penalty / 45))
        + abs(popularity_weight - 0.4)
    )


class Counted:
    """A score that notes what it was asked."""

    def __init__(self, score):
        self.score, self.asked, self.answers = score, [], []

    def __call__(self, settings, popularity_weight):
        self.asked.append((tuple(settings.weights.values()), settings.penalty, popularity_weight))
        self.answers.append(self.score(settings, popularity_weight))
        return self.answers[-1]


def test_tuning_finds_the_planted_settings_and_stops_when_nothing_improves():
    score = Counted(planted)
    tuned = tune_head(["plain", "good", "bad"], score, tries=200)
    assert tuned.settings.weights == pytest.approx({"plain": 1, "good": 3, "bad": 0})
    assert tuned.settings.penalty == pytest.approx(45)
    assert tuned.popularity_weight == 0.4
    assert tuned.score == pytest.approx(0)
    assert len(score.asked) < 40


def test_tuning_without_tries_keeps_even_weights_and_no_popularity():
    score = Counted(planted)
    tuned = tune_head(["plain", "good", "bad"], score, tries=0)
    assert score.asked == [((1, 1, 1), 5, 0)]
    assert tuned.score == pytest.approx(planted(tuned.settings, 0))


@given(seed=st.integers(0, 10**6), tries=st.integers(0, 30), num_blocks=st.integers(1, 4))
def test_tuning_tries_no_more_than_its_budget_nothing_twice_and_keeps_the_best(seed, tries, num_blocks):
    """Beyond the tries only the starting point is scored."""

    def rugged(settings, popularity_weight):
        key = [round(v * 1e6) for v in (*settings.weights.values(), settings.penalty, popularity_weight)]
        return np.random.default_rng([seed, *key]).random()

    blocks = [f"block {number}" for number in range(num_blocks)]
    score, again = Counted(rugged), Counted(rugged)
    tuned = tune_head(blocks, score, tries)
    assert len(score.asked) <= tries + 1
    assert len(set(score.asked)) == len(score.asked)
    best = (tuple(tuned.settings.weights.values()), tuned.settings.penalty, tuned.popularity_weight)
    assert best in score.asked
    assert tuned.score == rugged(tuned.settings, tuned.popularity_weight)
    assert tuned.score == max(score.answers)
    assert tune_head(blocks, again, tries) == tuned
    assert again.asked == score.asked


def test_the_progress_bar_is_told_of_every_try_and_ends():
    steps = []

    def progress(tries, description, total=None):
        for step in tries:
            steps.append(step)
            yield step

    tune_head(["a"], lambda settings, weight: 0.0, 25, progress, "Tuning")
    assert steps == list(range(25))


@pytest.mark.parametrize("tries", [0, 3, 8, 12])
def test_the_content_and_the_graph_arm_get_the_same_number_of_tries(taste_world, small_config, monkeypatch, tries):
    """The graph arm's fold-in shares are tries too; one untuned start comes on top in both."""
    calls = {content: 0, graph_model: 0}
    budgets = {}

    def counting(module):
        original = module.tune_head

        def tune(blocks, score, tries, *more: Any):
            budgets[module] = tries

            def counted(*arguments: Any):
                calls[module] += 1
                return score(*arguments)

            return original(blocks, counted, tries, *more)

        monkeypatch.setattr(module, "tune_head", tune)

    counting(content)
    counting(graph_model)
    tried_shares = []
    search, best_share = graph_model.MaskedSearch, graph_model.MaskedSearch.best_share
    monkeypatch.setattr(
        search, "best_share", lambda self, shares: tried_shares.extend(shares) or best_share(self, shares)
    )
    best_raw_share, more_shares = search.best_raw_share, []

    def spy_raw_share(self, share, raw_shares):
        more_shares.extend(raw_shares[1:])  # the first one is what the other shares were found with
        return best_raw_share(self, share, raw_shares)

    monkeypatch.setattr(search, "best_raw_share", spy_raw_share)
    tuning = small_config.tuning.model_copy(update={"tries": tries})
    config = small_config.model_copy(update={"tuning": tuning})
    train = taste_world.split.train
    content.Content().fit(TrainingInput(train, taste_world.blocks, tuning))
    fit_graph_model(train, taste_world.blocks, config)
    assert calls[content] == budgets[content] + 1 == tries + 1
    assert calls[graph_model] == budgets[graph_model] + 1
    assert budgets[graph_model] + len(set(tried_shares)) + len(more_shares) == max(
        tries, 1
    )  # without tries the one share is no choice


@pytest.fixture
def outer(taste_world):
    return taste_world.split


def pairs_of(interactions):
    return set(zip(interactions.user_index_E.tolist(), interactions.item_index_E.tolist(), strict=True))


def truth_of(split):
    return set(zip(split.truth.user_index_P.tolist(), split.truth.item_index_P.tolist(), strict=True))


def test_masked_items_have_no_edge_in_the_smaller_training_set(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(masked_items=0.25), seed=1)
    degree_I = masked.split.train.interactions.item_degree()
    assert len(masked.cold.items) == 20  # a quarter of the 80 warm items
    assert not degree_I[masked.cold.items].any()
    np.testing.assert_array_equal(masked.warm_items, np.flatnonzero(degree_I))
    assert not set(masked.warm_items) & set(masked.cold.items)


def test_nothing_of_the_outer_truth_and_no_outer_cold_item_is_in_the_masked_split(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(), seed=1)
    inner_train, inner_truth = pairs_of(masked.split.train.interactions), truth_of(masked.split)
    assert inner_train.isdisjoint(inner_truth)
    assert inner_train | inner_truth == pairs_of(outer.train.interactions)
    assert (inner_train | inner_truth).isdisjoint(truth_of(outer))
    assert not np.isin(masked.cold.items, outer.cold_items).any()
    assert masked.split.train.truths == {}


def test_some_edges_of_the_other_items_are_masked_too(outer):
    masked = MaskedSplit.of(outer.train, TuningConfig(masked_edges=0.1), seed=1)
    pool, _ = masked.judges("warm")
    warm_pairs = len([item for _, item in pairs_of(outer.train.interactions) if item not in masked.cold.items])
    assert pool.truth.nnz == round(0.1 * warm_pairs)


def test_judges_are_at_most_max_users_drawn_by_the_seed(outer):
    config = TuningConfig(max_users=17)
    pool, users = MaskedSplit.of(outer.train, config, seed=1).judges("cold")
    assert len(users) == 17 < len(pool.users)
    assert np.isin(users, pool.users).all()
    assert (np.diff(users) > 0).all()
    np.testing.assert_array_equal(MaskedSplit.of(outer.train, config, seed=1).judges("cold")[1], users)
    everybody, all_users = MaskedSplit.of(outer.train, TuningConfig(), seed=1).judges("cold")
    np.testing.assert_array_equal(all_users, everybody.users)


def test_where_no_edge_is_masked_nobody_judges_the_warm_pool(outer):
    assert MaskedSplit.of(outer.train, TuningConfig(masked_edges=1e-6), seed=1).judges("warm") is None


def test_mean_ndcg_by_hand(as_dataset):
    """Items 2 and 3 are cold. User 0 finds item 3 first, user 1 second, user 2 finds both."""
    train = as_dataset(Interactions.from_pairs([0, 1, 2], [0, 0, 1], num_users=3, num_items=4))
    split = Split(train, Truth(np.array([0, 1, 2, 2]), np.array([3, 3, 2, 3])))
    vectors_ID = np.array([[9.0, 9.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]])
    query_BD = np.array([[0.0, 1.0], [1.0, 0.5], [1.0, 1.0]])
    pool = build_pool(split, "cold")
    second = 1 / np.log2(3)
    assert mean_ndcg(query_BD, vectors_ID, pool, np.arange(3)) == pytest.approx((1 + second + 1) / 3)
    assert mean_ndcg(query_BD[[1]], vectors_ID, pool, np.array([1])) == pytest.approx(second)
    vectors_ID[0] = -9  # user 2 has seen item 1, which would come first
    assert mean_ndcg(query_BD[[2]], vectors_ID, build_pool(split, "full"), np.array([2])) == pytest.approx(1)
