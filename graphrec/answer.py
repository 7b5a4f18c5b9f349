"""An answer: the ranked items of one state of the model, and what is told of each of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.living.live_state import LiveState

_TEXT = pd.Series([""]).dtype
"""What pandas makes of strings: its string type from version 3 on, objects before."""


@dataclass(frozen=True)
class Answer:
    """Best first, for each of B queries; -1 where fewer than K items were eligible."""

    state: LiveState
    items_BK: np.ndarray
    scores_BK: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """rank (from 1), item_id, score, title, degree, source of every item that was found, query after query.

        A table of twenty rows takes about as long to make as the ranking; a service does without.
        """
        is_found_BK, state = self.items_BK >= 0, self.state
        item = self.items_BK[is_found_BK]
        return {
            "rank": np.nonzero(is_found_BK)[1] + 1,
            "item_id": state.items.item_ids[item],
            "score": self.scores_BK[is_found_BK],
            "title": state.items.title[item],
            "degree": state.degree[item],
            "source": state.source(item),
        }

    def table(self, of_queries: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
        """The columns as a data frame; those of B values each stand before them."""
        count_B = np.count_nonzero(self.items_BK >= 0, axis=1)
        first = {name: _text(np.repeat(values, count_B)) for name, values in (of_queries or {}).items()}
        items = {name: _text(values) if name in _TEXTS else values for name, values in self.columns().items()}
        return pd.DataFrame(first | items, copy=False)


_TEXTS = ("item_id", "title", "source")


def _text(values: np.ndarray) -> "np.ndarray | pd.api.extensions.ExtensionArray":
    """Strings as pandas would hold them, without its looking at each of them first: that is most of a table's price."""
    if not isinstance(_TEXT, pd.StringDtype) or _TEXT.storage != "pyarrow":
        return values
    return pd.arrays.ArrowStringArray(pa.array(values, pa.large_string()), dtype=_TEXT)  # type: ignore[call-arg]
