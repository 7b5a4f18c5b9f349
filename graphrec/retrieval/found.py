"""What a search answers."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """The K best items of B queries, best first; where fewer were eligible, the rest of the row is padding.

    Raises ValueError where the shapes differ.
    """

    items_BK: np.ndarray
    """Item indices, int64, -1 in the padding."""
    scores_BK: np.ndarray
    """Inner products, float32, nan in the padding."""

    def __post_init__(self) -> None:
        if self.items_BK.ndim != 2 or self.items_BK.shape != self.scores_BK.shape:
            raise ValueError(f"Expected two (B, K) arrays, got {self.items_BK.shape} and {self.scores_BK.shape}.")

    def __len__(self) -> int:
        return len(self.items_BK)
