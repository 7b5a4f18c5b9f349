"""Item-kNN against a loop over pairs of items."""

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.baselines import item_knn
from graphrec.baselines.item_knn import ItemKNN, ItemKNNSettings, nearest_items, ones

USERS, ITEMS = np.arange(45), np.arange(30)


def naive_neighbours(touched_UI, neighbours, shrinkage):
    """Pair by pair: cosine with shrinkage; each item keeps its nearest others, equal ones by item index."""
    num_items = touched_UI.shape[1]
    kept_II = np.zeros((num_items, num_items))
    for item in range(num_items):
        similarity = {}
        for other in range(num_items):
            common = np.sum(touched_UI[:, item] * touched_UI[:, other])
            if other != item and common:
                length = np.sqrt(touched_UI[:, item].sum() * touched_UI[:, other].sum())
                similarity[other] = common / (length + shrinkage)
        for other in sorted(similarity, key=lambda one: (-similarity[one], one))[:neighbours]:
            kept_II[other, item] = similarity[other]
    return kept_II


@pytest.mark.parametrize(("neighbours", "shrinkage"), [(3, 0.0), (5, 2.5), (100, 10.0)])
@pytest.mark.parametrize("block", [10**9, 70])
def test_neighbours_are_those_of_a_naive_loop(inputs, neighbours, shrinkage, block, monkeypatch):
    monkeypatch.setattr(item_knn, "_SIMILARITIES_PER_BLOCK", block)  # 70: blocks of two items
    matrix_UI = ones(inputs.train.interactions.user_item_matrix())
    found_II = nearest_items(matrix_UI, ItemKNNSettings(neighbours=neighbours, shrinkage=shrinkage))
    np.testing.assert_allclose(found_II.toarray(), naive_neighbours(matrix_UI.toarray(), neighbours, shrinkage))


def test_a_score_is_the_sum_of_similarities_to_the_users_items(inputs):
    arm = ItemKNN().fit(inputs)
    touched_UI = (inputs.train.interactions.user_item_matrix().toarray() > 0).astype(float)
    expected_UI = touched_UI @ naive_neighbours(touched_UI, arm.settings_.neighbours, arm.settings_.shrinkage)
    lists = arm.rank(USERS, ITEMS, None, 30)
    np.testing.assert_allclose(lists.scores_UK, np.take_along_axis(expected_UI, lists.items_UK, axis=1), rtol=1e-6)
    assert (np.diff(lists.scores_UK, axis=1) <= 0).all()


def test_shrinkage_doubts_a_similarity_that_rests_on_one_user():
    """Items 0 and 1 share their only user, items 0 and 2 share four of five: the lone pair's cosine is the larger."""
    pairs = [(0, 0), (0, 1), *((user, item) for user in (1, 2, 3, 4) for item in (0, 2)), (5, 2)]
    matrix_UI = ones(sp.csr_matrix((np.ones(len(pairs)), tuple(zip(*pairs, strict=True))), (6, 3)))
    near = nearest_items(matrix_UI, ItemKNNSettings(neighbours=2, shrinkage=100.0)).toarray()
    assert near[2, 0] > 3.5 * near[1, 0] > 0
    assert near[0, 0] == 0
