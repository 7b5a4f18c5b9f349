"""What every arm of a comparison can do, and what arms that are inner products share."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from graphrec.baselines.ties import RandomTies
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.evaluation.ranking import RankedLists, rank_by_scores, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.scoring import QueryScale, sample_users
from graphrec.models.tuning import TuningConfig
from graphrec.progress import Progress, silent

_USERS_PER_BLOCK = 4096
_SCORES_PER_BLOCK = 2**22


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

    has_personal_part: ClassVar[bool]
    """Whether `rank` with popularity off makes sense: what is then left is personal, for the average user is taken out.

    False: the arm has nothing but popularity, or nothing of it, or its table is not shown so.
    """

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """Raises GraphRecError where the arm cannot be fitted on these data, or could not rank for unseen users.

        It takes no time: a comparison asks all of its arms before it fits the first.
        """
        if has_unseen_users and type(self).knowing is Baseline.knowing:
            raise GraphRecError(self._only_for_trained_users())

    def fit(self, inputs: TrainingInput, progress: Progress = silent) -> Self:
        """Learn from the training data; returns self. Raises GraphRecError as `check` does."""
        self.check(inputs.train)
        self.train_ = inputs.train
        self._fit(inputs, progress)
        return self

    def recommend(self, user_ids: list[str], k: int = 20) -> pd.DataFrame:
        """Columns user_id, rank (from 1), item_id, score: the best items that the user has not touched.

        Of the catalogue, or of the data's target site.

        Raises GraphRecError for an unknown user.
        """
        users = self.train_.user_id_index.get_indexer(pd.Index(user_ids, dtype=object))
        if (users < 0).any():
            raise GraphRecError(f"Unknown user {user_ids[int(np.argmin(users))]!r}: not in the training data.")
        seen = self.train_.interactions.user_item_matrix()[users]
        lists = self.rank(users, np.flatnonzero(self.train_.is_served_I), seen, k)
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

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """The same arm, nothing learned anew, where a user is what their row of items says: also one whom training
        never saw.

        Raises GraphRecError where users have vectors that only training gives them.
        """
        raise GraphRecError(self._only_for_trained_users())

    def _only_for_trained_users(self) -> str:
        return (
            f"{type(self).__name__} can rank only for users that it was trained on: leave it out of a comparison on "
            "held-out users."
        )

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        raise NotImplementedError


class VectorBaseline(Baseline):
    """A baseline whose score is an inner product; `_fit` sets the attributes."""

    vectors_: np.ndarray
    """(I, D + 1), the last component the popularity term."""
    scale_: QueryScale
    popularity_weight_: float
    ties_: RandomTies | None = None
    """Set where many items have the same vector: equal scores then stand in its order, else in that of item index."""

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): what the arm knows of these users, before scaling."""
        raise NotImplementedError

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`; users are taken in blocks, for a content vector is as wide as the features."""
        ties = self.ties_
        vectors_ID = self.vectors_ if ties is None else self.vectors_[ties.item_I]
        if ties is not None:
            pool, seen = ties.relabelled(pool, seen)
        parts = []
        for start in range(0, max(1, len(users)), _USERS_PER_BLOCK):  # one empty block where nobody is asked
            part = slice(start, start + _USERS_PER_BLOCK)
            query_BD = self.scale_.search_query(self.user_vectors(users[part]), self.popularity_weight_, popularity)
            parts.append(rank_by_vectors(query_BD, vectors_ID, pool, None if seen is None else seen[part], k))
        lists = RankedLists(
            np.concatenate([part.items_UK for part in parts]), np.concatenate([part.scores_UK for part in parts])
        )
        return lists if ties is None else ties.original(lists)


class ScoreBaseline(Baseline):
    """A baseline that scores items from a user's own items, without vectors; `_fit` calls `_prepare` last.

    With popularity on its scores are ranked as they are. With popularity off they are brought to unit deviation over
    the warm items, as `QueryScale` does, and the average user's are subtracted.
    """

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(B, I): scores of the whole catalogue, each row a function of its own user alone."""
        raise NotImplementedError

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """See `Arm.rank`; equal scores stand in one random order."""
        pool, seen = self.ties_.relabelled(pool, seen)
        items = self.ties_.item_I[pool]

        def score_block(rows: np.ndarray) -> np.ndarray:
            score_BP = np.empty((len(rows), len(items)), dtype=np.float32)
            for part in self._parts(len(rows)):
                score_bI = self.scores(users[rows[part]])
                score_BP[part] = (score_bI if popularity else self._scaled(score_bI) - self.average_I_)[:, items]
            return score_BP

        return self.ties_.original(rank_by_scores(score_block, len(users), len(self.ties_.item_I), pool, seen, k))

    def _prepare(self, inputs: TrainingInput) -> None:
        matrix_UI = inputs.train.interactions.user_item_matrix()
        self.ties_ = RandomTies.of(matrix_UI.shape[1], inputs.seed)
        self.warm_ = np.flatnonzero(inputs.train.interactions.item_degree())
        users = sample_users(matrix_UI, inputs.seed)
        total_I = np.zeros(matrix_UI.shape[1])
        for part in self._parts(len(users)):
            total_I += self._scaled(self.scores(users[part])).sum(axis=0)
        self.average_I_ = total_I / max(1, len(users))

    def _scaled(self, score_BI: np.ndarray) -> np.ndarray:
        deviation_B = score_BI[:, self.warm_].std(axis=1, dtype=np.float64)
        return score_BI / np.where(deviation_B > 1e-12, deviation_B, 1.0)[:, None]

    def _parts(self, num_users: int) -> list[slice]:
        """Blocks of users whose scores over the whole catalogue stay within a fixed number."""
        step = max(1, _SCORES_PER_BLOCK // len(self.ties_.item_I))
        return [slice(start, start + step) for start in range(0, num_users, step)]
