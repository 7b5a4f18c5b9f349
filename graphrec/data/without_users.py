"""A dataset as if some people had never been in it: their rows leave, and those after them move up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from graphrec.data.dataset import Dataset, Truth
from graphrec.data.mentions import Mentions


def without_users(dataset: Dataset, user_ids: Sequence[str]) -> Dataset:
    """The dataset without these users, their events, their held-out pairs and the rows set aside that name them.

    The other users keep their order, items their indices. Ids that the dataset does not have as users leave the rows
    set aside all the same.
    """
    is_kept_U = ~dataset.user_id_index.isin(list(user_ids))
    place_U = np.cumsum(is_kept_U) - 1
    inter, rows = dataset.interactions, dataset.set_aside.rows
    events = inter.take(is_kept_U[inter.user_index_E])
    return replace(
        dataset,
        user_ids=dataset.user_ids[is_kept_U],
        interactions=replace(
            events, num_users=int(is_kept_U.sum()), user_index_E=place_U[events.user_index_E].astype(np.int64)
        ),
        truths=truths_without_users(dataset.truths, is_kept_U),
        set_aside=replace(dataset.set_aside, rows=pd.DataFrame(rows[~named_rows(dataset, user_ids)])),
    )


def truths_without_users(truths: Mapping[str, Truth], is_kept_U: np.ndarray) -> dict[str, Truth]:
    """The pairs of the users under the mask, by the indices that these have among themselves."""
    place_U = np.cumsum(is_kept_U) - 1
    kept = {}
    for name, truth in truths.items():
        is_kept_P = is_kept_U[truth.user_index_P]
        user_P = place_U[truth.user_index_P[is_kept_P]].astype(np.int64)
        kept[name] = replace(truth, user_index_P=user_P, item_index_P=truth.item_index_P[is_kept_P])
    return kept


def named_rows(dataset: Dataset, user_ids: Sequence[str]) -> np.ndarray:
    """Mask of the rows set aside whose value names one of these people."""
    mentions = Mentions.of(user_ids, dataset.user_ids)
    return dataset.set_aside.rows["value"].map(lambda value: mentions.within(str(value))).to_numpy(dtype=bool)
