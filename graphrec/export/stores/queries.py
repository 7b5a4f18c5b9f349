"""What a vector database is asked: users' query vectors, and what they must not be shown again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.living.live_state import LiveState
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
        state = model.live.state
        if user_ids is None:
            users = np.arange(len(state.users))
            users = users[np.diff(state.seen.take(users).indptr) > 0]
        else:
            if isinstance(user_ids, str):
                raise GraphRecError(f"Expected a list of user ids, got {user_ids!r}: write [{user_ids!r}].")
            users = state.users.indices(list(user_ids))
            _require_history(user_ids, users, state)
        seen_BI = state.seen.take(users)
        items, place_N = np.unique(seen_BI.indices, return_inverse=True)
        numbers_N = stable_ids(state.items.item_ids[items])[place_N]
        seen = np.split(numbers_N, seen_BI.indptr[1:-1]) if len(users) else []
        return cls(state.users.names[users], state.queries(users), seen, model_version or model.version)

    def __len__(self) -> int:
        return len(self.vectors_BD)


def _require_history(user_ids: Sequence[str], users: np.ndarray, state: LiveState) -> None:
    for user_id, user in zip(user_ids, users, strict=True):
        if user < 0 or not len(state.seen.row(int(user))[0]):
            what = "is not in the training data" if user < 0 else "has no interaction in the training data"
            raise GraphRecError(f"User {user_id!r} {what}: name a user with a history.")
