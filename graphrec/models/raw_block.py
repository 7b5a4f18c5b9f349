"""The raw block: content as a ridge on the raw interactions sees it, beside the learned vector in one inner product.

    score = (1 - s)·q·v / σ_q + s·r·b / σ_r

b is the item's raw vector and r the sum of the user's, each part scaled to unit deviation over the warm items, so that
the share s says how much each counts. Where items have few users the graph teaches little, and s is large.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale, sample_users


@dataclass(frozen=True)
class RawBlock:
    """Raw vectors of all items and how queries are made from them; R may be 0, where the share is 0."""

    vectors_IR: np.ndarray
    scale: QueryScale
    share: float

    @classmethod
    def fit(
        cls, system: RidgeSystem, matrix_UI: sp.csr_matrix, settings: HeadSettings, share: float, dim: int, seed: int
    ) -> "RawBlock":
        """Raw vectors of at most `dim` numbers, learned from the items `system.rows` and their users.

        b_j·b_i is the ridge prediction of item i from item j alone, x_jᵀ S (S G S + λI)⁻¹ S x_i (see `RidgeSystem`),
        cut to the directions in which the users' sums lie (those of their truncated singular value decomposition).
        """
        if share == 0:
            empty_IR = np.zeros((len(system.x_IF), 0), dtype=np.float32)
            return cls(empty_IR, QueryScale(np.zeros((0, 0)), np.zeros(0)), 0.0)
        users = sample_users(matrix_UI, seed)
        whitener_FF = system.whitener(settings)
        if dim < len(whitener_FF):
            sum_UF = sum_of_items(matrix_UI[users][:, system.rows], system.design_RF).astype(np.float64) @ whitener_FF
            sum_UF /= np.maximum(np.linalg.norm(sum_UF, axis=1, keepdims=True), 1e-12)
            _, _, directions_RF = randomized_svd(sum_UF, min(dim, *sum_UF.shape), random_state=seed)
            whitener_FF = whitener_FF @ directions_RF.T
        vectors_IR = system.predict(whitener_FF.astype(np.float32))
        return cls(
            vectors_IR, QueryScale.fit(sum_of_items(matrix_UI[users], vectors_IR), vectors_IR[system.rows]), share
        )


def sum_of_items(items_BI: sp.csr_matrix, vectors_IR: np.ndarray) -> np.ndarray:
    """(B, R): the sum of the vectors of each row's items, every stored one counting once, as in GraphSAGE's mean."""
    once_BI = sp.csr_matrix((np.ones(items_BI.nnz, np.float32), items_BI.indices, items_BI.indptr), items_BI.shape)
    return once_BI @ vectors_IR


def join_queries(learned_BD: np.ndarray, raw_BR: np.ndarray, share: float) -> np.ndarray:
    """Queries of unit deviation, each with its popularity component last, as one: [(1 - s)·q, s·r, popularity]."""
    return np.hstack([(1 - share) * learned_BD[:, :-1], share * raw_BR[:, :-1], learned_BD[:, -1:]]).astype(np.float32)


def join_vectors(learned_ID: np.ndarray, raw_IR: np.ndarray) -> np.ndarray:
    """Item vectors [learned, raw, popularity] from [learned, popularity] and raw ones, float32."""
    return np.hstack([learned_ID[:, :-1], raw_IR, learned_ID[:, -1:]]).astype(np.float32)
