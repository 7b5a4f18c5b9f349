"""What can happen to a living catalogue: entries that are checked and encoded, in the order in which they count."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.data.catalogue import stacked
from graphrec.features.modality import Modality
from graphrec.living.arrival import Arrival, Pairs


@dataclass(frozen=True)
class Arrived:
    """Items that were added, changed, or brought back: all that is known of each."""

    arrival: Arrival

    def __len__(self) -> int:
        return len(self.arrival)


@dataclass(frozen=True)
class Removed:
    """Items that nothing may return any more."""

    item_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item_ids)


@dataclass(frozen=True)
class Happened:
    """E events, as arrays of equal length; times are epoch seconds or nan, event types and sites "" where unknown."""

    user_ids: np.ndarray
    item_ids: np.ndarray
    weight_E: np.ndarray
    timestamp_E: np.ndarray
    event_E: np.ndarray
    site_E: np.ndarray

    def __len__(self) -> int:
        return len(self.user_ids)

    def take(self, rows: np.ndarray) -> "Happened":
        """The events at these rows, or under this mask."""
        return Happened(
            self.user_ids[rows], self.item_ids[rows], self.weight_E[rows], self.timestamp_E[rows],
            self.event_E[rows], self.site_E[rows],
        )  # fmt: skip


Entry = Arrived | Removed | Happened


@dataclass(frozen=True)
class Summed:
    """Several entries as one: taken together they say what they say one by one."""

    arrival: Arrival | None
    pairs: Pairs | None
    removed: tuple[str, ...]
    """Of the items that they speak of, those that are removed in the end."""

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Summed":
        """The last word on an item counts; items and users keep the order in which they first came."""
        arrivals = [entry.arrival for entry in entries if isinstance(entry, Arrived)]
        events = [entry for entry in entries if isinstance(entry, Happened) and len(entry)]
        removed: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, Removed):
                removed |= dict.fromkeys(entry.item_ids)
            elif isinstance(entry, Arrived):
                for item_id in entry.arrival.cards.item_ids:
                    removed.pop(item_id, None)
        pairs = None
        if events:
            names = ("user_ids", "item_ids", "weight_E")
            pairs = Pairs(*(np.concatenate([getattr(one, name) for one in events]) for name in names))
        return cls(_last_words(arrivals) if arrivals else None, pairs, tuple(removed))


def _last_words(arrivals: Sequence[Arrival]) -> Arrival:
    if len(arrivals) == 1:
        return arrivals[0]
    ids = [item_id for one in arrivals for item_id in one.cards.item_ids]
    last = {item_id: row for row, item_id in enumerate(ids)}  # keeps the place of the first, and the row of the last
    rows = np.fromiter(last.values(), dtype=np.int64)
    names = [name for name in arrivals[0].vectors if all(name in one.vectors for one in arrivals)]
    return Arrival(
        stacked([one.cards for one in arrivals], rows),
        {
            name: Modality(
                np.concatenate([one.vectors[name].x_IF for one in arrivals])[rows],
                np.concatenate([one.vectors[name].present_I for one in arrivals])[rows],
            )
            for name in names
        },
        {name: np.concatenate([one.signals[name] for one in arrivals])[rows] for name in arrivals[0].signals},
    )
