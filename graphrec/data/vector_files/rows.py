"""Vectors as a file holds them, before anything is said of their worth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VectorRows:
    """R ids, "" where the file names none, and a vector of F numbers each; `row_R` counts as a reader would, from 1."""

    ids: np.ndarray
    vectors_RF: np.ndarray
    row_R: np.ndarray

    @classmethod
    def in_order(cls, ids: np.ndarray, vectors_RF: np.ndarray) -> "VectorRows":
        """Every row of the file, in its order."""
        return cls(ids, vectors_RF, np.arange(1, len(ids) + 1))
