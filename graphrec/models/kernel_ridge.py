"""Kernel ridge regression onto item vectors, through landmark items where the catalogue is large."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel import Kernel, terms_of
from graphrec.models.ridge import HeadSettings

MAX_LANDMARKS = 2048
_BLOCK_ROWS = 1024
_KEPT_ROWS = 32_768
"""Of up to so many items the kernel with the landmarks is kept while the system lives: at most 256 MiB."""
_JITTERS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""Of the mean diagonal, the first that will do: kernels are rank-deficient, and neither rounding nor the wide power of
a number's bumps, which is indefinite by a hair, may make the system so."""


@dataclass(frozen=True)
class FittedHead:
    """f(x) = Σ_l α_l k(x, l) of L landmarks, for T targets: all that is needed to predict."""

    kernel: Kernel
    landmark_x_LF: np.ndarray
    coefficients_LT: np.ndarray

    def predict(self, x_IF: np.ndarray) -> np.ndarray:
        """f of items with these features, (I, T) float32.

        In blocks of fixed size: the same item gets the same bits whatever else is asked for.
        """
        predicted_IT = np.empty((len(x_IF), self.coefficients_LT.shape[1]), dtype=np.float32)
        for part in _slices(len(predicted_IT)):
            k_BL = self.kernel.values(x_IF[part], self.landmark_x_LF)
            np.matmul(k_BL, self.coefficients_LT, out=predicted_IT[part])
        return predicted_IT


@dataclass(frozen=True)
class KernelRidge:
    """The regularised kernel system of the items `rows`, seen through L landmarks among them.

    f(x) = Σ_l α_l k(x, l) with α = (K_LR K_RL + λ K_LL)⁻¹ K_LR Y: the subset of regressors (Rasmussen and Williams
    2006, section 8.3.1), which is kernel ridge itself, α = (K + λI)⁻¹ Y, where every row is a landmark. R × R is never
    built beyond `MAX_LANDMARKS`; what an item gets depends on its own features and the fit, on nothing else.
    """

    blocks: FeatureBlocks
    rows: np.ndarray
    landmarks: np.ndarray
    kernel: Kernel
    penalty: float

    @classmethod
    def of(cls, blocks: FeatureBlocks, rows: np.ndarray, settings: HeadSettings, seed: int) -> "KernelRidge":
        """All rows as landmarks, or 2,048 of them drawn by the seed."""
        landmarks = rows
        if len(rows) > MAX_LANDMARKS:
            landmarks = np.sort(np.random.default_rng(seed).choice(rows, MAX_LANDMARKS, replace=False))
        return cls(
            blocks, rows, landmarks, Kernel(blocks.columns, terms_of(blocks), settings.weights), settings.penalty
        )

    def coefficients(self, y_RT: np.ndarray) -> np.ndarray:
        """α (L, T), float32, for targets aligned with `rows`."""
        moments_LT = np.zeros((len(self.landmarks), y_RT.shape[1]))
        for part, k_BL in self._row_blocks():
            moments_LT += k_BL.T @ y_RT[part].astype(np.float64)
        return scipy.linalg.cho_solve((self._lower_LL, True), moments_LT, check_finite=False).astype(np.float32)

    def predict(self, coefficients_LT: np.ndarray, x_IF: np.ndarray | None = None) -> np.ndarray:
        """f of every item of the catalogue, (I, T) float32; or of items with these features."""
        return self.fitted(coefficients_LT).predict(self.blocks.x_IF if x_IF is None else x_IF)

    def fitted(self, coefficients_LT: np.ndarray) -> "FittedHead":
        """What these coefficients make of any features, without the items that they were fitted on."""
        return FittedHead(self.kernel, self._landmark_x_LF, coefficients_LT)

    def sums(self, items_BI: sp.csr_matrix) -> np.ndarray:
        """Σ_j k(j, landmarks) over the items j of each row that are among `rows`, (B, L) float64."""
        sum_BL = np.zeros((items_BI.shape[0], len(self.landmarks)))
        for part, k_BL in self._row_blocks():
            sum_BL += items_BI[:, self.rows[part]] @ k_BL
        return sum_BL

    @cached_property
    def whitener_LL(self) -> np.ndarray:
        """W (L, L), float64: with b_i = Wᵀ k(L, i), b_j·b_i is what the ridge on raw columns predicts of i from j."""
        eye_LL = np.eye(len(self.landmarks))
        return np.ascontiguousarray(
            scipy.linalg.solve_triangular(self._lower_LL, eye_LL, lower=True, check_finite=False).T
        )

    @cached_property
    def _lower_LL(self) -> np.ndarray:
        k_LL = self._k_RL if len(self.rows) == len(self.landmarks) else self._values(self._landmark_x_LF)
        system_LL = self.penalty * (k_LL + k_LL.T.astype(np.float64)) / 2
        for _, k_BL in self._row_blocks():
            system_LL += k_BL.T @ k_BL
        return _cholesky(system_LL)

    def _row_blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        for part in _slices(len(self.rows)):
            k_BL = self._k_RL[part] if len(self.rows) <= _KEPT_ROWS else self._values(self.blocks.x_IF[self.rows[part]])
            yield part, k_BL.astype(np.float64)

    @cached_property
    def _k_RL(self) -> np.ndarray:
        k_RL = np.empty((len(self.rows), len(self.landmarks)), dtype=np.float32)
        for part in _slices(len(self.rows)):
            k_RL[part] = self._values(self.blocks.x_IF[self.rows[part]])
        return k_RL

    def to_landmarks(self, items: np.ndarray) -> np.ndarray:
        """k of these items with every landmark, (items, L) float64: times coefficients, it is their f."""
        return self._values(self.blocks.x_IF[items]).astype(np.float64)

    def _values(self, x_BF: np.ndarray) -> np.ndarray:
        return self.kernel.values(x_BF, self._landmark_x_LF)

    @cached_property
    def _landmark_x_LF(self) -> np.ndarray:
        return self.blocks.x_IF[self.landmarks]


def _cholesky(system_LL: np.ndarray) -> np.ndarray:
    """Its lower factor, with as little added to the diagonal as is needed."""
    mean_diagonal = max(float(np.trace(system_LL)) / len(system_LL), 1e-12)
    for jitter in _JITTERS:
        raised_LL = system_LL + jitter * mean_diagonal * np.eye(len(system_LL))
        try:
            return scipy.linalg.cholesky(raised_LL, lower=True, overwrite_a=True, check_finite=False)
        except scipy.linalg.LinAlgError:
            continue
    raise scipy.linalg.LinAlgError("The kernel system is not positive definite.")


def _slices(length: int) -> list[slice]:
    return [slice(start, start + _BLOCK_ROWS) for start in range(0, length, _BLOCK_ROWS)]
