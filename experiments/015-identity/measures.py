"""How good proposed pairs are, with intervals over pairs."""

from itertools import pairwise
from typing import Any

import numpy as np

from graphrec.identity import SiteMatches

RESAMPLES = 2000
EDGES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 1.0001)


def proposed(matches: SiteMatches, without: frozenset[int] = frozenset()) -> dict[tuple[int, int], float]:
    """Pair → probability, but for pairs of the items `without`."""
    rows = zip(
        matches.pairs.left_P.tolist(), matches.pairs.right_P.tolist(), matches.probability_P.tolist(), strict=True
    )
    return {(one, other): p for one, other, p in rows if not {one, other} & without}


def quality(
    found: dict[tuple[int, int], float], truth: frozenset[tuple[int, int]], at_least: float, seed: int = 0
) -> dict[str, Any]:
    """Precision and recall of the pairs from `at_least` on, each with a 95 % interval (pairs redrawn)."""
    certain = {pair for pair, probability in found.items() if probability >= at_least}
    either = sorted(certain | truth)
    is_certain = np.array([pair in certain for pair in either])
    is_true = np.array([pair in truth for pair in either])
    rng = np.random.default_rng(seed)
    counts_RU = rng.multinomial(len(either), np.full(len(either), 1 / len(either)), size=RESAMPLES)
    hits_R = counts_RU @ (is_certain & is_true)
    expected = [probability for probability in found.values() if probability >= at_least]
    return {
        "pairs": len(certain),
        "true_pairs": len(truth),
        "precision": _share(is_certain & is_true, is_certain),
        "precision_interval": _interval(hits_R, counts_RU @ is_certain),
        "recall": _share(is_certain & is_true, is_true),
        "recall_interval": _interval(hits_R, counts_RU @ is_true),
        "expected_precision": float(np.mean(expected)) if expected else None,
    }


def curve(found: dict[tuple[int, int], float], truth: frozenset[tuple[int, int]]) -> list[tuple[float, float]]:
    """(recall, precision) after each proposed pair, the most probable first, thinned to some 60 points."""
    order = sorted(found, key=lambda pair: -found[pair])
    hits = np.cumsum([pair in truth for pair in order])
    precision = hits / np.arange(1, len(order) + 1)
    points = list(zip((hits / len(truth)).round(4).tolist(), precision.round(4).tolist(), strict=True))
    return points[:: max(1, len(points) // 60)] + points[-1:]


def recall_at_precision(found: dict[tuple[int, int], float], truth: frozenset[tuple[int, int]], wanted: float) -> float:
    """The largest recall of a threshold whose precision is as wanted: what one set by the truth would give."""
    order = sorted(found, key=lambda pair: -found[pair])
    hits = np.cumsum([pair in truth for pair in order])
    enough = np.flatnonzero(hits / np.arange(1, len(order) + 1) >= wanted)
    return float(hits[enough[-1]] / len(truth)) if len(enough) else 0.0


def calibration(found: dict[tuple[int, int], float], truth: frozenset[tuple[int, int]]) -> list[dict[str, float]]:
    """Of the proposed pairs whose probability lies between two edges: how many, their mean probability, share right."""
    p = np.array(list(found.values()))
    is_right = np.array([pair in truth for pair in found])
    bins = []
    for low, high in pairwise(EDGES):
        here = (p >= low) & (p < high)
        if here.any():
            bins.append(
                {"pairs": int(here.sum()), "said": float(p[here].mean()), "right": float(is_right[here].mean())}
            )
    return bins


def calibration_error(bins: list[dict[str, float]]) -> float:
    """Mean distance of what was said from what was right, weighted by pairs."""
    total = sum(one["pairs"] for one in bins)
    return sum(one["pairs"] * abs(one["said"] - one["right"]) for one in bins) / total


def _share(part: np.ndarray, whole: np.ndarray) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _interval(part_R: np.ndarray, whole_R: np.ndarray) -> list[float] | None:
    kept = whole_R > 0
    return np.quantile(part_R[kept] / whole_R[kept], [0.025, 0.975]).tolist() if kept.any() else None
