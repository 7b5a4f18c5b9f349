"""Feature blocks weighted so that every modality counts as one, however many blocks it has."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import ATTRIBUTE_PREFIX


def modality_weights(blocks: FeatureBlocks) -> dict[str, float]:
    """Block → factor of its columns: 1/√n for each of n attributes, 1 for every other block.

    All attributes together then have the squared length of one block: ten columns of a table do not outweigh the text.
    """
    num_attributes = sum(block.startswith(ATTRIBUTE_PREFIX) for block in blocks.columns)
    return {block: num_attributes**-0.5 if block.startswith(ATTRIBUTE_PREFIX) else 1.0 for block in blocks.columns}


def even_modalities(blocks: FeatureBlocks) -> np.ndarray:
    """The features times `modality_weights`, float32 (I, F)."""
    scale_F = np.empty(blocks.x_IF.shape[1], dtype=np.float32)
    for block, weight in modality_weights(blocks).items():
        scale_F[blocks.columns[block]] = weight
    return blocks.x_IF * scale_F


def compressed(blocks: FeatureBlocks, rows: np.ndarray, dim: int, seed: int) -> np.ndarray:
    """`even_modalities` on the `dim` directions in which the items `rows` vary most, float32 (I, at most dim).

    A network's first layer is then small, and words that few items have cannot be learned by heart. Scaled
    to a mean square of 1 over those rows, which networks are initialised for.
    """
    x_IF = even_modalities(blocks)
    dim = min(dim, len(rows), x_IF.shape[1])
    _, _, directions_DF = randomized_svd(x_IF[rows], dim, n_iter=3, random_state=seed)
    x_ID = x_IF @ directions_DF.T.astype(np.float32)
    spread = float(np.sqrt(np.mean(x_ID[rows] ** 2)))
    return x_ID / np.float32(spread if spread > 0 else 1.0)
