"""Splits and pools of data with a target site: what is held out is this site's, what helps is everybody's."""

import numpy as np
import pytest

from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import build_pool
from graphrec.graph.site_view import SiteView

HERE, LINKED = 90, 60


def events(interactions):
    return list(zip(interactions.user_index_E.tolist(), interactions.item_index_E.tolist(), strict=True))


def of_there(interactions):
    return [pair for pair in events(interactions) if pair[1] >= HERE]


@pytest.fixture
def data(two_shops):
    return two_shops.dataset


@pytest.mark.parametrize("way", ["items", "items and pairs", "pairs", "folds"])
def test_only_this_sites_items_are_held_out_and_what_others_did_stays(data, way):
    splits = {
        "items": lambda: [data.split_cold_items(0.2, seed=3)],
        "items and pairs": lambda: [data.split_cold_items(0.2, seed=3, warm_fraction=0.2)],
        "pairs": lambda: [data.split_warm_pairs(0.2, seed=3)],
        "folds": lambda: data.cold_item_folds(4, seed=3),
    }[way]()
    for split in splits:
        assert (split.truth.item_index_P < HERE).all()
        assert of_there(split.train.interactions) == of_there(data.interactions)
        held_out = set(zip(split.truth.user_index_P.tolist(), split.truth.item_index_P.tolist(), strict=True))
        own = {pair for pair in events(data.interactions) if pair[1] < HERE}
        assert set(events(split.train.own_interactions)) == own - held_out
        assert held_out <= own
        assert split.train.target_site == "here"


def test_the_share_of_cold_items_is_of_this_sites(data):
    split = data.split_cold_items(0.2, seed=3)
    assert len(np.unique(split.truth.item_index_P)) == 18  # of 90, all of which somebody touched
    folds = data.cold_item_folds(4, seed=3)
    assert np.concatenate([np.unique(fold.truth.item_index_P) for fold in folds]).tolist() != list(range(HERE))
    assert sorted(np.concatenate([np.unique(fold.truth.item_index_P) for fold in folds])) == list(range(HERE))


@pytest.mark.parametrize("name", ["cold", "warm", "full"])
def test_pools_hold_this_sites_items_alone(data, name):
    split = data.split_cold_items(0.2, seed=3, warm_fraction=0.1)
    pool, cold = build_pool(split, name), np.unique(split.truth.item_index_P)
    cold = cold[split.train.own_interactions.item_degree()[cold] == 0]
    expected = {"cold": cold, "warm": np.setdiff1d(np.arange(HERE), cold), "full": np.arange(HERE)}[name]
    np.testing.assert_array_equal(np.sort(pool.items), expected)
    if name == "full":
        assert pool.description == "all 90 items of site here, 18 of them without a training edge"


def test_without_a_target_site_everything_is_held_out_of(data):
    """The others can fail."""
    split = data.for_site(None).split_cold_items(0.2, seed=3)
    assert (split.truth.item_index_P >= HERE).any()
    assert len(build_pool(split, "full").items) == 170


def test_visitors_are_shown_with_what_they_did_elsewhere_and_judged_by_what_they_did_here(data):
    split = data.split_visitors(0.5, seed=3)
    held = np.unique(split.truth.user_index_P)
    assert len(held) == 10  # of the 20 who are known on both sites
    assert ((held >= 120) & (held < 140)).all()
    assert set(split.visible.user_index_E.tolist()) == set(held.tolist())
    assert (split.truth.item_index_P < HERE).all()
    assert (split.visible.item_index_E >= HERE).all()
    assert set(events(split.train.interactions)) == {
        pair for pair in events(data.interactions) if pair[0] not in set(held.tolist())
    }


def test_a_site_that_is_left_out_keeps_what_others_did_with_its_products(data):
    split = data.split_site(0.8, seed=3)
    train = split.train.interactions
    moved = [(user, item - HERE if item < HERE + LINKED else item) for user, item in of_there(data.interactions)]
    assert events(train) == moved
    assert (split.truth.item_index_P < HERE).all()
    assert (split.visible.item_index_E < HERE).all()
    assert SiteView.of(split.train).degree_I[:LINKED].all()
    assert not SiteView.of(split.train).degree_I[LINKED:].any()


@pytest.mark.parametrize("way", ["split_visitors", "split_site"])
def test_without_a_target_site_nobody_is_a_visitor(data, way):
    with pytest.raises(GraphRecError, match="Name the site whose visitors are meant"):
        getattr(data.for_site(None), way)()
