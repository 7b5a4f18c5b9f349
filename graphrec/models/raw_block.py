"""The raw block: content as a ridge on the raw interactions sees it, beside the learned vector in one inner product.

    score = (1 - s)·q·v / σ_q + s·r·b / σ_r

b is the item's raw vector and r the sum of the user's, each part scaled to unit deviation over the warm items, so that
the share s says how much each counts. Where items have few users the graph teaches little, and s is large.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.scoring import QueryScale, sample_users


@dataclass(frozen=True)
class RawBlock:
    """Raw vectors of all items and how queries are made from them; R may be 0, where the share is 0."""

    vectors_IR: np.ndarray
    scale: QueryScale
    share: float

    @classmethod
    def fit(cls, system: KernelRidge, matrix_UI: sp.csr_matrix, share: float, dim: int, seed: int) -> "RawBlock":
        """Raw vectors of at most `dim` numbers, learned from the items `system.rows` and their users.

        b_j·b_i is the kernel ridge's prediction of item i from item j alone (see `KernelRidge.whitener_LL`), cut to the
        directions in which the users' sums lie (those of their truncated singular value decomposition).
        """
        num_items = len(system.blocks.x_IF)
        if share == 0:
            empty_IR = np.zeros((num_items, 0), dtype=np.float32)
            return cls(empty_IR, QueryScale(np.zeros((0, 0)), np.zeros(0)), 0.0)
        users = sample_users(matrix_UI, seed)
        whitener_LR = system.whitener_LL
        if dim < len(whitener_LR):
            sum_UL = system.sums(once(matrix_UI[users])) @ whitener_LR
            sum_UL /= np.maximum(np.linalg.norm(sum_UL, axis=1, keepdims=True), 1e-12)
            _, _, directions_RL = randomized_svd(sum_UL, min(dim, *sum_UL.shape), random_state=seed)
            whitener_LR = whitener_LR @ directions_RL.T
        vectors_IR = system.predict(whitener_LR.astype(np.float32))
        return cls(
            vectors_IR, QueryScale.fit(sum_of_items(matrix_UI[users], vectors_IR), vectors_IR[system.rows]), share
        )


def sum_of_items(items_BI: sp.csr_matrix, vectors_IR: np.ndarray) -> np.ndarray:
    """(B, R): the sum of the vectors of each row's items, every stored one counting once, as in GraphSAGE's mean."""
    return once(items_BI) @ vectors_IR


def once(items_BI: sp.csr_matrix) -> sp.csr_matrix:
    """The same entries, each of them 1."""
    return sp.csr_matrix((np.ones(items_BI.nnz, np.float32), items_BI.indices, items_BI.indptr), items_BI.shape)


def join_queries(learned_BD: np.ndarray, raw_BR: np.ndarray, share: float) -> np.ndarray:
    """Queries of unit deviation, each with its popularity component last, as one: [(1 - s)·q, s·r, popularity]."""
    return np.hstack([(1 - share) * learned_BD[:, :-1], share * raw_BR[:, :-1], learned_BD[:, -1:]]).astype(np.float32)


def join_vectors(learned_ID: np.ndarray, raw_IR: np.ndarray) -> np.ndarray:
    """Item vectors [learned, raw, popularity] from [learned, popularity] and raw ones, float32."""
    return np.hstack([learned_ID[:, :-1], raw_IR, learned_ID[:, -1:]]).astype(np.float32)
