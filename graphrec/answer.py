"""Ranked items as columns: plain arrays, which are quick, and the table that people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.living.live_state import LiveState

_TEXT = pd.Series([""]).dtype
"""What pandas makes of strings: its string type from version 3 on, objects before."""


@dataclass(frozen=True)
class Answer:
    """N ranked items of one query or several, one after the other."""

    columns: dict[str, np.ndarray]
    """What each query was made of, then rank (from 1), item_id, score, title, degree, source; (N,) each."""

    @classmethod
    def of(
        cls,
        state: LiveState,
        items_BK: np.ndarray,
        scores_BK: np.ndarray,
        queries: Mapping[str, np.ndarray] | None = None,
    ) -> Self:
        """Of the items that were found, -1 left out. `queries` has B values by the name of a column."""
        is_found_BK = items_BK >= 0
        row, place = np.nonzero(is_found_BK)
        item = items_BK[is_found_BK]
        columns = {name: values[row] for name, values in (queries or {}).items()}
        return cls(
            columns
            | {
                "rank": place + 1,
                "item_id": state.items.item_ids[item],
                "score": scores_BK[is_found_BK],
                "title": state.items.title[item],
                "degree": state.degree[item],
                "source": state.source(item),
            }
        )

    def __len__(self) -> int:
        return len(self.columns["rank"])

    def table(self) -> pd.DataFrame:
        """One row an item."""
        return pd.DataFrame({name: _column(values) for name, values in self.columns.items()}, copy=False)


def _column(values: np.ndarray) -> "np.ndarray | pd.api.extensions.ExtensionArray":
    """Strings as pandas would hold them, without its looking at each of them first: that is most of a table's price."""
    if values.dtype != object or not isinstance(_TEXT, pd.StringDtype):
        return values
    return pd.array(pa.array(values, pa.large_string()), dtype=_TEXT)
