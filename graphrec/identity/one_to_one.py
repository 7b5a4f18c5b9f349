"""A site sells a product once: what that says about the candidates of one item, and which pairs are taken.

P candidate pairs between items of different sites.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from graphrec.identity.candidates import Pairs


def probability_of(odds_P: np.ndarray, pairs: Pairs, has_rivals: bool = True) -> np.ndarray:
    """Probabilities (P,) from the odds of each pair alone: its rivals' odds speak against it, if it has any.

    A pair's probability is its odds over 1 + those of all candidate pairs of its two items. So the candidates of an
    item share at most 1, and what is left is the chance that it has no partner.
    """
    if not has_rivals:
        return odds_P / (1 + odds_P)
    left_sum_P = np.bincount(pairs.left_P, odds_P)[pairs.left_P]
    right_sum_P = np.bincount(pairs.right_P, odds_P)[pairs.right_P]
    return odds_P / (1 + np.maximum(left_sum_P + right_sum_P - odds_P, odds_P))


def taken_pairs(
    probability_P: np.ndarray, pairs: Pairs, site_I: np.ndarray, refused: Iterable[tuple[int, int]], many_per_site: bool
) -> np.ndarray:
    """Mask (P,) of the pairs that are taken, from the most probable on, so that products stay consistent.

    A pair is left out where its product, through whatever chain of pairs, would have two items of one site (unless
    `many_per_site`) or hold a `refused` pair. Between two sites that is a stable matching (Gale and Shapley 1962): no
    two items would both rather have each other. Equal probabilities are taken in the order of the pairs.
    """
    enemies: dict[int, set[int]] = defaultdict(set)
    for item, enemy in refused:
        enemies[item].add(enemy)
        enemies[enemy].add(item)
    product_of: dict[int, set[int]] = {}
    taken_P = np.zeros(len(pairs), dtype=bool)
    left: list[int] = pairs.left_P.tolist()
    right: list[int] = pairs.right_P.tolist()
    for place in np.argsort(-probability_P, kind="stable"):
        one = product_of.setdefault(left[place], {left[place]})
        other = product_of.setdefault(right[place], {right[place]})
        if one is not other:
            if not many_per_site and {site_I[item] for item in one} & {site_I[item] for item in other}:
                continue
            if any(enemies[item] & other for item in one if item in enemies):
                continue
            one |= other
            product_of.update((item, one) for item in other)
        taken_P[place] = True
    return taken_P
