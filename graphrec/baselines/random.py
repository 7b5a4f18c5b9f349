"""Random order: the floor that every metric has in its pool."""

from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import Baseline, TrainingInput
from graphrec.evaluation.ranking import RankedLists, rank_by_scores
from graphrec.progress import Progress


class Random(Baseline):
    """Every user gets an own random order, drawn from the seed and the user's index."""

    has_personal_part = False

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        self.seed_ = inputs.seed

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`; who the user is plays no part."""
        return self

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`; popularity plays no part."""

        def score_block(rows: np.ndarray) -> np.ndarray:
            # One generator per user: the same user gets the same list whoever else is asked for.
            return np.stack([np.random.default_rng([self.seed_, int(user)]).random(len(pool)) for user in users[rows]])

        return rank_by_scores(score_block, len(users), len(self.train_.catalogue), pool, seen, k)
