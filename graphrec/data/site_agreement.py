"""Whether sites speak of the same things in the same words: what no value map, unit or key has brought together."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from graphrec.data.dataset import Dataset

_FEW = 1000
"""Attributes with more values than this on a site are names rather than categories; two sites need not share any."""
_FAR = 5.0
"""Medians of two sites that differ by a larger factor are pointed out."""
_MIN_ITEMS = 20
"""Items with a number on either site, from which on medians are compared."""


def disagreements(dataset: Dataset) -> list[str]:
    """In plain sentences: categories that two sites do not share, numbers of another size, links with other keys.

    Nothing is put right by it: a value map, a unit or a currency in dataset.yaml does that.
    """
    catalogue = dataset.catalogue
    sites = [site for site in dataset.site_names if (catalogue.site == site).any()]
    pairs = list(combinations(sites, 2))
    return [*_key_conflicts(dataset), *_categories(dataset, pairs), *_numbers(dataset, pairs)]


def _key_conflicts(dataset: Dataset) -> Iterator[str]:
    same_as = dataset.same_as
    for name, key_I in dataset.catalogue.keys.items():
        left_P, right_P = key_I[same_as.left_P], key_I[same_as.right_P]
        differs_P = (left_P != "") & (right_P != "") & (left_P != right_P)
        if name != "url" and differs_P.any():  # every site has its own
            first = int(np.flatnonzero(differs_P)[0])
            ids = dataset.catalogue.item_ids
            yield (
                f"{int(differs_P.sum())} pairs that same_as links have another {name} on either site, such as "
                f"{ids[same_as.left_P[first]]!r} ({left_P[first]}) and {ids[same_as.right_P[first]]!r} "
                f"({right_P[first]}): are they one product?"
            )


def _categories(dataset: Dataset, pairs: list[tuple[str, str]]) -> Iterator[str]:
    site_I, attributes = dataset.catalogue.site, dataset.catalogue.attributes
    for name in (*attributes.categorical, *attributes.multi_valued):
        values_of = {site: _values(dataset, name, site_I == site) for site in {site for pair in pairs for site in pair}}
        for one, other in pairs:
            here, there = values_of[one], values_of[other]
            if not here or not there or max(len(here), len(there)) > _FEW:
                continue
            if not here & there:
                yield (
                    f"Attribute {name!r} has no value in common on {one!r} (such as {min(here)!r}) and {other!r} (such "
                    f"as {min(there)!r}); if they mean the same, align them (values: under items: in dataset.yaml)."
                )
            elif alike := _alike(here - there, there - here):
                yield (
                    f"Attribute {name!r}: {len(alike)} values differ by case or spaces only on {one!r} and {other!r}, "
                    f"such as {alike[0][0]!r} and {alike[0][1]!r}; align them (values: under items: in dataset.yaml)."
                )


def _values(dataset: Dataset, name: str, is_here_I: np.ndarray) -> set[str]:
    attributes = dataset.catalogue.attributes
    if name in attributes.categorical:
        return {*attributes.categorical[name][is_here_I].tolist()} - {""}
    lists = attributes.multi_valued[name]
    return {value for item in np.flatnonzero(is_here_I) for value in lists[item]}


def _alike(here: set[str], there: set[str]) -> list[tuple[str, str]]:
    plain = {"".join(value.casefold().split()): value for value in sorted(there)}
    return [(value, plain[key]) for value in sorted(here) if (key := "".join(value.casefold().split())) in plain]


def _numbers(dataset: Dataset, pairs: list[tuple[str, str]]) -> Iterator[str]:
    site_I = dataset.catalogue.site
    for name, number_I in dataset.catalogue.attributes.numeric.items():
        for one, other in pairs:
            here = number_I[(site_I == one) & ~np.isnan(number_I)]
            there = number_I[(site_I == other) & ~np.isnan(number_I)]
            if min(len(here), len(there)) < _MIN_ITEMS:
                continue
            low, high = sorted((abs(float(np.median(here))), abs(float(np.median(there)))))
            if low > 0 and high / low > _FAR:
                yield (
                    f"Attribute {name!r}: the median is {np.median(here):g} on {one!r} and {np.median(there):g} on "
                    f"{other!r}; are they in one unit or currency (units: or currency: under items: in dataset.yaml)?"
                )
