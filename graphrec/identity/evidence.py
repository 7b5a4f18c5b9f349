"""What speaks for and against two items being one product: a row of numbers per candidate pair.

Missing evidence is nan: it speaks neither way.
"""

from dataclasses import dataclass

import numpy as np

from graphrec.identity.candidates import Pairs
from graphrec.identity.edit_distance import edit_similarity
from graphrec.identity.profiles import Profiles
from graphrec.identity.weighted_sets import WeightedSets

_PAIRS = 200_000
RAREST = "rarest shared word"
ALIKE, APART = 1, -1
"""Whether more of a feature speaks for one product, or against it."""


@dataclass(frozen=True)
class Evidence:
    """P pairs × F features, float32, nan where missing."""

    names: tuple[str, ...]
    direction_F: np.ndarray
    """`ALIKE` or `APART` for each feature."""
    x_PF: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """(P,) of one feature."""
        return self.x_PF[:, self.names.index(name)]

    def take(self, places: np.ndarray) -> "Evidence":
        """The pairs at these places."""
        return Evidence(self.names, self.direction_F, self.x_PF[places])


def in_words(evidence: Evidence) -> np.ndarray:
    """(P,) object array of str: what a person may want to see, such as "title letters 0.91, years apart 1"."""
    shown = [place for place, name in enumerate(evidence.names) if _is_shown(name)]
    lines = [
        ", ".join(f"{evidence.names[place]} {row[place]:.2g}" for place in shown if np.isfinite(row[place]))
        for row in evidence.x_PF
    ]
    return np.array(lines, dtype=object)


def _is_shown(name: str) -> bool:
    return name in ("title letters", "title words", "description words", "numbers", "years apart") or (
        name.startswith("attribute") or name.endswith("cosine")
    )


def compare_pairs(profiles: Profiles, pairs: Pairs) -> Evidence:
    """Every feature of every pair.

    Overlaps of titles (n-grams and words), texts and multi-valued attributes; whether the numbers in the titles agree,
    years between the two; agreement of each categorical attribute; relative difference of each numeric one; cosines of
    vectors; and how each pair compares with the other candidates of the same items (`_rivalry`).
    """
    left_P, right_P = pairs.left_P, pairs.right_P
    columns: dict[str, tuple[int, np.ndarray]] = {}
    for name, sets in (
        ("title n-grams", profiles.title_ngrams),
        ("title words", profiles.title_words),
        ("description words", profiles.description_words),
    ):
        jaccard_P, contained_P = sets.overlap(left_P, right_P)
        columns[name] = ALIKE, jaccard_P
        columns[f"{name}, contained"] = ALIKE, contained_P
    whole_P, head_P = edit_similarity(profiles.titles_I, left_P, right_P)
    columns["title letters"], columns["title letters, beginning"] = (ALIKE, whole_P), (ALIKE, head_P)
    shared_P, unshared_P = profiles.all_words.rarest(left_P, right_P)
    columns[RAREST], columns["rare words of each alone"] = (ALIKE, shared_P), (APART, unshared_P)
    columns["numbers"] = ALIKE, profiles.numbers.overlap(left_P, right_P)[0]
    columns["number on one side"] = APART, _one_sided(profiles.numbers, left_P, right_P)
    columns["years apart"] = APART, np.abs(profiles.year_I[left_P] - profiles.year_I[right_P])
    for name, code_I in profiles.categorical.items():
        columns[f"attribute {name}"] = ALIKE, _agreement(code_I[left_P], code_I[right_P])
    for name, sets in profiles.multi_valued.items():
        columns[f"attribute {name}"] = ALIKE, sets.overlap(left_P, right_P)[0]
    for name, value_I in profiles.numeric.items():
        columns[f"attribute {name}, difference"] = APART, _relative_difference(value_I[left_P], value_I[right_P])
    for name, modality in profiles.vectors.items():
        columns[f"{name} cosine"] = ALIKE, _cosine(modality.x_IF, modality.present_I, left_P, right_P)
    columns |= _rivalry(pairs, _overall([v for name, (d, v) in columns.items() if d == ALIKE and name != RAREST]))
    return Evidence(
        names=tuple(columns),
        direction_F=np.array([direction for direction, _ in columns.values()]),
        x_PF=np.stack([value_P.astype(np.float32) for _, value_P in columns.values()], axis=1),
    )


def _overall(similarities: list[np.ndarray]) -> np.ndarray:
    """The mean of what is there, 0 where nothing is."""
    x_PS = np.stack(similarities, axis=1)
    is_there_PS = ~np.isnan(x_PS)
    return np.where(is_there_PS, x_PS, 0).sum(axis=1) / np.maximum(is_there_PS.sum(axis=1), 1)


def _rivalry(pairs: Pairs, score_P: np.ndarray) -> dict[str, tuple[int, np.ndarray]]:
    """Rank of a pair among the candidates of its left and of its right item, and how far it is before its best rival.

    The lead is negative where a rival is better; without a rival it is the pair's own score.
    """
    columns: dict[str, tuple[int, np.ndarray]] = {}
    for side, item_P in (("left", pairs.left_P), ("right", pairs.right_P)):
        order = np.lexsort((-score_P, item_P))
        sorted_item, sorted_score = item_P[order], score_P[order]
        first = np.searchsorted(sorted_item, sorted_item)
        rank = np.arange(len(order)) - first
        second = np.minimum(first + 1, len(order) - 1)
        has_second = sorted_item[second] == sorted_item
        rival = np.where(
            rank > 0, sorted_score[first], np.where(has_second & (second > first), sorted_score[second], 0.0)
        )
        lead_P, rank_P = np.empty(len(order)), np.empty(len(order))
        lead_P[order], rank_P[order] = sorted_score - rival, rank
        columns[f"rank for the {side}"] = APART, np.minimum(rank_P, 5)
        columns[f"lead for the {side}"] = ALIKE, lead_P
    return columns


def _one_sided(sets: WeightedSets, left_P: np.ndarray, right_P: np.ndarray) -> np.ndarray:
    return ((sets.total_I[left_P] > 0) != (sets.total_I[right_P] > 0)).astype(np.float32)


def _agreement(left_P: np.ndarray, right_P: np.ndarray) -> np.ndarray:
    return np.where((left_P < 0) | (right_P < 0), np.nan, (left_P == right_P).astype(np.float32))


def _relative_difference(left_P: np.ndarray, right_P: np.ndarray) -> np.ndarray:
    largest_P = np.maximum(np.abs(left_P), np.abs(right_P))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(largest_P == 0, 0.0, np.abs(left_P - right_P) / largest_P)


def _cosine(x_IF: np.ndarray, present_I: np.ndarray, left_P: np.ndarray, right_P: np.ndarray) -> np.ndarray:
    product_P = np.empty(len(left_P), dtype=np.float32)
    for start in range(0, len(left_P), _PAIRS):
        part = slice(start, start + _PAIRS)
        product_P[part] = np.einsum("pf,pf->p", x_IF[left_P[part]], x_IF[right_P[part]])
    return np.where(present_I[left_P] & present_I[right_P], product_P, np.nan)
