"""Pairs of items of different sites that share a key; an ambiguous key gives none, and is reported."""

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.item_rows import ItemRows
from graphrec.data.same_as_description import SameAsDescription
from graphrec.data.set_aside import SetAsideCollector
from graphrec.errors import GraphRecError

_MAX_SHARING = 100
"""Items that may share a key; more of them share a placeholder rather than a product."""
_TWICE = "the same key at another item of its site; nothing is linked by it, the items stay"
_PLACEHOLDER = f"more than {_MAX_SHARING} items have this key; nothing is linked by it, the items stay"


def pairs_of_key(
    name: str, description: SameAsDescription, catalogue: Catalogue, rows: ItemRows, collector: SetAsideCollector
) -> np.ndarray:
    """(P, 2) indices of items of different sites with the same value; values that are ambiguous give none."""
    key_I = catalogue.keys.get(name, np.empty(0, dtype=object))
    if not (key_I != "").any():
        raise GraphRecError(
            f"same_as.keys: no item has the key {name}; name the column that holds it "
            f'("columns: {{{name}: <its name>}}" under items: in dataset.yaml), or leave it out of keys.'
        )
    items = np.flatnonzero(key_I != "")
    has = pd.DataFrame({"item": items, "key": key_I[items], "site": catalogue.site[items]})
    is_crowded = has.groupby("key")["item"].transform("size") > _MAX_SHARING
    is_twice = has.duplicated(["key", "site"], keep=False) & ~is_crowded
    if description.many_per_site:
        is_twice[:] = False
    _report_twice(name, has[is_twice], catalogue, rows, collector)
    _report_placeholders(name, has[is_crowded], rows, collector)
    is_bad = has["key"].isin(has.loc[is_twice | is_crowded, "key"])
    both = has[~is_bad].merge(has[~is_bad], on="key", suffixes=("", "_other"))
    both = both[(both["item"] < both["item_other"]) & (both["site"] != both["site_other"])]
    if not len(both) and not is_bad.any():
        _warn_of_no_pair(name, has, collector)
    return both[["item", "item_other"]].to_numpy(dtype=np.int64)


def _warn_of_no_pair(name: str, has: pd.DataFrame, collector: SetAsideCollector) -> None:
    """Name a value of every site: how they are written may say why no two are equal."""
    first = has.drop_duplicates("site")
    examples = ", ".join(f"{key!r} on {site!r}" for key, site in zip(first["key"], first["site"], strict=True))
    collector.warn(f"same_as: no {name} stands on two sites ({examples}): are they written in the same way?")


def _report_twice(
    name: str, twice: pd.DataFrame, catalogue: Catalogue, rows: ItemRows, collector: SetAsideCollector
) -> None:
    if not len(twice):
        return
    rows.report(twice["item"].to_numpy(), name, twice["key"].to_numpy(), _TWICE, collector)
    key, site = twice[["key", "site"]].iloc[0]
    one, other = catalogue.item_ids[twice["item"][(twice["key"] == key) & (twice["site"] == site)][:2]]
    at_site = f"of site {site!r}" if site else "without a site"
    collector.warn(
        f"same_as: the same {name} stands at two items of one site ({twice['key'].nunique()} times, such as {key!r} at "
        f"{one!r} and {other!r} {at_site}); nothing is linked by it. Put the {name} right, or set "
        "same_as.many_per_site."
    )


def _report_placeholders(name: str, crowded: pd.DataFrame, rows: ItemRows, collector: SetAsideCollector) -> None:
    if not len(crowded):
        return
    rows.report(crowded["item"].to_numpy(), name, crowded["key"].to_numpy(), _PLACEHOLDER, collector)
    counts = crowded["key"].value_counts()
    collector.warn(
        f"same_as: {counts.index[0]!r} is the {name} of {counts.iloc[0]} items, a placeholder rather than a product; "
        "nothing is linked by it. Leave it blank where a product has none."
    )
