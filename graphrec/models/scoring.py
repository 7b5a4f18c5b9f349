"""From a user's vector to the query that is searched with: one scale for every user, and the popularity term."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

_USERS_FOR_AVERAGE = 5000
_BLOCK_ROWS = 1024
"""Rows that are taken in float64 at once: some vectors are 2,048 numbers wide."""


@dataclass(frozen=True)
class QueryScale:
    """Brings the scores of every user to unit variance over the warm items, so that one popularity weight fits all.

    `covariance_DD` is that of the warm items' vectors; `average_D` the mean scaled query of the training users. What an
    arm would recommend to the average user is its own idea of popularity, whatever it learned it from.
    """

    covariance_DD: np.ndarray
    average_D: np.ndarray

    @classmethod
    def fit(cls, query_UD: np.ndarray, warm_vectors_RD: np.ndarray) -> "QueryScale":
        """From training users' queries and the warm items' vectors."""
        unfitted = cls(covariance(warm_vectors_RD), np.zeros(query_UD.shape[1]))
        total_D = np.sum([unfitted.scaled(query_BD).sum(axis=0) for query_BD in _row_blocks(query_UD)], axis=0)
        return cls(unfitted.covariance_DD, total_D / len(query_UD))

    def scaled(self, query_BD: np.ndarray) -> np.ndarray:
        """q / σ with σ² = qᵀ Σ q, float64; a query whose scores do not vary stays as it is."""
        query_BD = query_BD.astype(np.float64)
        deviation_B = np.sqrt(np.maximum(((query_BD @ self.covariance_DD) * query_BD).sum(axis=1), 0))
        return query_BD / np.where(deviation_B > 1e-12, deviation_B, 1.0)[:, None]

    def search_query(self, query_BD: np.ndarray, popularity_weight: float, popularity: bool) -> np.ndarray:
        """`query`, or `personal_query` where popularity is off: the one switch that every arm has."""
        return self.query(query_BD, popularity_weight) if popularity else self.personal_query(query_BD)

    def query(self, query_BD: np.ndarray, popularity_weight: float) -> np.ndarray:
        """(B, D + 1) float32: searched against [vector, popularity term]."""
        return _with_last(self.scaled(query_BD), popularity_weight)

    def personal_query(self, query_BD: np.ndarray) -> np.ndarray:
        """(B, D + 1) float32 with popularity off: the average user subtracted, the popularity term's weight 0."""
        return _with_last(self.scaled(query_BD) - self.average_D, 0)


def _with_last(scaled_BD: np.ndarray, last: float) -> np.ndarray:
    query_BD = np.empty((len(scaled_BD), scaled_BD.shape[1] + 1), dtype=np.float32)
    query_BD[:, :-1], query_BD[:, -1] = scaled_BD, last
    return query_BD


def covariance(vectors_RD: np.ndarray) -> np.ndarray:
    """Of the columns, over R rows and with R as the divisor, float64 (D, D), with no float64 copy of all the rows."""
    mean_D = vectors_RD.mean(axis=0, dtype=np.float64)
    sum_DD = np.zeros((vectors_RD.shape[1], vectors_RD.shape[1]))
    for block_BD in _row_blocks(vectors_RD):
        centred_BD = block_BD - mean_D
        sum_DD += centred_BD.T @ centred_BD
    return sum_DD / len(vectors_RD)


def _row_blocks(x_ND: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(x_ND), _BLOCK_ROWS):
        yield x_ND[start : start + _BLOCK_ROWS].astype(np.float64)


def with_popularity(vectors_ID: np.ndarray, term_I: np.ndarray) -> np.ndarray:
    """Item vectors with the popularity term as their last component, (I, D + 1) float32."""
    return np.hstack([vectors_ID, term_I[:, None]]).astype(np.float32)


def sample_users(matrix_UI: sp.csr_matrix, seed: int) -> np.ndarray:
    """Indices of users with history, at most 5,000 drawn by the seed: enough for an average."""
    users = np.flatnonzero(np.diff(matrix_UI.indptr))
    if len(users) <= _USERS_FOR_AVERAGE:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, _USERS_FOR_AVERAGE, replace=False))
