"""What every registered baseline does alike: an arm that is added to the registry is tested without another line."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from graphrec.baselines import lightgcn, mf_content, towers
from graphrec.baselines.popularity import Popularity
from graphrec.baselines.registry import BASELINES
from graphrec.data.dataset import Truth
from graphrec.errors import GraphRecError

USERS, ITEMS = np.arange(45), np.arange(30)
SEES_FEATURES = ["content-untrained", "content", "ease-content", "two-tower-bce", "two-tower", "mf-content"]
NEEDS_OTHER_SITES = ["content-cross-site"]  # tested where there are some, in tests/cross_site


@pytest.fixture(scope="module", autouse=True)
def few_epochs():
    """What is tested here does not depend on how well an arm has learned."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (lightgcn, mf_content, towers):
            patch.setattr(module, "_MAX_EPOCHS", 6)
        yield


@pytest.fixture(scope="module")
def quick(inputs, few_epochs):
    return replace(inputs, tuning=inputs.tuning.model_copy(update={"tries": 2}))


@pytest.fixture(scope="module")
def fitted_arm(quick):
    return cache(lambda name: BASELINES[name]().fit(quick))


@pytest.fixture(params=[name for name in BASELINES if name not in NEEDS_OTHER_SITES])
def name(request):
    return request.param


@pytest.fixture
def arm(name, fitted_arm):
    return fitted_arm(name)


@pytest.fixture
def seen(quick):
    return quick.train.interactions.user_item_matrix()


def dense_scores(lists):
    """Scores as users × items; nan where an item is not in the list."""
    score_UI = np.full((len(lists), 30), np.nan)
    rows, ranks = np.nonzero(lists.items_UK >= 0)
    score_UI[rows, lists.items_UK[rows, ranks]] = lists.scores_UK[rows, ranks]
    return score_UI


class TestEveryBaseline:
    def test_recommends_unseen_items_of_the_catalogue_best_first(self, arm, quick, seen):
        table = arm.recommend(["u07", "u30", "u07"], k=6)
        assert table.columns.tolist() == ["user_id", "rank", "item_id", "score"]
        assert table["user_id"].tolist() == ["u07"] * 6 + ["u30"] * 6 + ["u07"] * 6
        assert table["rank"].tolist() == [1, 2, 3, 4, 5, 6] * 3
        assert table["item_id"].tolist()[:6] == table["item_id"].tolist()[12:]
        for user in (7, 30):
            rows = table[table["user_id"] == f"u{user:02}"][:6]
            assert (rows["score"].diff().dropna() <= 0).all()
            items = quick.train.catalogue.id_index.get_indexer(rows["item_id"])
            assert (items >= 0).all()
            assert len(set(items)) == 6
            assert not set(items) & set(seen[user].indices)

    def test_a_list_is_short_only_where_fewer_items_are_unseen(self, arm, quick):
        table = arm.recommend(["u07", "u30"], k=99)
        degree_U = quick.train.interactions.user_degree()
        assert table.groupby("user_id").size().to_dict() == {"u07": 30 - degree_U[7], "u30": 30 - degree_U[30]}

    def test_an_unknown_user_is_refused_in_one_line(self, arm):
        with pytest.raises(GraphRecError, match="'nobody'") as caught:
            arm.recommend(["u07", "nobody", "u30"])
        assert "\n" not in str(caught.value)

    def test_asking_for_nobody_gives_an_empty_table(self, arm):
        table = arm.recommend([])
        assert len(table) == 0
        assert table.columns.tolist() == ["user_id", "rank", "item_id", "score"]

    @pytest.mark.parametrize("popularity", [True, False])
    def test_a_list_does_not_depend_on_who_else_asks(self, arm, seen, popularity, monkeypatch):
        if not popularity and not arm.has_personal_part:
            pytest.skip("not shown with popularity off")
        together = arm.rank(USERS, ITEMS, seen, 30, popularity)
        for user in (0, 17, 43, 44):
            alone = arm.rank(np.array([user]), ITEMS, seen[[user]], 30, popularity)
            np.testing.assert_array_equal(alone.items_UK[0], together.items_UK[user])
        order = np.random.default_rng(0).permutation(45)
        shuffled = arm.rank(order, ITEMS, seen[order], 30, popularity)
        np.testing.assert_array_equal(shuffled.items_UK, together.items_UK[order])
        monkeypatch.setattr("graphrec.baselines.arm._USERS_PER_BLOCK", 7)
        monkeypatch.setattr("graphrec.baselines.arm._SCORES_PER_BLOCK", 7 * 30)
        in_blocks = arm.rank(USERS, ITEMS, seen, 30, popularity)
        np.testing.assert_array_equal(in_blocks.items_UK, together.items_UK)

    def test_only_items_of_the_pool_are_ranked(self, arm, cold):
        lists = arm.rank(USERS, cold, None, 5)
        np.testing.assert_array_equal(np.sort(lists.items_UK, axis=1), np.tile(cold, (45, 1)))

    def test_a_user_who_has_seen_the_whole_pool_gets_an_empty_list(self, arm, seen):
        user = 7
        pool = np.sort(seen[user].indices).astype(np.int64)
        lists = arm.rank(np.array([user, 44]), pool, seen[[user, 44]], 4)
        assert (lists.items_UK[0] == -1).all()
        assert np.isnan(lists.scores_UK[0]).all()
        assert (lists.items_UK[1] >= 0).all()

    def test_a_user_with_one_item_is_ranked_for_like_anybody(self, arm, seen):
        assert seen[43].nnz == 1
        lists = arm.rank(np.array([43]), ITEMS, seen[[43]], 30)
        assert len(set(lists.items_UK[0])) == 30  # 29 items and the padding
        assert np.isfinite(lists.scores_UK[0, :29]).all()

    def test_the_same_seed_gives_the_same_lists_and_held_out_truth_is_never_read(self, name, arm, quick, cold):
        truth = Truth(np.arange(40), np.resize(cold, 40))
        told = replace(quick, train=replace(quick.train, truths={"test": truth}))
        one, same = arm.rank(USERS, ITEMS, None, 30), BASELINES[name]().fit(told).rank(USERS, ITEMS, None, 30)
        np.testing.assert_array_equal(same.items_UK, one.items_UK)
        np.testing.assert_array_equal(same.scores_UK, one.scores_UK)

    def test_with_popularity_off_the_average_user_is_recommended_nothing(self, arm):
        if not arm.has_personal_part:
            pytest.skip("not shown with popularity off")
        with_history = np.arange(44)
        mean_I = dense_scores(arm.rank(with_history, ITEMS, None, 30, popularity=False)).mean(axis=0)
        np.testing.assert_allclose(mean_I, 0, atol=1e-4)
        on, off = (arm.rank(with_history, ITEMS, None, 30, popularity).items_UK for popularity in (True, False))
        assert (on != off).any()


@pytest.mark.parametrize("name", SEES_FEATURES)
@pytest.mark.parametrize("popularity", [True, False])
def test_a_new_items_features_change_its_own_score_and_no_other(quick, changed_arm, fitted_arm, name, popularity):
    if not popularity and not BASELINES[name].has_personal_part:
        pytest.skip("not shown with popularity off")
    one, other = (
        dense_scores(arm.rank(USERS, ITEMS, None, 30, popularity)) for arm in (fitted_arm(name), changed_arm(name))
    )
    others = ITEMS != 11
    np.testing.assert_array_equal(one[:44, others], other[:44, others])
    assert not np.array_equal(one[:44, ~others], other[:44, ~others])


@pytest.fixture(scope="module")
def changed_arm(quick):
    """Fitted with the features of the cold item 11 turned round."""
    x_IF = quick.blocks.x_IF.copy()
    x_IF[11] = -x_IF[11]
    changed = replace(quick, blocks=replace(quick.blocks, x_IF=x_IF))
    return cache(lambda name: BASELINES[name]().fit(changed))


@pytest.mark.parametrize("name", ["item-knn", "als", "ease"])
def test_cold_items_that_an_arm_knows_nothing_of_stand_in_a_random_order(quick, cold, name):
    orders = set()
    for seed in range(6):
        arm = BASELINES[name]().fit(replace(quick, seed=seed, tuning=quick.tuning.model_copy(update={"tries": 0})))
        lists = arm.rank(USERS, cold, None, 5)
        assert (lists.items_UK == lists.items_UK[0]).all()
        assert (lists.scores_UK == 0).all()
        orders.add(tuple(lists.items_UK[0]))
    assert len(orders) > 4


def test_popularity_says_that_it_has_no_personal_part():
    assert not Popularity.has_personal_part
