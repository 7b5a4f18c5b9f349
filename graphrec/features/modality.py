"""What one encoder says about the items, before any learning."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Modality:
    """One float32 vector per item (I × F) and whether the item has one; absent items' rows are zero.

    Raises ValueError where the shapes or types differ from that, a value is not finite, or an absent row is not zero.
    """

    x_IF: np.ndarray
    present_I: np.ndarray

    def __post_init__(self) -> None:
        x_IF, present_I = self.x_IF, self.present_I
        if x_IF.ndim != 2 or present_I.shape != x_IF.shape[:1]:
            raise ValueError(f"Expected shapes (items, features) and (items,), got {x_IF.shape} and {present_I.shape}.")
        if x_IF.dtype != np.float32 or present_I.dtype != np.bool_:
            raise ValueError(f"Expected float32 vectors and a boolean mask, got {x_IF.dtype} and {present_I.dtype}.")
        if x_IF.shape[1] == 0:
            raise ValueError("Expected at least one feature, got none.")
        # Extremes instead of a mask: nothing of the matrix's size is made only to look at it.
        if x_IF.size and not (np.isfinite(x_IF.min()) and np.isfinite(x_IF.max())):
            raise ValueError("Expected finite values.")
        if x_IF[~present_I].any():
            raise ValueError("Expected zero rows for absent items.")

    @property
    def num_features(self) -> int:
        """F."""
        return self.x_IF.shape[1]

    @property
    def num_present(self) -> int:
        """How many items have this modality."""
        return int(self.present_I.sum())

    @classmethod
    def from_rows(cls, x_RF: np.ndarray, row_I: np.ndarray) -> "Modality":
        """Item i takes row `row_I[i]` of `x_RF`, or is absent where that is -1."""
        present_I = row_I >= 0
        x_IF = np.zeros((len(row_I), x_RF.shape[1]), dtype=np.float32)
        x_IF[present_I] = x_RF[row_I[present_I]]
        return cls(x_IF, present_I)
