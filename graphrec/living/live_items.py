"""What is known of the items of a living catalogue: their ids, titles, texts, attributes; and which may be returned."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from graphrec.data.catalogue import Catalogue, stacked
from graphrec.data.filters import NO_FILTERS, Filters, unknown_item
from graphrec.data.patched import Patched
from graphrec.living.ids import Ids

_REMEMBERED = 64
"""Answers to filters that are kept, while nothing changes."""


@dataclass(frozen=True)
class LiveItems:
    """A catalogue with items added or changed, and some removed: these keep their index, and nothing returns them."""

    base: Catalogue
    id_index: Ids
    title: Patched
    site: Patched
    arrived: tuple[tuple[np.ndarray, Catalogue], ...]
    """Items (indices) that came or changed, oldest first: the last word on an item counts."""
    removed: np.ndarray
    """int64 rising."""
    _eligible: dict[Filters, np.ndarray | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue) -> Self:
        """With nothing changed."""
        ids = Ids.of(catalogue.id_index, catalogue.item_ids)
        none = np.empty(0, dtype=np.int64)
        return cls(catalogue, ids, Patched(catalogue.title), Patched(catalogue.site), (), none)

    def __len__(self) -> int:
        return len(self.id_index)

    @property
    def item_ids(self) -> Patched:
        """Index → id."""
        return self.id_index.names

    def indices(self, ids: Sequence[str], asked: str) -> np.ndarray:
        """Of these ids. Raises GraphRecError for the first that is unknown or removed; `asked` says where it stood."""
        items = self.id_index.indices(list(ids))
        is_unknown = (items < 0) | np.isin(items, self.removed)
        if is_unknown.any():
            place = int(np.argmax(is_unknown))
            raise unknown_item(ids[place], self.item_ids.full(), asked, is_removed=items[place] >= 0)
        return items

    def with_arrived(self, cards: Catalogue) -> Self:
        """With these items added, changed, or back."""
        ids = self.id_index.with_new(cards.item_ids)
        items = ids.indices(cards.item_ids)
        return replace(
            self,
            id_index=ids,
            title=self.title.with_rows(items, cards.title),
            site=self.site.with_rows(items, cards.site),
            arrived=(*self.arrived, (items, cards)),
            removed=np.setdiff1d(self.removed, items),
            _eligible={},
        )

    def without(self, items: np.ndarray) -> Self:
        """With these removed as well."""
        return replace(self, removed=np.union1d(self.removed, items), _eligible={})

    @cached_property
    def catalogue(self) -> Catalogue:
        """All items, removed ones too, as they are now; made when somebody asks, and then as large as it is."""
        if not self.arrived:
            return self.base
        rows = [np.arange(len(self.base)), *(items for items, _ in self.arrived)]
        parts = [self.base, *(cards for _, cards in self.arrived)]
        last = np.full(len(self), -1)
        last[np.concatenate(rows)] = np.arange(sum(map(len, rows)))  # of equal indices the last one is kept
        return stacked(parts, last)

    def eligible(self, filters: Filters, degree: Patched) -> np.ndarray | None:
        """Items that meet every condition and are not removed, rising; None: all that are not removed."""
        if filters == NO_FILTERS:
            return None
        if filters not in self._eligible:
            found = filters.eligible(self.catalogue, degree.full())
            if len(self._eligible) >= _REMEMBERED:
                self._eligible.clear()
            self._eligible[filters] = None if found is None else np.setdiff1d(found, self.removed, assume_unique=True)
        return self._eligible[filters]

    def card(self, item: int) -> Catalogue:
        """What is known of one item, as a catalogue of one row."""
        for items, cards in reversed(self.arrived):
            place = np.flatnonzero(items == item)
            if len(place):
                return cards.take(place[-1:])
        return self.base.take(np.array([item]))
