"""Ridge regression from weighted feature blocks, for many block weights and penalties on one Gram matrix."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from pydantic import BaseModel, PositiveFloat

_CONSTANT = 0.3
"""Entry of the constant column: small beside a block's unit rows, so that the intercept is shrunk too."""


class HeadSettings(BaseModel, extra="forbid", frozen=True):
    """What is tuned of a ridge head: how much each feature block counts, and how strongly weights are shrunk."""

    weights: dict[str, float]
    """Block, or kernel term → factor of its inner products; 0 leaves it out."""
    penalty: PositiveFloat = 5.0


@dataclass(frozen=True)
class RidgeSystem:
    """The normal equations of items `rows` over features and a constant.

    `x_IF` holds all items' blocks side by side, unweighted; `columns` says where each block is. F counts the constant,
    which stands last.
    """

    x_IF: np.ndarray
    columns: dict[str, slice]
    rows: np.ndarray

    @cached_property
    def gram_FF(self) -> np.ndarray:
        """XᵀX over `rows`, float64."""
        return (self.design_RF.T @ self.design_RF).astype(np.float64)

    @cached_property
    def design_RF(self) -> np.ndarray:
        """X: the design of `rows`, kept because every target and every try needs it."""
        return self.design(self.rows)

    def design(self, rows: np.ndarray) -> np.ndarray:
        """The unweighted features of these items with the constant column, float32."""
        x_RF = self.x_IF[rows]
        return np.hstack([x_RF, np.full((len(x_RF), 1), _CONSTANT, dtype=np.float32)])

    def scale(self, settings: HeadSettings) -> np.ndarray:
        """The square root of each column's block weight, float64 (F,); 1 for the constant."""
        scale_F = np.zeros(self.x_IF.shape[1] + 1)
        for name, where in self.columns.items():
            scale_F[where] = np.sqrt(settings.weights[name])
        scale_F[-1] = 1
        return scale_F

    def inverse_times(self, right_FT: np.ndarray, settings: HeadSettings) -> np.ndarray:
        """S (S G S + λ I)⁻¹ S · right, float64, with G the Gram matrix and S the diagonal of `scale`.

        With right = XᵀY these are the ridge coefficients for unweighted features; columns of weight 0 get zeros.
        """
        scale_F = self.scale(settings)
        used = np.flatnonzero(scale_F)
        system = self.gram_FF[np.ix_(used, used)] * np.outer(scale_F[used], scale_F[used])
        system[np.diag_indices_from(system)] += settings.penalty
        factor = scipy.linalg.cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        answer_FT = np.zeros_like(right_FT, dtype=np.float64)
        scaled = scale_F[used, None] * right_FT[used]
        answer_FT[used] = scale_F[used, None] * scipy.linalg.cho_solve(factor, scaled, check_finite=False)
        return answer_FT
