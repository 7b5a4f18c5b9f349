"""Match probabilities without a single label (Fellegi and Sunter 1969, fitted by EM as in Winkler 1988).

Every comparison falls into a bin; a bin is frequent among matches with probability m, among other pairs with u, and the
comparisons are taken to be independent. Unlike there, the E step knows that an item has at most one partner: a pair's
rivals speak against it. P pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrec.identity.candidates import Pairs
from graphrec.identity.evidence import RAREST, Evidence
from graphrec.identity.one_to_one import probability_of

_FINE = (0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
_COARSE = (0, 0.8, 0.97, 0.995)
_MOST_STEPS = 100
_CONVERGED = 1e-4
_FIRST_GUESS, _FIRST_DOUBT = 0.7, 0.01
_LIMIT = 30.0
_PRIOR_PAIRS = 2.0
_LEAST = 1e-3  # in an empty bin


@dataclass(frozen=True)
class _Binning:
    """Bins of one column: 0 where it is missing, else 1 + the last edge that is not above the value."""

    edges: np.ndarray

    @classmethod
    def of(cls, value_P: np.ndarray, quantiles: Sequence[float]) -> Self:
        """Bins that get finer towards the most alike; each value is its own where there are few."""
        given = value_P[np.isfinite(value_P)]
        distinct = np.unique(given)
        return cls(distinct if len(distinct) <= 8 else np.unique(np.quantile(given, quantiles)))

    @property
    def num_bins(self) -> int:
        return len(self.edges) + 1

    def __call__(self, value_P: np.ndarray) -> np.ndarray:
        place_P = np.searchsorted(self.edges, np.nan_to_num(value_P, nan=-np.inf), side="right")
        return np.where(np.isfinite(value_P), np.maximum(place_P, 1), 0)


@dataclass(frozen=True)
class _Comparison:
    """One or several columns that are seen together: a bin for every combination of their bins."""

    names: tuple[str, ...]
    binnings: tuple[_Binning, ...]

    @property
    def num_bins(self) -> int:
        return int(np.prod([binning.num_bins for binning in self.binnings]))

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        bin_P = np.zeros(len(next(iter(columns.values()))), dtype=np.int64)
        for name, binning in zip(self.names, self.binnings, strict=True):
            bin_P = bin_P * binning.num_bins + binning(columns[name])
        return bin_P


@dataclass(frozen=True)
class FellegiSunter:
    """The fitted model: what each bin of each comparison adds to the logarithm of a pair's odds."""

    comparisons: tuple[_Comparison, ...]
    weights: tuple[np.ndarray, ...]
    """log(m / u) per bin of each comparison; 0 for missing evidence."""
    prior: float
    """Logarithm of the odds of a candidate pair before anything is compared."""

    @classmethod
    def fit(
        cls, evidence: Evidence, pairs: Pairs, known_P: np.ndarray, has_rivals: bool = True
    ) -> tuple[Self, np.ndarray]:
        """The model, and the probability of each pair (P,).

        `known_P` is 1 or 0 where settled, nan elsewhere. `has_rivals`: an item has at most one partner.
        """
        columns = _columns(evidence)
        comparisons = tuple(_comparison(names, columns) for names in _groups(columns))
        bins = [comparison(columns) for comparison in comparisons]
        settled_P = ~np.isnan(known_P)
        probability_P = np.where(settled_P, known_P, _first_guess(columns, pairs))
        weights: tuple[np.ndarray, ...] = ()
        prior = 0.0
        for _ in range(_MOST_STEPS):
            prior = _log_prior_odds(probability_P)
            weights = tuple(
                _log_ratios(bin_P, comparison.num_bins, probability_P)
                for bin_P, comparison in zip(bins, comparisons, strict=True)
            )
            log_odds_P = prior + sum((w[bin_P] for w, bin_P in zip(weights, bins, strict=True)), np.zeros(len(pairs)))
            before_P = probability_P
            probability_P = np.where(settled_P, known_P, probability_of(_odds(log_odds_P), pairs, has_rivals))
            if np.abs(probability_P - before_P).max(initial=0) < _CONVERGED:
                break
        return cls(comparisons, weights, prior), probability_P

    def odds(self, evidence: Evidence) -> np.ndarray:
        """(P,) odds of each pair by itself, without regard to its rivals."""
        columns = _columns(evidence)
        log_odds_P = np.full(len(evidence.x_PF), self.prior)
        for comparison, weight in zip(self.comparisons, self.weights, strict=True):
            log_odds_P += weight[comparison(columns)]
        return _odds(log_odds_P)


def _columns(evidence: Evidence) -> dict[str, np.ndarray]:
    """Larger for more alike. The views of the titles are averaged to one."""
    columns = {
        name: evidence.column(name) * direction
        for name, direction in zip(evidence.names, evidence.direction_F, strict=True)
    }
    titles = [column for name, column in columns.items() if name.startswith("title")]
    kept = {name: column for name, column in columns.items() if _stands_alone(name)}
    return {"title": _mean(titles), **kept}


def _stands_alone(name: str) -> bool:
    return not name.startswith(("title", "rank", "lead")) and "contained" not in name


def _groups(columns: dict[str, np.ndarray]) -> list[tuple[str, ...]]:
    """Words that two items share may stand in their titles: those are seen together, all else is independent."""
    given = [name for name, column in columns.items() if np.isfinite(column).any()]
    first = tuple(name for name in ("title", RAREST) if name in given)
    return [first, *((name,) for name in given if name not in first)] if first else [(name,) for name in given]


def _comparison(names: tuple[str, ...], columns: dict[str, np.ndarray]) -> _Comparison:
    fine = _Binning.of(columns[names[0]], _FINE)
    return _Comparison(names, (fine, *(_Binning.of(columns[name], _COARSE) for name in names[1:])))


def _mean(columns: list[np.ndarray]) -> np.ndarray:
    """Over the columns, nan where none has a value."""
    x_PC = np.stack(columns, axis=1)
    count_P = np.isfinite(x_PC).sum(axis=1)
    return np.where(count_P > 0, np.nansum(x_PC, axis=1) / np.maximum(count_P, 1), np.nan)


def _first_guess(columns: dict[str, np.ndarray], pairs: Pairs) -> np.ndarray:
    """Where EM starts: pairs that are the best for both of their items."""
    score_P = np.nan_to_num(_mean(list(columns.values())))
    num_items = max(pairs.left_P.max(initial=0), pairs.right_P.max(initial=0)) + 1
    best_left_I, best_right_I = np.full(num_items, -np.inf), np.full(num_items, -np.inf)
    np.maximum.at(best_left_I, pairs.left_P, score_P)
    np.maximum.at(best_right_I, pairs.right_P, score_P)
    is_best_P = (score_P >= best_left_I[pairs.left_P]) & (score_P >= best_right_I[pairs.right_P])
    return np.where(is_best_P, _FIRST_GUESS, _FIRST_DOUBT)


def _log_prior_odds(probability_P: np.ndarray) -> float:
    matches = float(probability_P.sum())
    return float(np.log((matches + 0.5) / (len(probability_P) - matches + 0.5)))


def _log_ratios(bin_P: np.ndarray, num_bins: int, probability_P: np.ndarray) -> np.ndarray:
    """log(m / u) of each bin, 0 for missing evidence.

    Both are drawn towards the share of all pairs that fall into the bin, as if `_PRIOR_PAIRS` more had been seen, so
    that a bin with next to nothing in it says next to nothing.
    """
    both = np.bincount(bin_P, minlength=num_bins)[1:]
    matches = np.bincount(bin_P, probability_P, num_bins)[1:]
    share = (both + _LEAST) / (both + _LEAST).sum()
    m = (matches + _PRIOR_PAIRS * share) / (matches.sum() + _PRIOR_PAIRS)
    u = (both - matches + _PRIOR_PAIRS * share) / ((both - matches).sum() + _PRIOR_PAIRS)
    return np.r_[0.0, np.log(m) - np.log(u)]


def _odds(log_odds_P: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(log_odds_P, -_LIMIT, _LIMIT))
