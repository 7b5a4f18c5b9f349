"""Implicit feedback as index arrays: what every later stage learns from."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Interactions:
    """Implicit feedback, one row per event (E of them), addressed by contiguous indices.

    `timestamp_E` is in seconds since 1970 (UTC), nan where unknown; `site_index_E` is -1 where no site was given.
    Raises ValueError where the arrays disagree in length or an index is out of range.
    """

    num_users: int
    num_items: int
    user_index_E: np.ndarray
    item_index_E: np.ndarray
    weight_E: np.ndarray
    timestamp_E: np.ndarray
    site_index_E: np.ndarray

    def __post_init__(self) -> None:
        lengths = {
            len(a) for a in (self.user_index_E, self.item_index_E, self.weight_E, self.timestamp_E, self.site_index_E)
        }
        if len(lengths) != 1:
            raise ValueError(f"Expected columns of one length, got lengths {sorted(lengths)}.")
        for name, index_E, size in (
            ("user", self.user_index_E, self.num_users),
            ("item", self.item_index_E, self.num_items),
        ):
            if len(index_E) and not (index_E.min() >= 0 and index_E.max() < size):
                raise ValueError(f"Expected {name} indices in [0, {size}), got {index_E.min()}..{index_E.max()}.")
        if len(self.weight_E) and not (self.weight_E > 0).all():
            raise ValueError("Expected weights above zero.")

    @classmethod
    def from_pairs(
        cls, user_index_E: np.ndarray, item_index_E: np.ndarray, num_users: int, num_items: int
    ) -> "Interactions":
        """Events of weight 1 without time or site."""
        size = len(user_index_E)
        return cls(
            num_users=num_users,
            num_items=num_items,
            user_index_E=np.asarray(user_index_E, dtype=np.int64),
            item_index_E=np.asarray(item_index_E, dtype=np.int64),
            weight_E=np.ones(size, dtype=np.float32),
            timestamp_E=np.full(size, np.nan),
            site_index_E=np.full(size, -1, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.user_index_E)

    def take(self, rows: np.ndarray) -> "Interactions":
        """The events at `rows` (a boolean mask over E, or row indices); users and items keep their indices."""
        return Interactions(
            num_users=self.num_users,
            num_items=self.num_items,
            user_index_E=self.user_index_E[rows],
            item_index_E=self.item_index_E[rows],
            weight_E=self.weight_E[rows],
            timestamp_E=self.timestamp_E[rows],
            site_index_E=self.site_index_E[rows],
        )

    def user_item_matrix(self) -> sp.csr_matrix:
        """Users × items CSR; an entry is the summed weight of that pair's events, float32, indices sorted."""
        matrix = sp.csr_matrix(
            (self.weight_E.astype(np.float32), (self.user_index_E, self.item_index_E)), (self.num_users, self.num_items)
        )
        matrix.sum_duplicates()
        matrix.sort_indices()
        return matrix

    def item_degree(self) -> np.ndarray:
        """Distinct users of each item, int64 of shape (num_items,)."""
        return np.bincount(self.user_item_matrix().indices, minlength=self.num_items).astype(np.int64)

    def user_degree(self) -> np.ndarray:
        """Distinct items of each user, int64 of shape (num_users,)."""
        return np.diff(self.user_item_matrix().indptr).astype(np.int64)
