"""The low-rank arm: implicit-feedback matrix factorisation."""

from copy import copy
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.implicit_als import SPACE, ALSSettings, als_factors, require_implicit, with_new_users
from graphrec.baselines.judge import Judge
from graphrec.baselines.search import random_search
from graphrec.baselines.ties import RandomTies
from graphrec.data.dataset import Dataset
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.progress import Progress


class ALS(VectorBaseline):
    """`implicit`'s AlternatingLeastSquares; settings are chosen by NDCG@20 on masked pairs of warm items.

    A cold item's factors are zero, which is what least squares says of it: all cold items score 0 for everybody and
    stand in a random order of the seed. Needs the extra `graphrec[baselines]`.
    """

    has_personal_part = True

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """See `Baseline.check`."""
        super().check(train, has_unseen_users)
        require_implicit(type(self).__name__)

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        judge = Judge.of(inputs, "warm")

        def score(settings: ALSSettings) -> float:
            user_UD, item_ID = als_factors(judge.matrix_UI, settings, inputs.seed)
            return judge.by_vectors(user_UD[judge.users], item_ID)

        self.search_ = random_search(
            ALSSettings(), SPACE, score, inputs.tuning.tries, inputs.seed, progress, "Tuning ALS"
        )
        self.settings_ = self.search_.best.settings
        matrix_UI = inputs.train.interactions.user_item_matrix()
        self.user_UD_, item_ID = als_factors(matrix_UI, self.settings_, inputs.seed)
        self.vectors_ = with_popularity(item_ID, np.zeros(len(item_ID), dtype=np.float32))
        self.popularity_weight_ = 0.0
        self.ties_ = RandomTies.of(len(item_ID), inputs.seed)
        warm = np.flatnonzero(inputs.train.interactions.item_degree())
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(matrix_UI, inputs.seed)), item_ID[warm])

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`: users whom training never saw get the factors that least squares gives them."""
        other = copy(self)
        other.user_UD_ = with_new_users(self.user_UD_, known_UI, self.vectors_[:, :-1], self.settings_)
        return other

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): the users' factors."""
        return self.user_UD_[users]
