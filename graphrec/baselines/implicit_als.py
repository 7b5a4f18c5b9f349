"""Alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008), by the library `implicit`."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, PositiveFloat, PositiveInt
from threadpoolctl import threadpool_limits

from graphrec.errors import GraphRecError


class ALSSettings(BaseModel, extra="forbid", frozen=True):
    """What is tuned of the factors."""

    factors: PositiveInt = 64
    penalty: PositiveFloat = 3.0
    """λ of the squared factors."""
    confidence: PositiveFloat = 5.0
    """Weight of an observed pair; an unobserved one has 1."""
    iterations: PositiveInt = 15


SPACE = {
    "factors": (16, 32, 64, 128, 256),
    "penalty": (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 200.0),
    "confidence": (1.5, 2.0, 5.0, 10.0, 20.0),
}


def als_factors(matrix_UI: sp.csr_matrix, settings: ALSSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors of users (U, D) and items (I, D), float32, from zeros and ones; rows without an interaction are zero.

    Raises GraphRecError where `implicit` is not installed.
    """
    once_UI = sp.csr_matrix((np.ones(matrix_UI.nnz, np.float32), matrix_UI.indices, matrix_UI.indptr), matrix_UI.shape)
    als = _library()
    with threadpool_limits(1, "blas"):  # it has threads of its own, which BLAS's would get in the way of
        model = als.AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.penalty,
            alpha=settings.confidence,
            iterations=settings.iterations,
            random_state=seed,
        )
        model.fit(once_UI, show_progress=False)
    user_UD, item_ID = np.array(model.user_factors), np.array(model.item_factors)
    user_UD[np.diff(once_UI.indptr) == 0] = 0
    item_ID[np.bincount(once_UI.indices, minlength=once_UI.shape[1]) == 0] = 0
    return user_UD, item_ID


def with_new_users(
    user_UD: np.ndarray, known_UI: sp.csr_matrix, item_ID: np.ndarray, settings: ALSSettings
) -> np.ndarray:
    """The users' factors, with those of users who had none, but have items now, by `user_factors`."""
    is_new_U = ~user_UD.any(axis=1) & (np.diff(known_UI.indptr) > 0)
    completed_UD = user_UD.copy()
    completed_UD[is_new_U] = user_factors(known_UI[is_new_U], item_ID, settings)
    return completed_UD


def user_factors(items_BI: sp.csr_matrix, item_ID: np.ndarray, settings: ALSSettings) -> np.ndarray:
    """Factors (B, D), float32, of users with these items: the user step of the factorisation, items held fixed.

    u = (VᵀV + (α - 1) Σ v vᵀ + λI)⁻¹ α Σ v over the user's items (Hu et al. 2008), as `implicit` counts the confidence
    α of an observed pair.
    """
    item_ID = item_ID.astype(np.float64)
    system_DD = item_ID.T @ item_ID + settings.penalty * np.eye(item_ID.shape[1])
    factors_BD = np.empty((items_BI.shape[0], item_ID.shape[1]), dtype=np.float32)
    for user in range(items_BI.shape[0]):
        own_ND = item_ID[items_BI.indices[items_BI.indptr[user] : items_BI.indptr[user + 1]]]
        observed_DD = (settings.confidence - 1) * own_ND.T @ own_ND
        factors_BD[user] = np.linalg.solve(system_DD + observed_DD, settings.confidence * own_ND.sum(axis=0))
    return factors_BD


def require_implicit(arm: str = "This arm") -> None:
    """Raises GraphRecError where `implicit` is not installed: before anything is waited for."""
    _library(arm)


def require_als(model: Any) -> None:
    """Raises GraphRecError where `model` is not a fitted AlternatingLeastSquares with its factors in NumPy arrays."""
    als = _library("Adding items to an ALS")
    if not isinstance(model, als.AlternatingLeastSquares):
        raise GraphRecError(
            f"Expected implicit's AlternatingLeastSquares on the CPU, got {type(model).__module__}."
            f"{type(model).__name__}: a model on the GPU has to_cpu()."
        )
    if model.item_factors is None:
        raise GraphRecError("The AlternatingLeastSquares is not fitted yet: call its fit first.")


def _library(arm: str = "This arm") -> Any:
    try:
        from implicit.cpu import als
    except ImportError as error:
        raise GraphRecError(
            f"{arm} needs the package implicit: pip install 'graphrec[baselines]', or leave it out."
        ) from error
    return als
