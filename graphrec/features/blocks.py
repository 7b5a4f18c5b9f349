"""All modalities side by side, each on the same footing."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from graphrec.features.extract import ATTRIBUTE_PREFIX, ItemFeatures
from graphrec.features.modality import Modality

_CHUNK_ROWS = 65_536
_NOTHING_LEFT = 1e-6
"""A row whose distance from the mean is below this share of its own length is the mean, up to rounding."""


@dataclass(frozen=True)
class FeatureBlocks:
    """I items × all features, float32; `columns` says where each modality's block is. Rows have length 1 per block.

    Blocks of absent items are zero.
    """

    x_IF: np.ndarray
    columns: dict[str, slice]
    numeric: frozenset[str] = frozenset()
    """Blocks that are a number's bumps: their inner products say how near two numbers are."""


@dataclass(frozen=True)
class Standardiser:
    """Each modality's mean over the warm items that have it (zero for attributes), in the order of the blocks."""

    mean_F: dict[str, np.ndarray]

    @classmethod
    def fit(cls, features: ItemFeatures, is_warm_I: np.ndarray) -> Self:
        """Means over warm items only. Attributes are not centred: the zeros of indicators and bumps mean something."""
        mean_F = {}
        for name, modality in features.modalities.items():
            warm = np.flatnonzero(is_warm_I & modality.present_I)
            if name.startswith(ATTRIBUTE_PREFIX) or not len(warm):
                mean_F[name] = np.zeros(modality.num_features)
            else:
                mean_F[name] = _mean(modality.x_IF, warm)
        return cls(mean_F)

    @property
    def columns(self) -> dict[str, slice]:
        """Modality → its columns."""
        edges = np.cumsum([0, *(len(mean_F) for mean_F in self.mean_F.values())]).tolist()
        return {name: slice(*edge) for name, edge in zip(self.mean_F, pairwise(edges), strict=True)}

    def apply(self, features: ItemFeatures) -> FeatureBlocks:
        """The blocks of these items, who need not be those of the fit; a modality that they lack is zero.

        Raises ValueError where a modality's width differs from the fit's.
        """
        columns = self.columns
        num_features = sum(len(mean_F) for mean_F in self.mean_F.values())
        x_IF = np.zeros((features.num_items, num_features), dtype=np.float32)
        for name, mean_F in self.mean_F.items():
            if name in features.modalities:
                _standardise_into(x_IF[:, columns[name]], name, features.modalities[name], mean_F)
        return FeatureBlocks(x_IF, columns, features.numeric_blocks & set(columns))


def standardise(features: ItemFeatures, is_warm_I: np.ndarray) -> FeatureBlocks:
    """Centre what is dense by its warm mean, give every present row length 1, put the blocks side by side."""
    return Standardiser.fit(features, is_warm_I).apply(features)


def _mean(x_IF: np.ndarray, items: np.ndarray) -> np.ndarray:
    total_F = np.zeros(x_IF.shape[1])
    for start in range(0, len(items), _CHUNK_ROWS):
        total_F += x_IF[items[start : start + _CHUNK_ROWS]].sum(axis=0, dtype=np.float64)
    return total_F / len(items)


def _standardise_into(out_IF: np.ndarray, name: str, modality: Modality, mean_F: np.ndarray) -> None:
    if modality.num_features != len(mean_F):
        raise ValueError(f"Expected {len(mean_F)} features for {name!r}, got {modality.num_features}.")
    for start in range(0, len(out_IF), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        raw_RF = modality.x_IF[rows].astype(np.float64)  # a float32 square may overflow in somebody's own vectors
        centred_RF = raw_RF - mean_F
        length_R = np.linalg.norm(centred_RF, axis=1)
        is_kept_R = modality.present_I[rows] & (length_R > _NOTHING_LEFT * np.linalg.norm(raw_RF, axis=1))
        length_R[~is_kept_R] = 1.0
        centred_RF[~is_kept_R] = 0.0
        out_IF[rows] = centred_RF / length_R[:, None]
