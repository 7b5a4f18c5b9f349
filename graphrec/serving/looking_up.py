"""One item of the catalogue."""

import numpy as np

from graphrec.serving.answers import ItemAnswer
from graphrec.serving.problems import ProblemError
from graphrec.serving.service import Snapshot


def look_up(now: Snapshot, item_id: str) -> ItemAnswer:
    """What is known of the item. Raises ProblemError (404) where there never was one."""
    state = now.state
    row = state.items.id_index.indices([item_id])
    if row[0] < 0:
        raise ProblemError(404, "The catalogue has no item of this id.")
    return ItemAnswer(
        model_version=now.version,
        sequence=now.sequence,
        item_id=item_id,
        title=str(state.items.title[row][0]),
        site=str(state.items.site[row][0]),
        degree=int(state.degree[row][0]),
        source=str(state.source(row)[0]),
        is_removed=bool(np.isin(row, state.items.removed)[0]),
    )
