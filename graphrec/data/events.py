"""Interaction files as events with user ids and item indices, before users have indices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.catalogue import Catalogue
from graphrec.data.columns import resolve_columns
from graphrec.data.description import INTERACTION_COLUMNS, InteractionsDescription
from graphrec.data.items import HOLDS_NUL, has_line_break
from graphrec.data.normalise.apply import normalised
from graphrec.data.patched import Patched
from graphrec.data.privacy.protection import Protection
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import Table, factorize, to_strings
from graphrec.data.timestamps import EXPECTED as EXPECTED_TIME
from graphrec.data.timestamps import read_timestamps
from graphrec.data.values import holds_nul, is_empty, read_ids, read_numbers, without_zeros

_CATALOGUE_ALONE = '; for a catalogue alone write "interactions: []" in dataset.yaml'
_MISSES_ZEROS = "unknown item: the items file has this id with other leading zeros (did a spreadsheet drop them?)"
_UNPROTECTED = Protection()
DUPLICATE = "the same event again (user, item, time, event type and site); the first is kept"


class Indexer(Protocol):
    """As `pandas.Index`."""

    def get_indexer(self, ids: pd.Index, /) -> np.ndarray:
        """Indices of ids, -1 where unknown."""


class KnownItems(Protocol):
    """A catalogue, or one that items are added to."""

    @property
    def id_index(self) -> Indexer:
        """From ids to indices."""

    @property
    def item_ids(self) -> "np.ndarray | Patched":
        """From indices to ids."""

    @property
    def site(self) -> "np.ndarray | Patched":
        """The site of each item."""


@dataclass(frozen=True)
class Events:
    """E rows in file order. Users, event types and sites are strings ("" where unknown), times epoch seconds or nan."""

    user_id_E: pa.Array
    item_index_E: np.ndarray
    weight_E: np.ndarray
    timestamp_E: np.ndarray
    event_E: pa.Array
    site_E: pa.Array

    def __len__(self) -> int:
        return len(self.item_index_E)

    def take(self, rows: np.ndarray) -> "Events":
        """The events under a boolean mask."""
        mask = pa.array(rows)
        return Events(
            user_id_E=self.user_id_E.filter(mask),
            item_index_E=self.item_index_E[rows],
            weight_E=self.weight_E[rows],
            timestamp_E=self.timestamp_E[rows],
            event_E=self.event_E.filter(mask),
            site_E=self.site_E.filter(mask),
        )


def read_events(
    root: Path,
    description: InteractionsDescription,
    catalogue: Catalogue,
    collector: SetAsideCollector,
    is_held_out: bool = False,
    section: str | None = "interactions",
    protection: Protection = _UNPROTECTED,
) -> Events:
    """The usable events of one file; an event without a site has its item's.

    `protection` says whose rows may be read, and what stands in place of user ids; with either asked for, the values of
    rows set aside are not kept, for they may be anybody's id.

    A held-out file may do without the event and rating columns that the description speaks of. `section` is the part
    of dataset.yaml that names the file's columns; None for a file that stands alone.

    Set aside: no user, an unknown item, a time or number that cannot be read, an event type that `events` does not
    list, a weight that is not above zero. Left out: event types of weight 0, ratings below the minimum. Raises
    GraphRecError where the file or a column is missing, or no row can be used.
    """
    protection.keep_values_out(description.file or "", collector)
    table = read_table(root, description.file or "", collector, description.layout, description)
    require_rows(table, collector, "" if is_held_out else _CATALOGUE_ALONE)
    return events_of_table(table, description, catalogue, collector, is_held_out, section, protection)


def events_of_table(
    table: Table,
    description: InteractionsDescription,
    catalogue: KnownItems,
    collector: SetAsideCollector,
    is_held_out: bool = False,
    section: str | None = "interactions",
    protection: Protection = _UNPROTECTED,
) -> Events:
    """The same from a table that was read before."""
    table = protection.rows(table, collector)
    table = normalised(table, description, description.columns, {}, None if is_held_out else section, collector)
    required = INTERACTION_COLUMNS[:2] if is_held_out else (*INTERACTION_COLUMNS[:2], *_columns_asked_for(description))
    optional = [name for name in INTERACTION_COLUMNS if name not in required]
    columns = resolve_columns(table, description.columns, required, optional, section, collector)
    sieve = Sieve(table, collector)
    user_id_N = read_ids(table, columns["user_id"], description.user_prefix, collector)
    sieve.set_aside(is_empty(user_id_N), columns["user_id"], "empty user id")
    sieve.set_aside(
        has_line_break(user_id_N), columns["user_id"], "the id holds a line break (is a quotation mark not closed?)"
    )
    sieve.set_aside(holds_nul(user_id_N), columns["user_id"], HOLDS_NUL)
    item_index_N = _item_index(sieve, columns["item_id"], description.item_prefix, catalogue, collector)
    timestamp_N = _timestamp(sieve, columns.get("timestamp"), collector)
    event_N = _strings(table, columns.get("event"), "")
    weight_N = _weight(sieve, event_N, columns, description)
    _leave_out_low_ratings(sieve, columns.get("rating"), description.minimum_rating, collector)
    sieve.require_rows()
    events = Events(
        user_id_N, item_index_N, weight_N, timestamp_N, event_N, _strings(table, columns.get("site"), description.site)
    )
    events = events.take(sieve.keep_N)
    return _with_site_of_items(replace(events, user_id_E=protection.user_ids(events.user_id_E)), catalogue)


def concat_events(parts: Sequence[Events]) -> Events:
    """Events of several files, one after the other."""
    if len(parts) == 1:
        return parts[0]
    none = [pa.array([], type=pa.large_string())]
    return Events(
        user_id_E=pa.concat_arrays(none + [part.user_id_E for part in parts]),
        item_index_E=np.concatenate([np.empty(0, dtype=np.int64), *(part.item_index_E for part in parts)]),
        weight_E=np.concatenate([np.empty(0, dtype=np.float32), *(part.weight_E for part in parts)]),
        timestamp_E=np.concatenate([np.empty(0), *(part.timestamp_E for part in parts)]),
        event_E=pa.concat_arrays(none + [part.event_E for part in parts]),
        site_E=pa.concat_arrays(none + [part.site_E for part in parts]),
    )


def without_duplicates(events: Events, collector: SetAsideCollector) -> Events:
    """The first of each (user, item, timestamp, event type, site); the others are counted as left out."""
    keys = pd.DataFrame(
        {
            "user": factorize(events.user_id_E)[0],
            "item": events.item_index_E,
            "time": events.timestamp_E,
            "event": factorize(events.event_E)[0],
            "site": factorize(events.site_E)[0],
        }
    )
    is_again_E = keys.duplicated().to_numpy()
    collector.leave_out(DUPLICATE, int(is_again_E.sum()))
    return events.take(~is_again_E) if is_again_E.any() else events


def item_index_of(ids: pa.Array, catalogue: KnownItems) -> np.ndarray:
    """Item indices of many ids, int64, -1 where the catalogue has none."""
    code_N, distinct = factorize(ids)
    return catalogue.id_index.get_indexer(pd.Index(distinct, dtype=object)).astype(np.int64)[code_N]


def _item_index(
    sieve: Sieve, column: str, prefix: str, catalogue: KnownItems, collector: SetAsideCollector
) -> np.ndarray:
    ids = read_ids(sieve.table, column, prefix, collector)
    item_index_N = item_index_of(ids, catalogue)
    sieve.set_aside(is_empty(ids), column, "empty item id")
    is_unknown_N = item_index_N < 0
    sieve.set_aside(_misses_zeros(ids, is_unknown_N, catalogue), column, _MISSES_ZEROS)
    sieve.set_aside(is_unknown_N, column, "unknown item: no items file has this id")
    return item_index_N


def _misses_zeros(ids: pa.Array, is_unknown_N: np.ndarray, catalogue: KnownItems) -> np.ndarray:
    if not is_unknown_N.any():
        return is_unknown_N
    code_N, distinct = factorize(ids)
    known = pd.Index(without_zeros(np.asarray(catalogue.item_ids)), dtype=object).unique()
    misses = known.get_indexer(pd.Index(without_zeros(distinct), dtype=object)) >= 0
    return is_unknown_N & misses[code_N]


def _timestamp(sieve: Sieve, column: str | None, collector: SetAsideCollector) -> np.ndarray:
    table = sieve.table
    if column is None:
        return np.full(len(table), np.nan)
    timestamp_N, is_wrong_N = read_timestamps(table.columns[column])
    sieve.set_aside(is_wrong_N, column, EXPECTED_TIME)
    num_blank = int((np.isnan(timestamp_N) & sieve.keep_N).sum())
    if num_blank:
        collector.note(f"{table.file}: {num_blank} rows have no {column}; they stay, with an unknown time")
    return timestamp_N


def _columns_asked_for(description: InteractionsDescription) -> list[str]:
    """Columns that the description's settings cannot do without."""
    return ["event"] * bool(description.events) + ["rating"] * (description.minimum_rating is not None)


def _weight(
    sieve: Sieve, event_N: pa.Array, columns: dict[str, str], description: InteractionsDescription
) -> np.ndarray:
    """The event type's weight times the weight column; 1 where neither is given. A blank weight counts as 1."""
    weight_N = np.ones(len(sieve.table))
    if description.events and "event" in columns:
        code_N, distinct = factorize(event_N)
        weight_N = np.array([description.events.get(name, np.nan) for name in distinct])[code_N]
        sieve.set_aside(
            np.isnan(weight_N), columns["event"], f"unknown event type: expected {', '.join(description.events)}"
        )
        for name in distinct[[description.events.get(name) == 0 for name in distinct]]:
            sieve.leave_out(distinct[code_N] == name, f"event {name!r} has weight 0")
    if "weight" in columns:
        given_N, is_wrong_N = read_numbers(sieve.table.columns[columns["weight"]])
        sieve.set_aside(is_wrong_N, columns["weight"], "not a finite number")
        weight_N = weight_N * np.where(np.isnan(given_N), 1.0, given_N)
        with np.errstate(over="ignore"):
            is_positive_N = (weight_N.astype(np.float32) > 0) & np.isfinite(weight_N.astype(np.float32))
        sieve.set_aside(~is_positive_N, columns["weight"], "the weight is not above zero, or out of range")
    return np.where(sieve.keep_N, weight_N, 1.0).astype(np.float32)


def _leave_out_low_ratings(
    sieve: Sieve, column: str | None, minimum: float | None, collector: SetAsideCollector
) -> None:
    if column is None:
        return
    rating_N, is_wrong_N = read_numbers(sieve.table.columns[column])
    sieve.set_aside(is_wrong_N, column, "not a finite number")
    if minimum is not None:
        sieve.leave_out(rating_N < minimum, f"rating below {minimum:g}")
    elif len(np.unique(rating_N[~np.isnan(rating_N)])) > 1:
        collector.warn(
            f"{sieve.table.file}: every rating counts as liking, the lowest too ({np.nanmin(rating_N):g} of "
            f"{np.nanmax(rating_N):g}); set minimum_rating under interactions: in dataset.yaml."
        )


def _strings(table: Table, column: str | None, default: str | None) -> pa.Array:
    if column is None:
        return to_strings(np.full(len(table), default or "", dtype=object))
    return table.text(column)


def _with_site_of_items(events: Events, catalogue: KnownItems) -> Events:
    is_unknown_E = pc.equal(events.site_E, "")
    if not pc.any(is_unknown_E).as_py():
        return events
    site_of_item_E = to_strings(catalogue.site[events.item_index_E])
    return replace(events, site_E=pc.if_else(is_unknown_E, site_of_item_E, events.site_E))
