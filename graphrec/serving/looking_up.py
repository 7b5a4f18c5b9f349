"""One item of the catalogue."""

import pandas as pd

from graphrec.models.fallback import sources
from graphrec.serving.answers import ItemAnswer
from graphrec.serving.problems import ProblemError
from graphrec.serving.service import Snapshot


def look_up(now: Snapshot, item_id: str) -> ItemAnswer:
    """What is known of the item. Raises ProblemError (404) where there is none."""
    catalogue, model = now.model.train_.catalogue, now.model.model_
    item = catalogue.id_index.get_indexer(pd.Index([item_id], dtype=object))
    if item[0] < 0:
        raise ProblemError(404, "The catalogue has no item of this id.")
    source = sources(model.degree_I[item], model.choices.half_degree, model.degree_elsewhere_I[item])
    return ItemAnswer(
        model_version=now.version,
        sequence=now.sequence,
        item_id=item_id,
        title=catalogue.title[item[0]],
        site=catalogue.site[item[0]],
        degree=int(model.degree_I[item[0]]),
        source=str(source[0]),
        is_removed=False,
    )
