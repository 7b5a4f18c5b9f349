"""Entries that were written for an earlier model of the same catalogue, as the present one can take them in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphrec.features.modality import Modality
from graphrec.living.arrival import Arrival
from graphrec.living.entries import Arrived, Entry, Removed
from graphrec.living.journal import Stored
from graphrec.living.live_model import LiveModel
from graphrec.living.live_state import LiveState
from graphrec.living.reading import with_names_of


def readable(stored: Sequence[Stored], live: LiveModel, version: str, made_by: Mapping[str, str]) -> list[Entry]:
    """Entries for `version` as they are; of those for earlier models what training has not seen.

    Where the training data have an item, their row counts, and what people did before is not counted twice: events of
    a pair that was trained on are left out. Pictures and texts keep their vectors where the same CLIP made them;
    otherwise the item has none until it is updated. `live` is as training left it.
    """
    entries: list[Entry] = []
    known: set[str] = set()  # items that came in an entry
    for one in stored:
        entry = one.entry if one.model == version else _carried(one, live, made_by, known)
        if isinstance(one.entry, Arrived):  # whether or not anything of it is left
            entries = [_with_back(earlier, set(one.entry.arrival.cards.item_ids)) for earlier in entries]
        if isinstance(entry, Arrived):
            known.update(entry.arrival.cards.item_ids)
        if entry is not None:
            entries.append(entry)
    return entries


def _with_back(earlier: Entry, item_ids: set[str]) -> Entry:
    """An entry to which these items came back later."""
    if not isinstance(earlier, Removed) or item_ids.isdisjoint(earlier.item_ids):
        return earlier
    return Removed(tuple(one for one in earlier.item_ids if one not in item_ids))


def _carried(stored: Stored, live: LiveModel, made_by: Mapping[str, str], known: set[str]) -> Entry | None:
    entry, state = stored.entry, live.state
    ids = state.items.id_index
    if isinstance(entry, Arrived):
        rows = np.flatnonzero(ids.indices(entry.arrival.cards.item_ids) < 0)
        is_same = {name: stored.made_by.get(name) == made_by.get(name) for name in entry.arrival.vectors}
        return Arrived(_fitting(entry.arrival, rows, live, is_same)) if len(rows) else None
    if isinstance(entry, Removed):
        places = ids.indices(list(entry.item_ids))
        left = [one for one, place in zip(entry.item_ids, places, strict=True) if place >= 0 or one in known]
        return Removed(tuple(left)) if left else None
    items, users = ids.indices(entry.item_ids), state.users.indices(entry.user_ids)
    is_new = [
        item_id in known if item < 0 else user < 0 or not _was_trained_on(state, int(user), int(item))
        for item_id, item, user in zip(entry.item_ids, items, users, strict=True)
    ]
    events = entry.take(np.array(is_new, dtype=bool))
    return events if len(events) else None


def _was_trained_on(state: LiveState, user: int, item: int) -> bool:
    """Whether training has the pair; of other sites, whether it has the person with that product there."""
    if state.items.site[item] == state.target_site:  # what they did with it elsewhere is another event
        return item in state.own.row(user)[0]
    return state.nodes(np.array([item]))[0] in state.seen.row(user)[0]


def _fitting(arrival: Arrival, rows: np.ndarray, live: LiveModel, is_same: Mapping[str, bool]) -> Arrival:
    """These rows with what the present model reads: absent where what came is of another kind."""
    vectors = {}
    for name, known in live.vectors.x.items():
        given = arrival.vectors.get(name)
        if given is not None and is_same[name] and given.num_features == known.shape[1]:
            vectors[name] = Modality(given.x_IF[rows], given.present_I[rows])
        else:
            vectors[name] = Modality.from_rows(np.zeros((0, known.shape[1]), np.float32), np.full(len(rows), -1))
    signals = {name: np.full((len(rows), known.shape[1]), np.nan) for name, known in live.vectors.signal.items()}
    signals |= {name: one[rows] for name, one in arrival.signals.items() if name in signals}
    cards = arrival.cards.take(rows)
    attributes = with_names_of(live.state.items.base.attributes, cards.attributes, len(rows))
    return Arrival(replace(cards, attributes=attributes), vectors, signals)
