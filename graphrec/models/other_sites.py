"""What people of other sites do with a product, as feature blocks: items that are new here need not be new there.

Two items are alike where the same people there touched both. With C the number of people that two products have in
common and d how many each has, the block's inner products are those of

    C_ij / sqrt((d_i + κ)(d_j + κ)),    κ = 10,

the cosine of the items' columns of interactions, shrunk where few people say it: a row has length sqrt(d / (d + κ)), so
that a kernel over it leans on other blocks where the product is hardly known. The rows themselves are the first R
eigenvectors, scaled: for at most R people nothing is lost, and nothing is ever users × items or items × items in
memory. Only who touched what there is used; what was touched on the site itself takes no part, so that a cold item has
the block that it would have on its first day.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg

from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import SITE_PREFIX
from graphrec.graph.site_view import SiteView

SHRINKAGE = 10.0
"""Chosen among 3, 10 and 30 on items masked inside the training data of MovieLens-1M."""
_SMALLEST = 1e-6
"""Of the largest eigenvalue: smaller ones are rounding."""


def with_other_sites(blocks: FeatureBlocks, view: SiteView, dim: int, seed: int) -> FeatureBlocks:
    """The blocks, and one for each other site: `site:<name>`, of at most `dim` columns.

    Zero for items that nobody touched there; without another site the blocks themselves.
    """
    vectors = {site: site_vectors(matrix_UI, dim, seed) for site, matrix_UI in view.elsewhere.items()}
    vectors |= {site: counted_vectors(counts_II, dim, seed) for site, counts_II in view.counted.items()}
    return (
        _with(blocks, {SITE_PREFIX + site: vectors_IR for site, vectors_IR in vectors.items()}) if vectors else blocks
    )


def site_vectors(matrix_UI: sp.csr_matrix, dim: int, seed: int) -> np.ndarray:
    """(I, R) float32 with R ≤ dim: rows whose inner products are the shrunk cosines of the columns."""
    degree_I = np.asarray(matrix_UI.power(2).sum(axis=0)).ravel()
    touched = np.flatnonzero(np.diff(matrix_UI.indptr))
    normal_NI = (matrix_UI[touched] @ sp.diags_array(1 / np.sqrt(degree_I + SHRINKAGE))).astype(np.float64)
    dim = min(dim, len(touched), int(np.count_nonzero(degree_I)))
    if dim == min(normal_NI.shape) or 3 * dim >= len(touched):
        value_R, vectors_IR = _eigen_of_few(normal_NI, dim)
    else:
        start = np.random.default_rng(seed).standard_normal(min(normal_NI.shape))
        _, singular_R, right_RI = scipy.sparse.linalg.svds(normal_NI, k=dim, v0=start)
        value_R, vectors_IR = singular_R**2, right_RI.T * (degree_I > 0)[:, None]  # an untouched item is 0, not nearly
    return _scaled(value_R, vectors_IR)


def counted_vectors(counts_II: sp.csr_matrix, dim: int, seed: int) -> np.ndarray:
    """(I, R) float32 from counts alone, the diagonal holding each item's people (see `data.cooccurrence`).

    Where every pair is counted the inner products are those of `site_vectors`; where small groups were left out the
    counts are no longer those of any people, and what is negative of them is dropped.
    """
    degree_I = counts_II.diagonal().astype(np.float64)
    known = np.flatnonzero(degree_I)
    scale_N = 1 / np.sqrt(degree_I[known] + SHRINKAGE)
    normal_NN = sp.diags_array(scale_N) @ counts_II[known][:, known].astype(np.float64) @ sp.diags_array(scale_N)
    dim = min(dim, len(known))
    if 3 * dim >= len(known):
        value_R, vectors_NR = np.linalg.eigh(normal_NN.toarray())
    else:
        start = np.random.default_rng(seed).standard_normal(len(known))
        value_R, vectors_NR = scipy.sparse.linalg.eigsh(normal_NN, k=dim, which="LA", v0=start)
    vectors_IR = np.zeros((len(degree_I), len(value_R)))
    vectors_IR[known] = vectors_NR
    order = np.argsort(-value_R)[:dim]
    return _scaled(value_R[order], vectors_IR[:, order])


def is_present(blocks: FeatureBlocks) -> np.ndarray:
    """Boolean mask of the items that some other site's block says something of."""
    parts = [blocks.x_IF[:, columns] for name, columns in blocks.columns.items() if name.startswith(SITE_PREFIX)]
    return np.any([part_IF.any(axis=1) for part_IF in parts], axis=0) if parts else np.zeros(len(blocks.x_IF), bool)


def without_other_sites(blocks: FeatureBlocks) -> FeatureBlocks:
    """The same columns, other sites' blocks zero: items as they would be if nobody had touched them anywhere."""
    x_IF = blocks.x_IF.copy()
    for name, columns in blocks.columns.items():
        if name.startswith(SITE_PREFIX):
            x_IF[:, columns] = 0
    return replace(blocks, x_IF=x_IF)


def _with(blocks: FeatureBlocks, added: Mapping[str, np.ndarray]) -> FeatureBlocks:
    columns, width = dict(blocks.columns), blocks.x_IF.shape[1]
    for name, vectors_IR in added.items():
        columns[name] = slice(width, width + vectors_IR.shape[1])
        width += vectors_IR.shape[1]
    return replace(blocks, x_IF=np.hstack([blocks.x_IF, *added.values()]).astype(np.float32), columns=columns)


def _eigen_of_few(normal_NI: sp.csr_matrix, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Through the people's own products, where they are few beside `dim`."""
    value_N, left_NN = np.linalg.eigh((normal_NI @ normal_NI.T).toarray())
    order = np.argsort(-value_N)[:dim]
    value_R = np.maximum(value_N[order], 0)
    return value_R, (normal_NI.T @ left_NN[:, order]) / np.sqrt(np.maximum(value_R, 1e-12))


def _scaled(value_R: np.ndarray, vectors_IR: np.ndarray) -> np.ndarray:
    is_kept_R = value_R > _SMALLEST * value_R.max(initial=0)
    return (vectors_IR[:, is_kept_R] * np.sqrt(value_R[is_kept_R])).astype(np.float32)
