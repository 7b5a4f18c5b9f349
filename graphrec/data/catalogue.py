"""The items of a dataset as the user gave them: titles, texts, pictures, attributes. No vectors."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

OFFER_PREFIX = "sold on "
"""Of the attributes that say whether another site sells the item too."""


@dataclass(frozen=True)
class Attributes:
    """Structured columns of the items, each keyed by its column name and aligned with the catalogue's rows.

    A categorical value is a string ("" where missing), a multi-valued one a tuple of strings (empty where missing),
    a numeric one a float64 (nan where missing).
    """

    categorical: dict[str, np.ndarray] = field(default_factory=dict)
    multi_valued: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    numeric: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every attribute's name: categorical first, then multi-valued, then numeric."""
        return [*self.categorical, *self.multi_valued, *self.numeric]


@dataclass(frozen=True)
class Catalogue:
    """Items in file order (I of them). Every array is aligned with `item_ids`; "" stands for a missing string.

    `image` holds paths relative to `image_root`; they were checked to stay inside it, not that they exist or decode.
    Raises ValueError where an array's length differs or an item id stands twice.
    """

    item_ids: np.ndarray
    title: np.ndarray
    text: np.ndarray
    """What a text encoder reads: the text columns joined, title first."""
    image: np.ndarray
    image_root: Path | None
    site: np.ndarray
    attributes: Attributes
    keys: dict[str, np.ndarray] = field(default_factory=dict)
    """What may identify a product across sites: product_key, gtin, url, asin, those that there are; normalised."""

    def __post_init__(self) -> None:
        columns: list[Sized] = [self.title, self.text, self.image, self.site, *self.attributes.categorical.values()]
        columns += [*self.attributes.multi_valued.values(), *self.attributes.numeric.values()]
        columns += self.keys.values()
        if any(len(column) != len(self.item_ids) for column in columns):
            raise ValueError(f"Expected every column to have {len(self.item_ids)} rows, as item_ids has.")
        if not self.id_index.is_unique:
            raise ValueError(f"Expected unique item ids, got {self.id_index[self.id_index.duplicated()][0]!r} twice.")

    @cached_property
    def id_index(self) -> pd.Index:
        """Item ids as a pandas Index: `get_indexer(ids)` gives item indices, -1 where unknown."""
        return pd.Index(self.item_ids, dtype=object)

    @cached_property
    def known_attributes(self) -> Attributes:
        """The attributes, and the site as a categorical one where there are several.

        Where an item is sold is as plain as its brand. Left out of the content, it would reach the graph alone, through
        who buys where, and the graph would be credited with it.
        """
        if "site" in self.attributes.names or len(set(self.site) - {""}) < 2:
            return self.attributes
        return replace(self.attributes, categorical={**self.attributes.categorical, "site": self.site})

    def with_offers(self, offered: dict[str, np.ndarray]) -> "Catalogue":
        """The same items, with where else each is sold (site → "yes", "no" or "") in place of what was known of it."""
        kept = {name: one for name, one in self.attributes.categorical.items() if not name.startswith(OFFER_PREFIX)}
        offers = {OFFER_PREFIX + site: one for site, one in offered.items()}
        return replace(self, attributes=replace(self.attributes, categorical={**kept, **offers}))

    def take(self, rows: np.ndarray) -> "Catalogue":
        """The items at these rows, in their order."""
        return stacked([self], rows)

    def __len__(self) -> int:
        return len(self.item_ids)


def stacked(parts: Sequence[Catalogue], rows: np.ndarray) -> Catalogue:
    """These rows of some catalogues with the same attributes and keys, put one after the other."""
    first, roots = parts[0], [part.image_root for part in parts if part.image_root is not None]

    def taken(columns: list[np.ndarray]) -> np.ndarray:
        whole = columns[0] if len(columns) == 1 else np.concatenate(columns)  # a few rows of one must not cost them all
        return whole[rows]

    kinds = first.attributes
    values = {
        name: list(chain.from_iterable(part.attributes.multi_valued[name] for part in parts))
        if len(parts) > 1
        else first.attributes.multi_valued[name]
        for name in kinds.multi_valued
    }
    return Catalogue(
        item_ids=taken([part.item_ids for part in parts]),
        title=taken([part.title for part in parts]),
        text=taken([part.text for part in parts]),
        image=taken([part.image for part in parts]),
        image_root=roots[0] if roots else None,
        site=taken([part.site for part in parts]),
        attributes=Attributes(
            {name: taken([part.attributes.categorical[name] for part in parts]) for name in kinds.categorical},
            {name: [held[row] for row in rows.tolist()] for name, held in values.items()},
            {name: taken([part.attributes.numeric[name] for part in parts]) for name in kinds.numeric},
        ),
        keys={
            name: taken([part.keys[name] for part in parts])
            for name in first.keys
            if all(name in part.keys for part in parts)
        },
    )
