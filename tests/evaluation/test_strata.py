import numpy as np

from graphrec.evaluation.strata import item_degree_groups, modality_groups, user_degree_groups


def members(groups):
    return {group.label: np.flatnonzero(group.is_member).tolist() for group in groups}


def test_items_are_grouped_by_their_training_users():
    groups = item_degree_groups(np.array([0, 1, 2, 3, 5, 6, 20, 21, 999]))
    assert members(groups) == {"0": [0], "1-2": [1, 2], "3-5": [3, 4], "6-20": [5, 6], "> 20": [7, 8]}
    assert {(group.by, group.axis) for group in groups} == {("item-degree", "items")}


def test_users_are_grouped_by_their_training_items_and_nobody_twice():
    degree_U = np.arange(1, 300)
    groups = user_degree_groups(degree_U)
    assert (sum(group.is_member.astype(int) for group in groups) == 1).all()
    assert [int(degree_U[group.is_member][0]) for group in groups] == [1, 3, 6, 21, 101]
    assert {(group.by, group.axis) for group in groups} == {("user-degree", "users")}


def test_a_modality_splits_the_items_in_those_that_have_it_and_those_that_lack_it():
    groups = modality_groups({"image": np.array([True, False, True]), "text": np.ones(3, dtype=bool)})
    assert members(groups) == {"with image": [0, 2], "no image": [1], "with text": [0, 1, 2]}
