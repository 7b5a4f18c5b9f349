"""The raw block: content as a ridge on the raw interactions sees it, beside the learned vector in one inner product.

    score = (1 - s)·q·v / σ_q + s·r·b / σ_r

b is the item's raw vector and r the sum of the user's, each part scaled to unit deviation over the warm items, so that
the share s says how much each counts. Where items have few users the graph teaches little, and s is large.
"""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.scoring import QueryScale, sample_users


def raw_coefficients(system: KernelRidge, matrix_UI: sp.csr_matrix, dim: int, seed: int) -> np.ndarray:
    """What makes raw vectors of at most `dim` numbers with `system.predict`: (L, R) float32.

    b_j·b_i is the kernel ridge's prediction of item i from item j alone (see `KernelRidge.whitener_LL`), cut to the
    directions in which the users' sums, brought to unit length, lie (the first right singular vectors).
    """
    whitener_LR = system.whitener_LL
    if dim < len(whitener_LR):
        sum_UL = system.sums(once(matrix_UI[sample_users(matrix_UI, seed)])) @ whitener_LR
        sum_UL /= np.maximum(np.linalg.norm(sum_UL, axis=1, keepdims=True), 1e-12)
        last = sum_UL.shape[1] - 1
        _, directions_LR = scipy.linalg.eigh(sum_UL.T @ sum_UL, subset_by_index=[last - dim + 1, last])
        whitener_LR = whitener_LR @ directions_LR[:, ::-1]
    return whitener_LR.astype(np.float32)


def raw_scale(matrix_UI: sp.csr_matrix, vectors_IR: np.ndarray, warm: np.ndarray, seed: int) -> QueryScale:
    """The scale of queries that are the sums of the users' items' vectors."""
    users = sample_users(matrix_UI, seed)
    return QueryScale.fit(sum_of_items(matrix_UI[users], vectors_IR), vectors_IR[warm])


def sum_of_items(items_BI: sp.csr_matrix, vectors_IR: np.ndarray | Patched) -> np.ndarray:
    """(B, R): the sum of the vectors of each row's items, every stored one counting once, as in GraphSAGE's mean."""
    # Only the rows that are needed: the vectors may be a part of wider ones, on disk, which a product would copy whole.
    touched, place = np.unique(items_BI.indices, return_inverse=True)
    once_BT = sp.csr_matrix(
        (np.ones(items_BI.nnz, np.float32), place, items_BI.indptr), (items_BI.shape[0], len(touched))
    )
    return once_BT @ np.ascontiguousarray(vectors_IR[touched])


def sum_of_lists(items: Sequence[np.ndarray], vectors_IR: np.ndarray | Patched) -> np.ndarray:
    """As `sum_of_items`, bit for bit, for a list of items each."""
    sum_BR = np.zeros((len(items), vectors_IR.shape[1]), dtype=np.float32)
    for row, some in enumerate(items):
        vectors_IR[some].sum(axis=0, out=sum_BR[row])
    return sum_BR


def once(items_BI: sp.csr_matrix) -> sp.csr_matrix:
    """The same entries, each of them 1."""
    return sp.csr_matrix((np.ones(items_BI.nnz, np.float32), items_BI.indices, items_BI.indptr), items_BI.shape)


def join_queries(learned_BD: np.ndarray, raw_BR: np.ndarray, share: float) -> np.ndarray:
    """Queries of unit deviation, each with its popularity component last, as one: [(1 - s)·q, s·r, popularity]."""
    dim = learned_BD.shape[1] - 1
    query_BD = np.empty((len(learned_BD), dim + raw_BR.shape[1]), dtype=np.float32)
    query_BD[:, :dim] = (1 - share) * learned_BD[:, :-1]
    query_BD[:, dim:-1] = share * raw_BR[:, :-1]
    query_BD[:, -1] = learned_BD[:, -1]
    return query_BD


def join_vectors(learned_ID: np.ndarray, raw_IR: np.ndarray) -> np.ndarray:
    """Item vectors [learned, raw, popularity] from [learned, popularity] and raw ones, float32."""
    return np.hstack([learned_ID[:, :-1], raw_IR, learned_ID[:, -1:]]).astype(np.float32)
