"""What a ranking ranks by: inner products, or scores that somebody else gives.

Shapes: U users asked, P items of the pool, D dimensions, B users of one block, N pairs that may still reach a list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

_PAIRS_AT_ONCE = 2048  # few enough for their vectors to stay in the cache


class Scorer(Protocol):
    """What the core ranks by: a first score of every pair, known up to an error, and the final one of a few."""

    def first(self, rows: np.ndarray) -> np.ndarray:
        """Scores of these users over the pool, (B, P) float32, free to be overwritten."""
        ...

    def error(self, rows: np.ndarray) -> np.ndarray:
        """The most by which a user's first score can differ from the final one, (B,)."""
        ...

    def final(self, row_N: np.ndarray, position_N: np.ndarray, first_N: np.ndarray) -> np.ndarray:
        """Final float32 scores of single pairs of (user row, position in the pool) with the given first scores."""
        ...


@dataclass(frozen=True)
class InnerProducts:
    """First a float32 matrix product, whose last bits depend on the block's shape; finally float64, pair by pair."""

    query_UD: np.ndarray
    vectors_PD: np.ndarray
    error_U: np.ndarray

    @classmethod
    def of(cls, query_UD: np.ndarray, vectors_PD: np.ndarray) -> Self:
        """See `Scorer`."""
        """Raises ValueError where numbers are not finite."""
        return cls(query_UD, vectors_PD, product_error(query_UD, vectors_PD))

    def first(self, rows: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        return self.query_UD[rows[0] : rows[-1] + 1] @ self.vectors_PD.T

    def error(self, rows: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        return self.error_U[rows]

    def final(self, row_N: np.ndarray, position_N: np.ndarray, first_N: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        score_N = np.empty(len(row_N), dtype=np.float32)
        for start in range(0, len(row_N), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            query_nD = self.query_UD[row_N[part]].astype(np.float64)
            vector_nD = self.vectors_PD[position_N[part]].astype(np.float64)
            score_N[part] = np.einsum("nd,nd->n", query_nD, vector_nD)
        return score_N


@dataclass(frozen=True)
class GivenScores:
    """Scores that are final as they come."""

    score_block: Callable[[np.ndarray], np.ndarray]
    pool_size: int

    def first(self, rows: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        score_BP = np.array(self.score_block(rows), dtype=np.float32, order="C")
        if score_BP.shape != (len(rows), self.pool_size):
            raise ValueError(f"Expected scores of shape {(len(rows), self.pool_size)}, got {score_BP.shape}.")
        if not np.isfinite(score_BP).all():
            raise ValueError("Expected finite scores, got nan or infinity.")
        return score_BP

    def error(self, rows: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        return np.zeros(len(rows))

    def final(self, row_N: np.ndarray, position_N: np.ndarray, first_N: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        return first_N


def product_error(query_UD: np.ndarray, vectors_PD: np.ndarray) -> np.ndarray:
    """Bound on |float32 product - exact product rounded to float32| over the pool, float64 (U,).

    The sum of D rounded products in any order is off by at most D·u/(1 - D·u)·Σ|q_d·v_d| with u = 2^-24 (Higham 2002,
    section 3.1), and Σ|q_d·v_d| ≤ ‖q‖·‖v‖; one more u for the final rounding, one for ours, and room for underflow.
    """
    dim = query_UD.shape[1]
    query_norm_U = np.sqrt(np.einsum("ud,ud->u", query_UD, query_UD, dtype=np.float64))
    vector_norm_P = np.sqrt(np.einsum("pd,pd->p", vectors_PD, vectors_PD, dtype=np.float64))
    largest_U = query_norm_U * vector_norm_P.max(initial=0)
    if not (largest_U < np.finfo(np.float32).max).all():  # written so that nan fails too
        raise ValueError("Expected finite queries and vectors with products below the float32 maximum.")
    rounding = (dim + 2) * 2.0**-24
    return rounding / (1 - rounding) * largest_U + (dim + 2) * float(np.finfo(np.float32).tiny)
