"""A check on matches without labels: would the items of one site be matched with each other as readily?

A site sells a product once, so whatever matches there is false. It is what target–decoy search is in proteomics (Elias
and Gygi 2007), and stricter than false matches across sites: one site's items are described in one style.
"""

from collections.abc import Mapping

import numpy as np

from graphrec.identity.candidates import Pairs, Search
from graphrec.identity.config import MatchConfig
from graphrec.identity.evidence import compare_pairs
from graphrec.identity.fellegi_sunter import FellegiSunter
from graphrec.identity.one_to_one import probability_of
from graphrec.identity.profiles import Profiles

_SAMPLE = 1000
_WORRYING = 0.5


def own_twin_warning(
    model: FellegiSunter,
    profiles: Profiles,
    searched: Mapping[str, np.ndarray],
    left: tuple[str, np.ndarray],
    right: tuple[str, np.ndarray],
    probability_P: np.ndarray,
    pairs: Pairs,
    config: MatchConfig,
) -> str | None:
    """A line where items find a certain partner in their own site half as often as in the other one, or more.

    `left` and `right` are each site's name and items. Up to a thousand items of each are looked at.
    """
    certain_P = probability_P >= config.at_least
    for (site, items), partner_P in ((left, pairs.left_P), (right, pairs.right_P)):
        share = len(np.unique(partner_P[certain_P])) / len(items)
        own_share = _own_share(model, profiles, searched, items, config)
        if own_share > _WORRYING * share and own_share > 0:
            return (
                f"{own_share:.0%} of the items of {site!r} look as much like another item of their own site as certain "
                f"partners of the other site do ({share:.0%} of them have one): they are hard to tell apart, or the "
                "sites have little in common. Review the certain pairs too."
            )
    return None


def _own_share(
    model: FellegiSunter,
    profiles: Profiles,
    searched: Mapping[str, np.ndarray],
    items: np.ndarray,
    config: MatchConfig,
) -> float:
    sample = np.sort(np.random.default_rng(config.seed).permutation(items)[:_SAMPLE])
    searches = [Search.of(vectors_ID, sample, items, config.neighbours + 1) for vectors_ID in searched.values()]
    found = [Pairs(*pairs) for search in searches for pairs in search.steps()]
    pairs = Pairs.joined([one.take(one.left_P != one.right_P) for one in found])
    probability_P = probability_of(model.odds(compare_pairs(profiles, pairs)), pairs)
    return len(np.unique(pairs.left_P[probability_P >= config.at_least])) / len(sample)
