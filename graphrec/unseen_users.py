"""Arms that meet users whom training never saw: encoded from what is known of them now, nothing learned anew."""

from copy import copy
from dataclasses import replace

import numpy as np

from graphrec.baselines.arm import Arm, Baseline
from graphrec.data.dataset import Split
from graphrec.recommender import Recommender

_USERS_AT_ONCE = 1024
"""Users that are encoded together: their items' vectors stand side by side in memory."""


def meet_users(arm: Arm, split: Split) -> Arm:
    """The arm as it ranks for all users of the split; itself where the split shows none that training did not see.

    Raises GraphRecError where the arm cannot rank for users that it was not trained on.
    """
    if split.visible is None:
        return arm
    if isinstance(arm, Baseline):
        return arm.knowing(split.known)
    return _knowing(arm, split) if isinstance(arm, Recommender) else arm


def _knowing(model: Recommender, split: Split) -> Recommender:
    """The same vectors, and a query for each held-out user as `recommend_from_items` makes one of a basket."""
    assert split.visible is not None
    known, encoded, encoder = model.view.as_nodes(split.known), model.model_.encoded, model.model_.encoder
    users = np.unique(split.visible.user_index_E)
    q_UD = np.array(encoded.q_UD)
    for start in range(0, len(users), _USERS_AT_ONCE):
        block = users[start : start + _USERS_AT_ONCE]
        items = [known.indices[known.indptr[user] : known.indptr[user + 1]] for user in block]
        q_UD[block] = encoder.encode_users(encoded.states_LID, items)
    other = copy(model)
    other.model_ = replace(model.model_, encoded=replace(encoded, q_UD=q_UD))
    other.seen = known
    return other
