"""Match probabilities from settled pairs: boosted trees that see all evidence together.

More likeness never counts against a pair (monotone trees). Judged out of fold: no pair is judged by a model that has
seen one of its left item's pairs. P pairs.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from graphrec.identity.candidates import Pairs
from graphrec.identity.evidence import Evidence
from graphrec.identity.one_to_one import probability_of
from graphrec.progress import Progress, silent

_FEWEST = 30
_FOLDS = 3
_SETTLED_WEIGHT = 3.0
_UNLIKELY = 0.01
_MOST_UNLIKELY = 20_000
_NEGLIGIBLE = 1e-3


def learned_probability(
    first_P: np.ndarray,
    evidence: Evidence,
    pairs: Pairs,
    known_P: np.ndarray,
    has_rivals: bool,
    seed: int,
    progress: Progress = silent,
) -> np.ndarray | None:
    """(P,) probabilities learned from the settled pairs, and from first guesses for the others.

    `first_P` is a guess from a model that has not been told of the settled pairs, or hardly noticed; `known_P` is 1 or
    0 where settled, nan elsewhere. None where fewer than 30 pairs are settled either way, or where what is learned
    predicts the settled pairs, each out of fold, no better than the first guess does (log loss).
    """
    settled_P = ~np.isnan(known_P)
    if min((known_P == 1).sum(), (known_P == 0).sum()) < _FEWEST:
        return None
    odds_P = _out_of_fold_odds(np.where(settled_P, known_P, first_P), settled_P, evidence, pairs, seed, progress)
    probability_P = probability_of(odds_P, pairs, has_rivals)
    losses = [log_loss(known_P[settled_P], np.clip(one[settled_P], 1e-4, 1 - 1e-4)) for one in (probability_P, first_P)]
    return np.where(settled_P, known_P, probability_P) if losses[0] < losses[1] else None


def _out_of_fold_odds(
    target_P: np.ndarray, settled_P: np.ndarray, evidence: Evidence, pairs: Pairs, seed: int, progress: Progress
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fold_P = rng.integers(_FOLDS, size=int(pairs.left_P.max()) + 1)[pairs.left_P]
    chosen, weight = _training_pairs(target_P, settled_P, rng)
    probability_P = np.empty(len(pairs))
    for fold in progress(range(_FOLDS), "Learning from settled pairs"):
        train = fold_P[chosen] != fold
        x = np.repeat(evidence.x_PF[chosen[train]], 2, axis=0)
        is_match = np.tile([True, False], train.sum())
        share = np.stack([target_P[chosen[train]], 1 - target_P[chosen[train]]], axis=1).ravel()
        share *= np.repeat(weight[train], 2)
        kept = share > _NEGLIGIBLE
        varied = _varied(x[kept])
        trees = HistGradientBoostingClassifier(
            monotonic_cst=evidence.direction_F[varied],
            learning_rate=0.08,
            max_iter=80,
            max_leaf_nodes=15,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        ).fit(x[kept][:, varied], is_match[kept], share[kept])
        here = np.flatnonzero(fold_P == fold)
        if len(here):
            probability_P[here] = trees.predict_proba(evidence.x_PF[here][:, varied])[:, 1]
    return probability_P / (1 - probability_P + 1e-9)


def _varied(x: np.ndarray) -> np.ndarray:
    """Indices of the columns that can say something."""
    low_F = np.where(np.isnan(x), np.inf, x).min(axis=0)
    high_F = np.where(np.isnan(x), -np.inf, x).max(axis=0)
    return np.flatnonzero(high_F > low_F)


def _training_pairs(
    target_P: np.ndarray, settled_P: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights: all that is settled or likely, and a sample that stands for the many unlikely pairs."""
    is_needed_P = settled_P | (target_P >= _UNLIKELY)
    needed, others = np.flatnonzero(is_needed_P), np.flatnonzero(~is_needed_P)
    sample = others if len(others) <= _MOST_UNLIKELY else np.sort(rng.choice(others, _MOST_UNLIKELY, replace=False))
    weight = np.r_[
        np.where(settled_P[needed], _SETTLED_WEIGHT, 1.0), np.full(len(sample), len(others) / max(len(sample), 1))
    ]
    return np.r_[needed, sample], weight
