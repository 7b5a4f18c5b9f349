"""How far a catalogue has moved away from what its model was trained on, and whether it should be trained again."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphrec.data.rising import is_among
from graphrec.living.live_state import LiveState

_DUE_EVENTS = 0.2
"""Of the events that were trained on."""
_DUE_ITEMS = 0.2
"""Of the items that were trained on, added or changed since."""
_DUE_TOUCHED = 100_000
"""Vectors beside the index, which every search scans."""


@dataclass(frozen=True)
class Drift:
    """Counted since training."""

    items_added: int
    items_changed: int
    items_removed: int
    events: int
    users_added: int
    vectors_moved: int
    """Items whose vector is not the one that is in the index, and is scanned beside it."""
    why: str
    """What makes a retrain due, in words; empty where nothing does."""

    @property
    def is_retrain_due(self) -> bool:
        """Whether enough has changed that weights, heads and index should follow."""
        return bool(self.why)

    def to_json(self) -> dict[str, Any]:
        """Everything by its name."""
        return {**asdict(self), "is_retrain_due": self.is_retrain_due}

    @classmethod
    def of(cls, state: LiveState, events: int) -> "Drift":
        """Of a state that took in so many events."""
        num_trained, removed = len(state.items.base), state.items.removed
        num_old, num_removed = (int(np.searchsorted(rows, num_trained)) for rows in (state.items.arrived, removed))
        gone = removed[is_among(removed, state.items.arrived)]
        changed = num_old - int(np.searchsorted(gone, num_trained))
        added = len(state.items.arrived) - len(gone) - changed
        moved = len(state.index.vectors_ID.rows)
        trained_on = len(state.view.everywhere)
        reasons = []
        if events > _DUE_EVENTS * trained_on:
            reasons.append(f"{events:,} events came to the {trained_on:,} trained on")
        if added + changed > _DUE_ITEMS * num_trained:
            reasons.append(f"{added + changed:,} items were added or changed, of {num_trained:,} trained on")
        if moved > _DUE_TOUCHED:
            reasons.append(f"{moved:,} vectors are searched beside the index")
        return cls(
            items_added=added,
            items_changed=changed,
            items_removed=num_removed,
            events=events,
            users_added=len(state.users) - len(state.users.base),
            vectors_moved=moved,
            why="; ".join(reasons),
        )
