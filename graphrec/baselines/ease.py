"""EASE: a linear item-item model with a zero diagonal, in closed form (Steck 2019)."""

from collections.abc import Callable
from copy import copy
from typing import Self

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from pydantic import BaseModel, PositiveFloat

from graphrec.baselines.arm import ScoreBaseline, TrainingInput
from graphrec.baselines.item_knn import ones
from graphrec.baselines.judge import Judge
from graphrec.baselines.search import random_search
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.progress import Progress

MOST_ITEMS = 20_000


class EASESettings(BaseModel, extra="forbid", frozen=True):
    """What is tuned of EASE."""

    penalty: PositiveFloat = 300.0
    """λ of the squared weights, about as many as a middling item has users."""


SPACE = {"penalty": (1.0, 3.0, 10.0, 30.0, 100.0, 200.0, 300.0, 500.0, 700.0, 1000.0, 1500.0, 2000.0, 3000.0, 10_000.0)}


class WarmHistoryBaseline(ScoreBaseline):
    """A baseline whose scores are a function of the warm items that a user has touched; `_fit` sets the attributes."""

    items_: np.ndarray
    """The R warm items, sorted."""
    history_UR_: sp.csr_matrix
    """1 where the user has touched the item."""

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.history_UR_ = ones(known_UI)[:, self.items_]
        return other


class EASE(WarmHistoryBaseline):
    """A user's score of item j is Σ_i B_ij over their items i, B from `ease_weights` of the warm items.

    The penalty is chosen by NDCG@20 on masked pairs of warm items. Events count once. A cold item's column of B is
    zero, which is what the closed form says of an item without users: all cold items score 0 for everybody and stand in
    a random order of the seed.

    Dense, items × items: refused above 20,000 warm items.
    """

    has_personal_part = True

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """See `Baseline.check`."""
        super().check(train, has_unseen_users)
        check_size(int(np.count_nonzero(train.interactions.item_degree())))

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        matrix_UI = inputs.train.interactions.user_item_matrix()
        self.items_ = np.flatnonzero(inputs.train.interactions.item_degree())
        judge = Judge.of(inputs, "warm")
        self.search_ = random_search(
            EASESettings(), SPACE, ease_score(judge), inputs.tuning.tries, inputs.seed, progress, "Tuning EASE"
        )
        self.settings_ = self.search_.best.settings
        self.history_UR_ = ones(matrix_UI)[:, self.items_]
        self.weights_RR_ = ease_weights(gram(self.history_UR_), self.settings_.penalty)
        self._prepare(inputs)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(B, I): x_u B; 0 for cold items."""
        score_BI = np.zeros((len(users), len(self.ties_.item_I)))
        score_BI[:, self.items_] = self.history_UR_[users] @ self.weights_RR_
        return score_BI


def ease_score(judge: Judge) -> Callable[[EASESettings], float]:
    """NDCG@20 on the judge's masked pairs of warm items."""
    items = judge.masked.warm_items
    history_UR = ones(judge.matrix_UI)[:, items]
    gram_RR = gram(history_UR)

    def score(settings: EASESettings) -> float:
        weights_RR = ease_weights(gram_RR, settings.penalty)
        return judge.by_scores(lambda users, pool: (history_UR[users] @ weights_RR)[:, np.searchsorted(items, pool)])

    return score


def gram(rows_UR: sp.csr_matrix) -> np.ndarray:
    """XᵀX, dense float64."""
    return (rows_UR.T @ rows_UR).toarray()


def ease_weights(gram_RR: np.ndarray, penalty: float) -> np.ndarray:
    """B = I - P / diag(P) by columns, with P = (G + λI)⁻¹; its diagonal is zero. Float64 (R, R).

    Column j holds the ridge coefficients that predict item j from all others: argmin ‖X - XB‖² + λ‖B‖² where
    diag(B) = 0.
    """
    system_RR = gram_RR.copy()
    system_RR[np.diag_indices_from(system_RR)] += penalty
    factor_RR, _ = scipy.linalg.cho_factor(system_RR, lower=True, overwrite_a=True, check_finite=False)
    inverse_RR, _ = scipy.linalg.lapack.dpotri(factor_RR, lower=True, overwrite_c=True)
    inverse_RR = np.tril(inverse_RR) + np.tril(inverse_RR, -1).T
    weights_RR = inverse_RR / -np.diag(inverse_RR)
    np.fill_diagonal(weights_RR, 0.0)
    return weights_RR


def check_size(num_warm: int) -> None:
    """Raises GraphRecError where the item × item matrix would be too large."""
    if num_warm > MOST_ITEMS:
        raise GraphRecError(
            f"EASE needs a dense matrix of items × items: {num_warm:,} items with interactions are more than the "
            f"{MOST_ITEMS:,} that it takes; leave this arm out."
        )
