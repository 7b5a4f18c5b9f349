"""Which items of a catalogue an answer may hold: by site, attribute, price, newness and id.

A condition is written `name=value`, `name=value|value` or, for a number, `name=10..50`, `name=10..`, `name=..50` (both
ends included). Several values of one condition are alternatives; several conditions must all hold. An item whose value
is missing meets no condition on it.
"""

import difflib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.patched import Patched
from graphrec.errors import GraphRecError

_SHOWN = 8
"""Values named in a message where none is close."""
_COMPARED = 20_000
"""Up to so many ids are compared with an unknown one, to name a close one."""


@dataclass(frozen=True)
class Filters:
    """Conditions that an item must meet, all of them; without any, every item is eligible.

    A single string counts as one of them.
    """

    site: Sequence[str] = ()
    """Items of one of these sites."""
    where: Sequence[str] = ()
    """Conditions on attributes, such as "category=shoes|boots" and "price=10..50"."""
    exclude: Sequence[str] = ()
    """Ids of items that must not be returned."""
    only_new: bool = False
    """Items without an edge in the training graph."""

    def __post_init__(self) -> None:
        for name in ("site", "where", "exclude"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))

    def eligible(self, catalogue: Catalogue, degree_I: np.ndarray) -> np.ndarray | None:
        """Indices of the items that meet every condition, rising; None where there is no condition.

        Raises GraphRecError in one line for an unknown attribute, value, site or id (with close ones), a range that is
        none, or a condition that leaves no item (saying which).
        """
        if self == NO_FILTERS:
            return None
        is_left_I = np.ones(len(catalogue), dtype=bool)
        for name, is_met_I in self._masks(catalogue, degree_I):
            is_next_I = is_left_I & is_met_I
            if not is_next_I.any():
                before = int(is_left_I.sum())
                others = "" if before == len(catalogue) else " that the conditions before it left"
                raise GraphRecError(f"{name} leaves 0 of the {before:,} items{others}: widen or drop it.")
            is_left_I = is_next_I
        return np.flatnonzero(is_left_I)

    def _masks(self, catalogue: Catalogue, degree_I: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
        """Every condition as it is written on the command line, with the items that meet it."""
        if self.site:
            yield f"--site {'|'.join(self.site)}", _on_sites(catalogue, self.site)
        for condition in self.where:
            yield f"--where {condition}", _meets(catalogue.known_attributes, condition)
        if self.only_new:
            yield "--only-new", degree_I == 0
        if self.exclude:
            yield "--exclude", _not_among(catalogue, self.exclude)


NO_FILTERS = Filters()


def close_names(wanted: str, known: Iterable[str]) -> str:
    """`did you mean 'shoes'?`, or the first of what there is."""
    by_key = {name.casefold(): name for name in sorted(known)}
    close = difflib.get_close_matches(wanted.casefold(), by_key, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(by_key[key]) for key in close)}?"
    shown = ", ".join(list(by_key.values())[:_SHOWN])
    return f"there is: {shown}{', …' if len(by_key) > _SHOWN else ''}" if shown else "there is none"


def _on_sites(catalogue: Catalogue, sites: Sequence[str]) -> np.ndarray:
    known = set(catalogue.site) - {""}
    if not known:
        raise GraphRecError(f"--site {sites[0]}: the catalogue names no site; leave --site out.")
    for site in sites:
        if site not in known:
            raise GraphRecError(f"No site {site!r}; {close_names(site, known)}")
    return np.isin(catalogue.site.astype(str), sites)


def _not_among(catalogue: Catalogue, ids: Sequence[str]) -> np.ndarray:
    is_kept_I = np.ones(len(catalogue), dtype=bool)
    is_kept_I[item_indices(catalogue, ids, "--exclude")] = False
    return is_kept_I


def item_indices(catalogue: Catalogue, ids: Sequence[str], asked: str) -> np.ndarray:
    """Rows of these item ids, in their order. Raises GraphRecError for the first unknown one; `asked` says where."""
    items = catalogue.id_index.get_indexer(pd.Index(ids, dtype=object))
    if (items < 0).any():
        raise unknown_item(ids[int(np.argmin(items))], catalogue.item_ids, asked)
    return items


def unknown_item(
    item_id: str, known: "np.ndarray | Patched | Collection[str]", asked: str, is_removed: bool = False
) -> GraphRecError:
    """The error about an id that no item has; `asked` says where it stood."""
    if is_removed:
        return GraphRecError(f"{asked}: item {item_id!r} was removed; add it again, or leave it out.")
    hint = "expected ids from the catalogue."
    if len(known) <= _COMPARED:
        hint = close_names(item_id, np.asarray(known).tolist() if isinstance(known, Patched) else known)
    return GraphRecError(f"{asked}: unknown item {item_id!r}; {hint}")


def _meets(attributes: Attributes, condition: str) -> np.ndarray:
    name, values = _split(attributes, condition)
    if name in attributes.numeric:
        low, high = numeric_range(condition, values)
        value_I = attributes.numeric[name]
        return (value_I >= low) & (value_I <= high)  # nan meets neither
    held_I: Sequence[tuple[str, ...]] = (
        attributes.multi_valued[name]
        if name in attributes.multi_valued
        else [(value,) for value in attributes.categorical[name]]
    )
    known = {value for held in held_I for value in held if value}
    wanted = _wanted(name, values, known)
    return np.array([not wanted.isdisjoint(held) for held in held_I], dtype=bool)


def _split(attributes: Attributes, condition: str) -> tuple[str, str]:
    name = max((one for one in attributes.names if condition.startswith(f"{one}=")), key=len, default=None)
    if name is None:
        name, equals, values = (one.strip() for one in condition.partition("="))
    else:  # a name may itself hold a "="
        equals, values = "=", condition[len(name) + 1 :].strip()
    if not equals or not name or not values:
        raise GraphRecError(f"--where {condition}: expected name=value, such as category=shoes or price=10..50.")
    if name not in attributes.names:
        raise GraphRecError(f"--where {condition}: no attribute {name!r}; {close_names(name, attributes.names)}")
    return name, values


def _wanted(name: str, values: str, known: set[str]) -> set[str]:
    """The catalogue's values that are asked for; upper and lower case are one."""
    by_key: dict[str, set[str]] = {}
    for value in known:
        by_key.setdefault(value.casefold(), set()).add(value)
    if values.casefold() in by_key:  # a value may itself hold a "|"
        return by_key[values.casefold()]
    wanted: set[str] = set()
    for value in values.split("|"):
        key = value.strip().casefold()
        if key not in by_key:
            raise GraphRecError(f"No {name} {value.strip()!r}; {close_names(value.strip(), known)}")
        wanted |= by_key[key]
    return wanted


def numeric_range(condition: str, values: str) -> tuple[float, float]:
    """Both ends of `10..50`, `10..`, `..50` or `10`. Raises GraphRecError, naming the condition, for anything else."""
    low, dots, high = values.partition("..")
    if not dots:
        high = low
    try:
        ends = float(low) if low.strip() else -math.inf, float(high) if high.strip() else math.inf
    except ValueError:
        ends = (math.nan, math.nan)
    if not values.strip(". ") or math.isnan(ends[0]) or math.isnan(ends[1]):
        raise GraphRecError(f"--where {condition}: expected a number or a range, such as 10..50, 10.. or ..50.")
    if ends[0] > ends[1]:
        raise GraphRecError(f"--where {condition}: the range is empty, its lower end is above its upper end.")
    return ends
