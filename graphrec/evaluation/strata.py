"""Groups of items or users that a comparison is broken down by: degree in training, and which modalities there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Axis = Literal["items", "users"]

ITEM_DEGREE_BINS = {"0": (0, 0), "1-2": (1, 2), "3-5": (3, 5), "6-20": (6, 20), "> 20": (21, np.inf)}
"""Label → least and largest number of training users that it counts."""
USER_DEGREE_BINS = {"1-2": (1, 2), "3-5": (3, 5), "6-20": (6, 20), "21-100": (21, 100), "> 100": (101, np.inf)}
"""Label → least and largest number of training items. A user without any is not evaluated."""


@dataclass(frozen=True)
class Group:
    """One stratum: which items, or which users, belong to it."""

    by: str
    """What it is broken down by: item-degree, user-degree or modality."""
    label: str
    axis: Axis
    is_member: np.ndarray
    """bool over all items or all users of the dataset."""


def item_degree_groups(degree_I: np.ndarray) -> list[Group]:
    """Items by the number of users who touched them in training."""
    return _binned("item-degree", "items", degree_I, ITEM_DEGREE_BINS)


def user_degree_groups(degree_U: np.ndarray) -> list[Group]:
    """Users by the number of items that they touched in training."""
    return _binned("user-degree", "users", degree_U, USER_DEGREE_BINS)


def modality_groups(present_I: Mapping[str, np.ndarray]) -> list[Group]:
    """Items that have each modality, and those that lack it; a modality that all or none have is one group."""
    groups = []
    for name, is_there_I in present_I.items():
        for label, is_member_I in ((f"with {name}", is_there_I), (f"no {name}", ~is_there_I)):
            if is_member_I.any():
                groups.append(Group("modality", label, "items", is_member_I))
    return groups


def _binned(by: str, axis: Axis, degree: np.ndarray, bins: Mapping[str, tuple[float, float]]) -> list[Group]:
    return [Group(by, label, axis, (degree >= low) & (degree <= high)) for label, (low, high) in bins.items()]
