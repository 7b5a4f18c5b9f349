"""From what a database proposes to the list that graphrec itself would give: scored again in float64, ties by position.

A database computes in float32, in an order of its own, so that its last bits differ and equal scores stand anyhow.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """n items proposed for one query, in the order of the database."""

    item_id_n: np.ndarray
    """Object array of strings, as `title_n` and `source_n` are."""
    title_n: np.ndarray
    source_n: np.ndarray
    degree_n: np.ndarray
    position_n: np.ndarray
    """Row in the model that was upserted, int64: what decides between equal scores."""
    first_n: np.ndarray
    """Scores of the database, falling, float64."""
    vectors_nD: np.ndarray
    """float32."""

    def __len__(self) -> int:
        return len(self.item_id_n)


@dataclass(frozen=True)
class Best:
    """The best of the candidates, best first."""

    candidates: Candidates
    order_K: np.ndarray
    """Places among the candidates."""
    score_K: np.ndarray
    """float32."""

    def is_sure(self, k: int, error: float) -> bool:
        """Whether no item that was not proposed can belong among the k best, ties included.

        `error`: the most by which a score of the database can differ from the final one. All items that may be answered
        must stand behind the last candidate.
        """
        if len(self.score_K) < k:
            return False
        return bool(float(self.score_K[-1]) > self.candidates.first_n[-1] + error)


def best_of(candidates: Candidates, query_D: np.ndarray, k: int) -> Best:
    """The k largest inner products, computed in float64 and rounded to float32, equal ones in the order of position."""
    query_nD = np.broadcast_to(query_D.astype(np.float64), candidates.vectors_nD.shape)
    score_n = np.einsum("nd,nd->n", query_nD, candidates.vectors_nD.astype(np.float64)).astype(np.float32)
    order_K = np.lexsort((candidates.position_n, -score_n))[:k]
    return Best(candidates, order_K, score_n[order_K])
