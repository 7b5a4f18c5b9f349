"""What a vector database keeps of each item of a run."""

import math
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphrec.data.catalogue import Attributes
from graphrec.data.stable_ids import stable_ids
from graphrec.recommender import Recommender
from graphrec.retrieval.embeddings import Embeddings

Value = str | float | list[str]


@dataclass(frozen=True)
class ItemRecords:
    """N items with their vectors and what can be shown or filtered.

    Raises ValueError where a column has another number of rows.
    """

    embeddings: Embeddings
    title_N: np.ndarray
    """Object array of strings, "" where missing; so is `site_N`."""
    site_N: np.ndarray
    attributes: Attributes
    model_version: str
    """Of the vectors: those of different versions are not comparable. Items that came since training have it too."""
    removed: tuple[str, ...] = ()
    """Ids of items that were removed from the run since it was trained, none of them among the N."""
    index_N: np.ndarray | None = None
    """Index of each item in the run, rising, which decides between equal scores; None: the row. It stays when others
    go, so that their rows need not be written again."""

    def __post_init__(self) -> None:
        columns: list[Sized] = [self.title_N, self.site_N, *self.attributes.categorical.values()]
        columns += [*self.attributes.multi_valued.values(), *self.attributes.numeric.values()]
        if any(len(column) != len(self.embeddings) for column in columns):
            raise ValueError(f"Expected every column to have {len(self.embeddings)} rows, as the vectors have.")

    @classmethod
    def of(cls, model: Recommender, model_version: str | None = None) -> "ItemRecords":
        """The items that a run recommends, as it serves them now. `model_version`: default: the run's own."""
        items, embeddings = model.live.state.items, model.embeddings("item")
        row_N, catalogue = items.id_index.indices(embeddings.ids), items.catalogue
        known = catalogue.known_attributes
        attributes = Attributes(
            categorical={name: values[row_N] for name, values in known.categorical.items()},
            multi_valued={name: [values[row] for row in row_N] for name, values in known.multi_valued.items()},
            numeric={name: values[row_N] for name, values in known.numeric.items()},
        )
        return cls(
            embeddings,
            catalogue.title[row_N],
            catalogue.site[row_N],
            attributes,
            model_version or model.version,
            tuple(map(str, items.item_ids[items.removed])),
            row_N,
        )

    def __len__(self) -> int:
        return len(self.embeddings)

    @cached_property
    def stable_id_N(self) -> np.ndarray:
        """int64 keys of the items; see `data.stable_ids`."""
        return stable_ids(self.embeddings.ids)

    @cached_property
    def norm_N(self) -> np.ndarray:
        """Length of each vector, float64."""
        return np.sqrt(np.einsum("nd,nd->n", self.embeddings.vectors, self.embeddings.vectors, dtype=np.float64))

    def fields(self, row: int) -> dict[str, Any]:
        """What stands beside the vector of one row, as plain Python values."""
        values = self._values(row)
        return {
            "item_id": str(self.embeddings.ids[row]),
            "degree": int(self.embeddings.degree[row]),
            "source": str(self.embeddings.source[row]),
            "model_version": self.model_version,
            "title": str(self.title_N[row]),
            "site": str(self.site_N[row]),
            "attributes": values,
            "facets": [facet(name, one) for name, held in values.items() for one in _words(held)],
            "position": row if self.index_N is None else int(self.index_N[row]),
            "norm": float(self.norm_N[row]),
        }

    def batches(self, size: int) -> Iterator[range]:
        """The rows, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield range(start, min(start + size, len(self)))

    def _values(self, row: int) -> dict[str, Value]:
        """The attributes that the item has; what is missing is left out."""
        values: dict[str, Value] = {}
        for name, column in self.attributes.categorical.items():
            if column[row]:
                values[name] = str(column[row])
        for name, held in self.attributes.multi_valued.items():
            if held[row]:
                values[name] = [str(one) for one in held[row]]
        for name, column in self.attributes.numeric.items():
            if math.isfinite(column[row]):
                values[name] = float(column[row])
        return values


def facet(name: str, value: str) -> str:
    """How a value is found by a filter: `category=dress`; upper and lower case are one."""
    return f"{name}={value.casefold()}"


def _words(held: Value) -> list[str]:
    if isinstance(held, float):
        return []
    return [held] if isinstance(held, str) else list(dict.fromkeys(held))
