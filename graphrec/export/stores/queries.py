"""What a vector database is asked: users' query vectors, and what they must not be shown again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender


@dataclass(frozen=True)
class Queries:
    """B users. Raises ValueError where lengths differ or a number is not finite."""

    user_ids: np.ndarray
    """Object array of strings."""
    vectors_BD: np.ndarray
    """float32; the inner product with an item's vector is the score."""
    seen: Sequence[np.ndarray]
    """Stable ids of the items that each user has touched, int64."""
    model_version: str

    def __post_init__(self) -> None:
        if self.vectors_BD.ndim != 2 or self.vectors_BD.dtype != np.float32:
            raise ValueError(f"Expected float32 queries (B, D), got {self.vectors_BD.dtype} {self.vectors_BD.shape}.")
        if not len(self.user_ids) == len(self.seen) == len(self.vectors_BD):
            raise ValueError(f"Expected one id and one list of seen items for each of {len(self.vectors_BD)} queries.")
        if not np.isfinite(self.vectors_BD).all():
            raise ValueError("Expected finite queries, got nan or infinity.")

    @classmethod
    def of(
        cls, model: Recommender, user_ids: Sequence[str] | None = None, model_version: str | None = None
    ) -> "Queries":
        """Queries of these users, or of all that have a history. `model_version`: default: the run's own.

        Raises GraphRecError for a user who is unknown or has no history.
        """
        with_history_U = np.diff(model.seen.indptr) > 0
        if user_ids is None:
            users = np.flatnonzero(with_history_U)
        else:
            if isinstance(user_ids, str):
                raise GraphRecError(f"Expected a list of user ids, got {user_ids!r}: write [{user_ids!r}].")
            users = model.train_.user_id_index.get_indexer(pd.Index(list(user_ids), dtype=object))
            for user_id, user in zip(user_ids, users, strict=True):
                if user < 0 or not with_history_U[user]:
                    what = "is not in the training data" if user < 0 else "has no interaction in the training data"
                    raise GraphRecError(f"User {user_id!r} {what}: name a user with a history.")
        stable_id_I = stable_ids(model.train_.catalogue.item_ids)
        seen_BI = model.seen[users]
        seen = np.split(stable_id_I[seen_BI.indices], seen_BI.indptr[1:-1]) if len(users) else []
        return cls(model.train_.user_ids[users], model.queries(users), seen, model_version or model.version)

    def __len__(self) -> int:
        return len(self.vectors_BD)
