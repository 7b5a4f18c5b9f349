"""The same list for everybody: items by the number of users who touched them."""

from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import Baseline, TrainingInput
from graphrec.evaluation.ranking import RankedLists, rank_by_scores
from graphrec.progress import Progress


class Popularity(Baseline):
    """Items by degree. Equal degrees stand in one random order, so among cold items this is one random list."""

    has_personal_part = False

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        degree_I = inputs.train.own_interactions.item_degree()
        tie_I = np.random.default_rng(inputs.seed).permutation(len(degree_I))
        rank_I = np.empty(len(degree_I), dtype=np.int64)
        rank_I[np.lexsort((tie_I, degree_I))] = np.arange(len(degree_I))
        self.score_I_ = rank_I / max(1, len(rank_I))

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`; who the user is plays no part."""
        return self

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`; without popularity there is nothing left of it."""
        if not popularity:
            raise ValueError("The popularity arm has nothing but popularity.")
        score_P = self.score_I_[pool]
        return rank_by_scores(
            lambda rows: np.broadcast_to(score_P, (len(rows), len(pool))),
            len(users), len(self.score_I_), pool, seen, k,
        )  # fmt: skip
