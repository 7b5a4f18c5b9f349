"""A run as if some people had never been in it, but for what nothing but training makes anew.

That is the weights and, because the weights are for these very columns, what the features were fitted to: vocabulary,
directions of words, values and ranges of attributes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphrec.data.without_users import named_rows, truths_without_users, without_users
from graphrec.errors import GraphRecError
from graphrec.features.gate import item_blocks
from graphrec.models.refit import refit
from graphrec.retrieval.item_index import ItemIndex
from graphrec.run_folder import Run

_FEWEST = 10
"""Items with interactions, and users with at least two: as for training."""


def run_without_users(run: Run, user_ids: Sequence[str]) -> Run:
    """See `Recommender.forget_users`."""
    is_forgotten_U = run.train.user_id_index.isin(list(user_ids))
    came_later = run.changes.user_ids
    for one in user_ids:
        if one not in run.train.user_id_index and one not in came_later and not named_rows(run.train, [one]).any():
            raise GraphRecError(f"Unknown user {one!r}: not in the run. Nothing was changed.")
    train = without_users(run.train, user_ids)
    own = train.own_interactions
    degree_I = own.item_degree()
    if np.count_nonzero(degree_I) < _FEWEST or np.count_nonzero(own.user_degree() > 1) < _FEWEST:
        raise GraphRecError("Too little would be left to recommend from: delete the run, and train on other data.")
    blocks = item_blocks(run.features, degree_I > 0)
    model = refit(run.model, train, blocks, run.config.model, run.config.seed)
    return replace(
        run,
        train=train,
        model=model,
        index=ItemIndex.build(model.served_ID, run.config.index),
        held_out=truths_without_users(run.held_out, ~is_forgotten_U),
        changes=run.changes.without_users(user_ids),
        forgotten=run.forgotten + int(np.count_nonzero(run.train.interactions.user_degree()[is_forgotten_U])),
    )
