"""What is known of the items of a living catalogue: their ids, titles, texts, attributes; and which may be returned."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from graphrec.data.catalogue import Catalogue, stacked
from graphrec.data.filters import NO_FILTERS, Filters, unknown_item
from graphrec.data.patched import Patched
from graphrec.data.rising import is_among, with_rows, without_rows
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
    cards: Patched
    """Index → (catalogue, row in it) of the last word on an item that came or changed; None: the base's."""
    removed: np.ndarray
    """int64 rising."""
    _eligible: dict[Filters, tuple[Patched, np.ndarray | None]] = field(default_factory=dict, compare=False, repr=False)
    """With the degrees that they were found for."""

    @classmethod
    def of(cls, catalogue: Catalogue) -> Self:
        """With nothing changed."""
        ids = Ids.of(catalogue.id_index, catalogue.item_ids)
        nothing = np.broadcast_to(np.array(None, dtype=object), len(catalogue))
        none = np.empty(0, dtype=np.int64)
        return cls(catalogue, ids, Patched(catalogue.title), Patched(catalogue.site), Patched(nothing), none)

    def __len__(self) -> int:
        return len(self.id_index)

    @property
    def item_ids(self) -> Patched:
        """Index → id."""
        return self.id_index.names

    @property
    def arrived(self) -> np.ndarray:
        """Items that came or changed, removed ones too, rising."""
        return self.cards.rows

    def indices(self, ids: Sequence[str], asked: str) -> np.ndarray:
        """Of these ids. Raises GraphRecError for the first that is unknown or removed; `asked` says where it stood."""
        items = self.id_index.indices(list(ids))
        is_unknown = (items < 0) | is_among(items, self.removed)
        if is_unknown.any():
            place = int(np.argmax(is_unknown))
            raise unknown_item(ids[place], self.item_ids, asked, is_removed=items[place] >= 0)
        return items

    def with_arrived(self, cards: Catalogue) -> Self:
        """With these items added, changed, or back."""
        ids = self.id_index.with_new(cards.item_ids)
        items = ids.indices(cards.item_ids)
        card_N = np.empty(len(items), dtype=object)
        card_N[:] = [(cards, row) for row in range(len(items))]
        return replace(
            self,
            id_index=ids,
            title=self.title.with_rows(items, cards.title),
            site=self.site.with_rows(items, cards.site),
            cards=self.cards.with_rows(items, card_N),
            removed=without_rows(self.removed, items),
            _eligible={},
        )

    def without(self, items: np.ndarray) -> Self:
        """With these removed as well."""
        return replace(self, removed=with_rows(self.removed, items), _eligible={})

    @cached_property
    def catalogue(self) -> Catalogue:
        """All items, removed ones too, as they are now; made when somebody asks, and then as large as it is."""
        if not len(self.arrived):
            return self.base
        parts, start, stop = {id(self.base): self.base}, {}, len(self.base)
        last = np.arange(len(self))
        for item, (cards, row) in zip(self.arrived, self.cards[self.arrived], strict=True):
            if id(cards) not in parts:
                parts[id(cards)], start[id(cards)], stop = cards, stop, stop + len(cards)
            last[item] = start[id(cards)] + row
        return stacked(list(parts.values()), last)

    def eligible(self, filters: Filters, degree: Patched) -> np.ndarray | None:
        """Items that meet every condition and are not removed, rising; None: all that are not removed."""
        if filters == NO_FILTERS:
            return None
        asked_before = self._eligible.get(filters)
        if asked_before is not None and (asked_before[0] is degree or not filters.only_new):
            return asked_before[1]
        found = filters.eligible(self.catalogue, degree.full())
        left = None if found is None else np.setdiff1d(found, self.removed, assume_unique=True)
        if len(self._eligible) >= _REMEMBERED:
            self._eligible.clear()
        self._eligible[filters] = degree, left
        return left

    def card(self, item: int) -> Catalogue:
        """What is known of one item, as a catalogue of one row."""
        cards, row = self.cards[np.array([item])][0] or (self.base, item)
        return cards.take(np.array([row]))
