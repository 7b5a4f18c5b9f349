from dataclasses import replace

import numpy as np
import pytest

from graphrec.clip_effect import cold_item_ids, cold_recall_effect, cold_split
from graphrec.data.dataset import OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig
from graphrec.models.tuning import TuningConfig

QUICK = TuningConfig(tries=2)


def test_the_cold_items_of_the_truth_are_what_a_fit_must_not_see(small_dataset):
    split = cold_split(small_dataset, seed=3)
    degree_I = split.train.interactions.item_degree()
    rows = small_dataset.catalogue.id_index.get_indexer(cold_item_ids(split))
    assert len(rows) == round(0.2 * (small_dataset.interactions.item_degree() > 0).sum())
    assert (degree_I[rows] == 0).all()
    assert set(rows.tolist()) == set(split.truth.item_index_P.tolist())


def test_the_same_clip_twice_makes_no_difference_and_own_vectors_do_not_take_its_place(small_dataset):
    ids = small_dataset.catalogue.item_ids
    own = OwnVectors(ids, np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32))
    split = cold_split(replace(small_dataset, own_vectors={"image": own}), seed=3)
    small = ClipConfig()
    effect = cold_recall_effect(split, small, ClipConfig(batch_size=7), tuning=QUICK)
    assert [one.arm for one in effect.arms] == ["content-untrained", "content"]
    for one in effect.arms:
        assert one.before == pytest.approx(one.after, abs=1e-9)
        assert set(one.before) == {"recall@20", "ndcg@20"}
        assert one.difference["recall@20"].low == one.difference["recall@20"].high == 0
    plain = cold_recall_effect(cold_split(small_dataset, seed=3), small, small, tuning=QUICK)
    assert plain.arms[0].before == pytest.approx(effect.arms[0].before)


def test_a_split_without_anything_cold_is_refused(small_dataset):
    split = small_dataset.split_cold_items(0.2, 3, 0.2)
    degree_I = split.train.interactions.item_degree()
    is_warm_P = degree_I[split.truth.item_index_P] > 0
    truth = replace(
        split.truth,
        user_index_P=split.truth.user_index_P[is_warm_P],
        item_index_P=split.truth.item_index_P[is_warm_P],
    )
    with pytest.raises(GraphRecError, match="The cold pool is empty"):
        cold_recall_effect(replace(split, truth=truth), ClipConfig(), ClipConfig(), tuning=QUICK)
