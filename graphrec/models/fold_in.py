"""Where the graph puts an item: GraphSAGE's own z, and the item folded into the users' space."""

import numpy as np
import scipy.sparse as sp

_SHRINKAGE = 1e-3
"""Penalty of the fold-in, per user with history: small beside q, it only keeps the system regular."""


def fold_in(q_UD: np.ndarray, matrix_UI: sp.csr_matrix) -> np.ndarray:
    """f_i = (QᵀQ + μI)⁻¹ Qᵀ D^(-1/2) a_i for every item, float32 (I, D): the least-squares place of its users.

    a_i is the item's column of interactions and D the users' degrees, so that a heavy user does not outvote others: the
    item step of alternating least squares (Hu et al. 2008) with GraphSAGE's users held fixed. It is one more
    propagation item ← users ← their items, and needs neither an item × item nor a dense user × item matrix. An item
    without an edge gets zeros.
    """
    moment_ID = user_moments(q_UD, matrix_UI)
    return np.linalg.solve(fold_in_system(q_UD, matrix_UI), moment_ID.T).T.astype(np.float32)


def user_moments(q_UD: np.ndarray, matrix_UI: sp.csr_matrix) -> np.ndarray:
    """Qᵀ D^(-1/2) a_i of every item, float64 (I, D): what its users add up to."""
    degree_U = np.diff(matrix_UI.indptr)
    q_UD = np.where(degree_U[:, None] > 0, q_UD, 0).astype(np.float64)  # without history q says nothing
    normalised = sp.diags_array(1 / np.sqrt(np.maximum(degree_U, 1))) @ matrix_UI
    return normalised.T @ q_UD


def fold_in_system(q_UD: np.ndarray, matrix_UI: sp.csr_matrix) -> np.ndarray:
    """QᵀQ + μI over the users with history, float64 (D, D)."""
    q_UD = q_UD[np.flatnonzero(np.diff(matrix_UI.indptr))].astype(np.float64)
    return q_UD.T @ q_UD + _SHRINKAGE * len(q_UD) * np.eye(q_UD.shape[1])


def graph_vectors(
    z_ID: np.ndarray, folded_ID: np.ndarray, q_UD: np.ndarray, rows: np.ndarray, share: float
) -> np.ndarray:
    """(1 - share)·z + share·f, each scaled so that its scores over the items `rows` vary alike; float32 (I, D)."""
    parts = zip((1 - share, share), alike_scaled(z_ID, folded_ID, q_UD, rows), strict=True)
    return np.sum([weight * part_ID for weight, part_ID in parts if weight], axis=0).astype(np.float32)


def alike_scaled(
    z_ID: np.ndarray, folded_ID: np.ndarray, q_UD: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """z and f, each scaled so that its scores over the items `rows` have unit deviation; float32 (I, D)."""
    return scaled(z_ID, folded_ID, score_deviations(z_ID[rows], folded_ID[rows], q_UD))


def scaled(z_ID: np.ndarray, folded_ID: np.ndarray, deviations: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """z and f, each divided by its deviation; float32 (I, D)."""
    return (z_ID / deviations[0]).astype(np.float32), (folded_ID / deviations[1]).astype(np.float32)


def score_deviations(z_RD: np.ndarray, folded_RD: np.ndarray, q_UD: np.ndarray) -> tuple[float, float]:
    """By how much the scores of z and of f vary over these items."""
    moment_DD = q_UD.T @ q_UD / max(1, len(q_UD))
    return _score_deviation(z_RD, moment_DD), _score_deviation(folded_RD, moment_DD)


def _score_deviation(vectors_RD: np.ndarray, moment_DD: np.ndarray) -> float:
    """Root mean variance of q·v over the items, averaged over the users."""
    covariance_DD = np.cov(vectors_RD.astype(np.float64), rowvar=False, bias=True)
    return float(np.sqrt(max(np.sum(covariance_DD * moment_DD), 1e-24)))
