"""What a baseline's settings are judged by: items, or pairs of warm items, masked inside the training data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import TrainingInput
from graphrec.errors import GraphRecError
from graphrec.evaluation.metrics import ndcg
from graphrec.evaluation.protocol import Pool, PoolName
from graphrec.evaluation.ranking import hits, rank_by_scores
from graphrec.models.tuning import CUTOFF, MaskedSplit, mean_ndcg

ItemScores = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(users B, items P) → scores (B, P)."""


@dataclass(frozen=True)
class Judge:
    """The masked training data, and the pool and users whose NDCG@20 decides between settings."""

    masked: MaskedSplit
    matrix_UI: sp.csr_matrix
    """What is left to learn from, one row per user of the training data."""
    pool: Pool | None
    """None where nobody can judge: every setting then scores nan."""
    users: np.ndarray

    @classmethod
    def of(cls, inputs: TrainingInput, name: PoolName) -> "Judge":
        """`cold`: the masked items, for arms that see features. `warm`: masked pairs of other items, for arms that
        cannot see a masked item. The split is the same for every arm of one seed.

        Raises GraphRecError where no user can judge the masked items.
        """
        masked = MaskedSplit.of(inputs.train, inputs.tuning, inputs.seed)
        judges = masked.judges(name)
        if judges is None and name == "cold":
            raise GraphRecError("No user with history touched a masked item: too few interactions to tune on.")
        pool, users = judges or (None, np.zeros(0, dtype=np.int64))
        return cls(masked, masked.split.train.interactions.user_item_matrix(), pool, users)

    @classmethod
    def where_possible(cls, inputs: TrainingInput, name: PoolName) -> "Judge | None":
        """As `of`; None where nobody can judge, or nothing can be masked."""
        try:
            judge = cls.of(inputs, name)
        except GraphRecError:
            return None
        return None if judge.pool is None else judge

    def by_vectors(self, query_BD: np.ndarray, vectors_ID: np.ndarray) -> float:
        """NDCG@20 of ranking by inner product; query b is that of user `users[b]`."""
        return float("nan") if self.pool is None else mean_ndcg(query_BD, vectors_ID, self.pool, self.users)

    def by_scores(self, scores: ItemScores) -> float:
        """NDCG@20 of ranking by these scores."""
        pool, users = self.pool, self.users
        if pool is None:
            return float("nan")
        lists = rank_by_scores(
            lambda rows: scores(users[rows], pool.items),
            len(users), pool.seen.shape[1], pool.items, pool.seen[users], CUTOFF,
        )  # fmt: skip
        return float(np.nanmean(ndcg(*hits(lists, pool.truth[users]), CUTOFF)))
