"""Pictures and texts of a catalogue, laid out so that a search of any mix is one inner product.

A row is [image block, text block]: the item's vectors, each centred by its block's mean over the catalogue.
Similarities of picture to picture, text to text and across lie on different scales (the modality gap: Liang et al.
2022). The score of a query part q of kind κ against block β is therefore

    s_κβ(i) = q·(x_iβ − μ_β) / σ_κβ,    σ_κβ² = tr(Σ_β M_κ)

with the block's covariance Σ_β and the mean M_κ of qqᵀ over the catalogue's own vectors of that kind: mean 0 over the
catalogue for every query, spread 1 over its own pictures or texts as queries. It is an inner product: 1/σ_κβ and the
weight go into the query. A query that says little ("new in") spreads the items little and so counts little; dividing by
each query's own spread would blow it up.

Shapes: I items, D numbers of a block, E of all blocks together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from graphrec.data.patched import Patched
from graphrec.features.modality import Modality
from graphrec.retrieval.pair_weights import KINDS, PairWeights

_ROWS = 65_536
_RIDGE = 0.1
"""Penalty of the imputation, in units of the mean variance of a feature."""
_ENOUGH_PAIRS = 50
"""Items with both blocks from which the one can be learned from the other."""
_NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Block:
    """One modality of the catalogue."""

    has_I: np.ndarray | Patched
    """Which items have it, bool."""
    mean_D: np.ndarray
    """float64, over the items that have it."""
    covariance_DD: np.ndarray
    """float64, over the same items."""


@dataclass(frozen=True)
class Part:
    """One part of a query: a vector of a picture or of a text, or a direction such as "redder"."""

    kind: str
    vector_D: np.ndarray
    share: float = 1.0
    """How much it counts beside other parts of its kind."""
    is_direction: bool = False
    """A difference of vectors, of any length: it is scaled by its own spread."""


@dataclass(frozen=True)
class ClipSpace:
    """The catalogue's rows with what a query needs to be held against them.

    An item without one of two blocks gets the one that a ridge from the other block predicts, fitted on the items that
    have both; where these are few, the other block itself, if both are of one space. Left at zero it would stand in the
    middle of every ranking, however well the block that it has fits. An item without either is a row of zeros.
    Means, spreads and the ridge are fitted on all items, cold ones as well: no interaction takes part, and nothing of
    it reaches what is trained or evaluated.
    """

    vectors_IE: np.ndarray | Patched
    """float32; may be a memory map."""
    blocks: dict[str, Block]
    """By kind, in the order of `KINDS`; only those that some item has."""
    is_shared: bool
    """Whether pictures and texts live in one space, so that one can be asked for with the other."""
    imputing: dict[str, np.ndarray] = field(default_factory=dict)
    """Kind → the map from the other kind's centred vector to the one that it predicts of this kind, (D, D); where
    nothing predicts it there is none."""

    @classmethod
    def build(cls, modalities: Mapping[str, Modality], is_shared: bool) -> "ClipSpace":
        """From the vectors of pictures and texts. Raises ValueError where no item has either."""
        used = {kind: modalities[kind] for kind in KINDS if kind in modalities and modalities[kind].num_present}
        if not used:
            raise ValueError("Expected a picture or text vector of at least one item, got none.")
        blocks = {kind: _block(modality) for kind, modality in used.items()}
        dims = [modality.num_features for modality in used.values()]
        vectors_IE = np.zeros((len(next(iter(used.values())).present_I), sum(dims)), dtype=np.float32)
        for part_ID, modality, block in zip(_split(vectors_IE, dims), used.values(), blocks.values(), strict=True):
            for rows in _chunks(len(part_ID)):
                centred_RD = modality.x_IF[rows] - block.mean_D
                part_ID[rows] = np.where(block.has_I[rows, None], centred_RD, 0.0)
        has = {kind: modality.present_I for kind, modality in used.items()}
        imputing = _learned_maps(dict(zip(used, _split(vectors_IE, dims), strict=True)), has, is_shared)
        _impute(dict(zip(used, _split(vectors_IE, dims), strict=True)), has, imputing)
        return cls(vectors_IE, blocks, is_shared, imputing)

    def rows_of(self, modalities: Mapping[str, Modality], num_rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The rows of further items, (N, E) float32, and which of them have which kind; means stay as they are."""
        rows_NE = np.zeros((num_rows, self.vectors_IE.shape[1]), dtype=np.float32)
        has, parts = {}, {}
        for kind, block in self.blocks.items():
            parts[kind] = rows_NE[:, self.columns(kind)]
            has[kind] = modalities[kind].present_I if kind in modalities else np.zeros(num_rows, dtype=bool)
            if kind in modalities:
                parts[kind][has[kind]] = (modalities[kind].x_IF - block.mean_D)[has[kind]]
        _impute(parts, has, self.imputing)
        return rows_NE, has

    def __len__(self) -> int:
        return len(self.vectors_IE)

    @cached_property
    def route_I(self) -> np.ndarray:
        """`route` of all items."""
        return self.route(np.arange(len(self)))

    def route(self, items: np.ndarray) -> np.ndarray:
        """What each of these items has: "image", "text", "both" or "neither"."""
        none = np.zeros(len(items), dtype=bool)
        image_N, text_N = (self.blocks[kind].has_I[items] if kind in self.blocks else none for kind in KINDS)
        route_N = np.select([image_N & text_N, image_N, text_N], ["both", "image", "text"], "neither")
        return route_N.astype(object)

    def columns(self, block: str) -> slice:
        """Where a block stands in a row."""
        start = 0
        for kind, one in self.blocks.items():
            stop = start + len(one.mean_D)
            if kind == block:
                return slice(start, stop)
            start = stop
        raise KeyError(block)

    def item_vector(self, item: int, block: str) -> np.ndarray | None:
        """The item's own vector as it came in, (D,) float64; None where it has none."""
        if block not in self.blocks or not self.blocks[block].has_I[item]:
            return None
        return np.asarray(self.vectors_IE[item][self.columns(block)], dtype=np.float64) + self.blocks[block].mean_D

    def answers(self, asked: str) -> list[str]:
        """The blocks that a query part of this kind can be held against."""
        return [block for block in self.blocks if self.is_shared or block == asked]

    def query(self, parts: Sequence[Part], weights: PairWeights) -> np.ndarray:
        """The row whose inner product with an item is its weighted sum of scores, (E,) float32.

        The weights of all (part, block) pairs are scaled to sum to 1. Raises ValueError where no block answers any
        part, or a part's length is not its block's.
        """
        pairs = [(part, block) for part in parts for block in self.answers(part.kind)]
        if not pairs:
            raise ValueError(f"Expected a query part among {list(self.blocks)}, got {[part.kind for part in parts]}.")
        weight_P = np.array([part.share * weights.weight[part.kind, block] for part, block in pairs])
        weight_P = weight_P / weight_P.sum() if weight_P.any() else np.full(len(pairs), 1 / len(pairs))
        query_E = np.zeros(self.vectors_IE.shape[1])
        for (part, block), weight in zip(pairs, weight_P, strict=True):
            query_E[self.columns(block)] += weight * self._standardised(part, block)
        return query_E.astype(np.float32)

    def _standardised(self, part: Part, block: str) -> np.ndarray:
        """The part, scaled so that its inner products with the block's centred vectors have the usual spread."""
        one = self.blocks[block]
        vector_D = np.asarray(part.vector_D, dtype=np.float64)
        if vector_D.shape != one.mean_D.shape:
            raise ValueError(f"Expected a query of shape {one.mean_D.shape}, got {vector_D.shape}.")
        spread = self._spread.get((part.kind, block))
        if spread is None or part.is_direction:
            spread = float(np.sqrt(max(vector_D @ one.covariance_DD @ vector_D, 0.0)))
        if spread <= _NO_SPREAD * np.linalg.norm(vector_D):  # every item scores alike
            return np.zeros_like(vector_D)
        return vector_D / spread

    @cached_property
    def _spread(self) -> dict[tuple[str, str], float]:
        """σ of each pair whose kind the catalogue itself has."""
        moment = {kind: one.covariance_DD + np.outer(one.mean_D, one.mean_D) for kind, one in self.blocks.items()}
        return {
            (kind, block): float(np.sqrt(np.vdot(self.blocks[block].covariance_DD, moment[kind])))
            for kind in self.blocks
            for block in self.answers(kind)
        }

    def shares(self, query_E: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """How much of each item's score comes from its picture and from its text, (N,) each; they sum to the score.

        What an imputed block adds comes from the block that it was predicted from.
        """
        vectors_NE = np.asarray(self.vectors_IE[items], dtype=np.float64)
        share = {kind: np.zeros(len(items)) for kind in KINDS}
        for block, one in self.blocks.items():
            columns = self.columns(block)
            score_N = vectors_NE[:, columns] @ query_E[columns].astype(np.float64)
            other = KINDS[1 - KINDS.index(block)]
            share[block] += np.where(one.has_I[items], score_N, 0.0)
            share[other] += np.where(one.has_I[items], 0.0, score_N)
        return share


def _block(modality: Modality) -> Block:
    present = np.flatnonzero(modality.present_I)
    mean_D = np.zeros(modality.num_features)
    moment_DD = np.zeros((modality.num_features, modality.num_features))
    for rows in _chunks(len(present)):
        mean_D += modality.x_IF[present[rows]].sum(axis=0, dtype=np.float64) / len(present)
    for rows in _chunks(len(present)):
        centred_RD = modality.x_IF[present[rows]] - mean_D
        moment_DD += centred_RD.T @ centred_RD / len(present)
    return Block(modality.present_I.copy(), mean_D, moment_DD)


def _learned_maps(
    parts: Mapping[str, np.ndarray], has: Mapping[str, np.ndarray], is_shared: bool
) -> dict[str, np.ndarray]:
    """What predicts each kind from the other, fitted on the items that have both."""
    if len(parts) < 2:
        return {}
    both = np.flatnonzero(np.logical_and(*has.values()))
    (one, one_ID), (other, other_ID) = parts.items()
    if len(both) >= _ENOUGH_PAIRS:
        return {other: _ridge(one_ID, other_ID, both), one: _ridge(other_ID, one_ID, both)}
    return dict.fromkeys(parts, np.eye(one_ID.shape[1])) if is_shared else {}


def _impute(parts: Mapping[str, np.ndarray], has: Mapping[str, np.ndarray], maps: Mapping[str, np.ndarray]) -> None:
    """Fill the missing block of the items that have only one, in place."""
    for missing, map_DD in maps.items():
        known = next(kind for kind in parts if kind != missing)
        alone = np.flatnonzero(has[known] & ~has[missing])
        for rows in _chunks(len(alone)):
            parts[missing][alone[rows]] = parts[known][alone[rows]].astype(np.float64) @ map_DD


def _ridge(from_ID: np.ndarray, to_ID: np.ndarray, both: np.ndarray) -> np.ndarray:
    gram_DD = np.zeros((from_ID.shape[1], from_ID.shape[1]))
    cross_DD = np.zeros((from_ID.shape[1], to_ID.shape[1]))
    for rows in _chunks(len(both)):
        known_RD = from_ID[both[rows]].astype(np.float64)
        gram_DD += known_RD.T @ known_RD
        cross_DD += known_RD.T @ to_ID[both[rows]].astype(np.float64)
    penalty = _RIDGE * np.trace(gram_DD) / len(gram_DD) + np.finfo(np.float64).tiny
    return np.linalg.solve(gram_DD + penalty * np.eye(len(gram_DD)), cross_DD)


def _split(vectors_IE: np.ndarray, dims: list[int]) -> list[np.ndarray]:
    """Views of the blocks."""
    return np.split(vectors_IE, np.cumsum(dims)[:-1], axis=1)


def _chunks(num_rows: int) -> list[slice]:
    return [slice(start, min(start + _ROWS, num_rows)) for start in range(0, num_rows, _ROWS)]
