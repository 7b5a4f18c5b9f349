"""The table of an answer: what the ranked items are, as a data frame."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.living.live_state import LiveState

_TEXT = pd.Series([""]).dtype
"""What pandas makes of strings: its string type from version 3 on, objects before."""


def answer_table(
    state: LiveState, items_BK: np.ndarray, scores_BK: np.ndarray, columns: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """One row for each item that was found: rank (from 1), item_id, score, title, degree, source.

    `columns` of B values each stand before these.
    """
    row, place = np.nonzero(items_BK >= 0)
    item = items_BK[row, place]
    of_queries = {name: _text(values[row]) for name, values in (columns or {}).items()}
    of_items = {
        "rank": place + 1,
        "item_id": _text(state.items.item_ids[item]),
        "score": scores_BK[row, place],
        "title": _text(state.items.title[item]),
        "degree": state.degree[item],
        "source": _text(state.source(item)),
    }
    return pd.DataFrame(of_queries | of_items, copy=False)


def _text(values: np.ndarray) -> "np.ndarray | pd.api.extensions.ExtensionArray":
    """Strings as pandas would hold them, without its looking at each of them first: that is most of a table's price."""
    if not isinstance(_TEXT, pd.StringDtype):
        return values
    return pd.array(pa.array(values, pa.large_string()), dtype=_TEXT)
