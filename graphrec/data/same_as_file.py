"""A file of item pairs that are, or are not, one product: typed by a person, or proposed by a matcher and reviewed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphrec.data.catalogue import Catalogue
from graphrec.data.columns import resolve_columns
from graphrec.data.events import item_index_of
from graphrec.data.same_as_description import SameAsDescription
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import Table, to_objects
from graphrec.data.values import read_ids, read_numbers

_UNKNOWN = "unknown item: no items file has this id"
_WEIGHTS = ("weight", "probability")


@dataclass(frozen=True)
class PairRows:
    """R usable rows of the file; `weight_R` is 0 where the verdict is no."""

    one_R: np.ndarray
    other_R: np.ndarray
    weight_R: np.ndarray
    row_R: np.ndarray
    same_item_id_R: np.ndarray
    """As the file has it, for messages."""


def read_pair_rows(
    root: Path, description: SameAsDescription, catalogue: Catalogue, collector: SetAsideCollector
) -> PairRows:
    """The rows that say something about two known items of different sites.

    Set aside: unknown items, an item with itself, two items of one site (unless `many_per_site`), a verdict that is
    neither yes, no nor blank, a weight outside [0, 1], a pair to which another row says no. Left out and counted: rows
    without a verdict below `at_least`. Raises GraphRecError where the file or one of its two id columns is missing.
    """
    table = read_table(root, description.file or "", collector)
    require_rows(table, collector)
    columns = resolve_columns(table, {}, ("item_id", "same_item_id"), (), None, collector)
    sieve = Sieve(table, collector)
    index = {}
    for name, prefix in (("item_id", description.item_prefix), ("same_item_id", description.same_item_prefix)):
        index[name] = item_index_of(read_ids(table, columns[name], prefix, collector), catalogue)
        sieve.set_aside(index[name] < 0, name, _UNKNOWN)
    one_N, other_N = index["item_id"], index["same_item_id"]
    sieve.set_aside(one_N == other_N, "same_item_id", "an item and itself")
    weight_N = _weight(sieve, table, description.at_least)
    if not description.many_per_site:
        is_one_site_N = (catalogue.site[one_N] == catalogue.site[other_N]) & (weight_N > 0)
        reason = "both items are of one site; nothing is linked (same_as.many_per_site allows it)"
        sieve.set_aside(is_one_site_N, "same_item_id", reason)
    pair_N = np.minimum(one_N, other_N) * len(catalogue) + np.maximum(one_N, other_N)
    is_refused_N = np.isin(pair_N, pair_N[sieve.keep_N & (weight_N == 0)])
    sieve.set_aside(is_refused_N & (weight_N > 0), "verdict", "another row says no to the same pair; it is not linked")
    kept = np.flatnonzero(sieve.keep_N)
    return PairRows(
        one_R=one_N[kept],
        other_R=other_N[kept],
        weight_R=weight_N[kept],
        row_R=table.row_N[kept],
        same_item_id_R=to_objects(table.columns["same_item_id"])[kept],
    )


def _weight(sieve: Sieve, table: Table, at_least: float) -> np.ndarray:
    """Weight of each row: 1 for yes, 0 for no, else the file's own (1 where it has none)."""
    weight_N = np.ones(len(table))
    name = next((name for name in _WEIGHTS if name in table.columns), None)
    if name is not None:
        weight_N, is_wrong_N = read_numbers(table.columns[name])
        is_wrong_N |= (weight_N < 0) | (weight_N > 1)
        sieve.set_aside(is_wrong_N, name, "not a number from 0 to 1")
    verdict_N = np.full(len(table), "", dtype=object)
    if "verdict" in table.columns:
        verdict_N = np.array([one.lower() for one in to_objects(table.text("verdict"))], dtype=object)
        is_unknown_N = ~np.isin(verdict_N, ["yes", "no", ""])
        sieve.set_aside(is_unknown_N, "verdict", "expected yes, no or nothing")
    weight_N = np.where(verdict_N == "yes", 1.0, np.where(verdict_N == "no", 0.0, weight_N))
    if name is not None:
        sieve.set_aside(np.isnan(weight_N), name, "neither a verdict nor a weight")
    is_open_N = verdict_N == ""
    sieve.leave_out(is_open_N & (weight_N < at_least), f"same_as without a verdict, below {at_least:g}")
    return weight_N
