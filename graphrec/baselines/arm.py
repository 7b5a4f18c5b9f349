"""What every arm of a comparison can do, and what arms that are inner products share."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.scoring import QueryScale
from graphrec.models.tuning import TuningConfig
from graphrec.progress import Progress, silent

_USERS_PER_BLOCK = 4096


@dataclass(frozen=True)
class TrainingInput:
    """What every arm is fitted from: one training set, one set of features, one tuning budget, one seed."""

    train: Dataset
    blocks: FeatureBlocks
    tuning: TuningConfig
    seed: int = 0


class Arm(Protocol):
    """One side of a comparison, fitted."""

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """The k best items of the pool for each user index; `seen` has one row per asked user and is excluded.

        With `popularity` off the arm's popularity is taken out; an arm that has nothing else then raises ValueError.
        """
        ...


class Baseline:
    """`fit` and `recommend` with the user's own ids, as the recommender has; subclasses bring `_fit` and `rank`."""

    def fit(self, inputs: TrainingInput, progress: Progress = silent) -> Self:
        """Learn from the training data; returns self."""
        self.train_ = inputs.train
        self._fit(inputs, progress)
        return self

    def recommend(self, user_ids: list[str], k: int = 20) -> pd.DataFrame:
        """Columns user_id, rank (from 1), item_id, score: the best items of the catalogue the user has not touched.

        Raises GraphRecError for an unknown user.
        """
        users = self.train_.user_id_index.get_indexer(pd.Index(user_ids, dtype=object))
        if (users < 0).any():
            raise GraphRecError(f"Unknown user {user_ids[int(np.argmin(users))]!r}: not in the training data.")
        seen = self.train_.interactions.user_item_matrix()[users]
        lists = self.rank(users, np.arange(len(self.train_.catalogue)), seen, k)
        row, rank = np.nonzero(lists.items_UK >= 0)
        return pd.DataFrame(
            {
                "user_id": np.asarray(user_ids, dtype=object)[row],
                "rank": rank + 1,
                "item_id": self.train_.catalogue.item_ids[lists.items_UK[row, rank]],
                "score": lists.scores_UK[row, rank],
            }
        )

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`."""
        raise NotImplementedError

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        raise NotImplementedError


class VectorBaseline(Baseline):
    """A baseline whose score is an inner product; `_fit` sets the three attributes."""

    vectors_: np.ndarray
    """(I, D + 1), the last component the popularity term."""
    scale_: QueryScale
    popularity_weight_: float

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): what the arm knows of these users, before scaling."""
        raise NotImplementedError

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`; users are taken in blocks, for a content vector is as wide as the features."""
        parts = []
        for start in range(0, max(1, len(users)), _USERS_PER_BLOCK):  # one empty block where nobody is asked
            part = slice(start, start + _USERS_PER_BLOCK)
            query_BD = self.scale_.search_query(self.user_vectors(users[part]), self.popularity_weight_, popularity)
            parts.append(rank_by_vectors(query_BD, self.vectors_, pool, None if seen is None else seen[part], k))
        return RankedLists(
            np.concatenate([part.items_UK for part in parts]), np.concatenate([part.scores_UK for part in parts])
        )
