"""Everything fitted that a score is made of, and how much each part counts.

    score = (1 - s)·q·((1 - f)·z + f·fold-in) / σ_q + s·r·b / σ_r + w·popularity

For an item without an edge, what the head predicts of z and of the fold-in stands in their place.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeFloat

from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.fold_in import fold_in_system, scaled, score_deviations
from graphrec.models.graphsage import Encoded
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.other_sites import is_present, without_other_sites
from graphrec.models.placement import Placed, Placement
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import join_queries, join_vectors, raw_coefficients, raw_scale, sum_of_items
from graphrec.models.ridge import HeadSettings
from graphrec.models.scoring import QueryScale, with_popularity


class Mixture(BaseModel, extra="forbid", frozen=True):
    """How much each part of the score counts."""

    fold_in_share: NonNegativeFloat = 0.5
    """f: of the fold-in, against GraphSAGE's own z, in the vector that the head learns to predict."""
    raw_share: NonNegativeFloat = 0.1
    """s: of the raw block, against the learned vector."""
    popularity_weight: NonNegativeFloat = 0.2
    """w, where the other parts together have about unit deviation over the warm items."""


@dataclass(frozen=True)
class Placer:
    """Where an item belongs that has no edge, as its feature blocks tell."""

    head: KernelRidge
    popularity: Popularity

    @classmethod
    def of(
        cls, blocks: FeatureBlocks, degree_I: np.ndarray, head: HeadSettings, popularity_head: HeadSettings, seed: int
    ) -> "Placer":
        """Over the items with an edge, with kernels of these settings."""
        return cls(
            KernelRidge.of(blocks, np.flatnonzero(degree_I), head, seed),
            Popularity.fit(blocks, degree_I, popularity_head, seed),
        )


@dataclass(frozen=True)
class Parts:
    """Fitted on one training set. D dimensions of the encoder, R of the raw block (0: there is none)."""

    q_UD: np.ndarray
    matrix_UI: sp.csr_matrix
    """What users touched, on all sites, items as nodes."""
    z_ID: np.ndarray
    folded_ID: np.ndarray
    """z and the fold-in, scaled so that their scores vary alike."""
    content: Placed
    """From the items' own features and nothing else."""
    unseen: Placed
    """As items without an edge on the site are served: with what people of other sites did, where they know the item;
    otherwise from content, whose arrays these are where there is no other site."""
    raw_scale: QueryScale
    observed_popularity_I: np.ndarray
    known_users: np.ndarray
    warm: np.ndarray
    placement: Placement
    """What made `content`, for items that arrive later."""

    @classmethod
    def fit(
        cls,
        content: Placer,
        elsewhere: Placer | None,
        encoded: Encoded,
        folded_ID: np.ndarray,
        view: SiteView,
        raw_dim: int,
        seed: int,
    ) -> "Parts":
        """Teach the heads z and the fold-in of the items with edges, and the raw block; one pass over the catalogue.

        `elsewhere` places items by the blocks of other sites too; None where there are none. The raw block is its.
        """
        known_users, warm = np.flatnonzero(np.diff(view.own_UI.indptr)), content.head.rows
        deviations = score_deviations(encoded.z_ID[warm], folded_ID[warm], encoded.q_UD[known_users])
        z_ID, folded_ID = scaled(encoded.z_ID, folded_ID, deviations)
        taught_RT = np.hstack([z_ID[warm], folded_ID[warm]])
        widest = content if elsewhere is None else elsewhere
        raw_LR = np.zeros((len(widest.head.landmarks), 0), dtype=np.float32)
        raw_LR = raw_coefficients(widest.head, view.own_UI, raw_dim, seed) if raw_dim else raw_LR
        taught_LT = content.head.coefficients(taught_RT)
        own = unseen = _placed(content, taught_LT, raw_LR if elsewhere is None else taught_LT[:, :0])
        if elsewhere is not None:
            unseen = _placed(elsewhere, elsewhere.head.coefficients(taught_RT), raw_LR)
            own = replace(own, raw_IR=_raw_of_own_features(elsewhere.head, raw_LR))
            unseen = _where(is_present(elsewhere.head.blocks), unseen, own)
        return cls(
            q_UD=encoded.q_UD,
            matrix_UI=view.matrix_UI,
            z_ID=z_ID,
            folded_ID=folded_ID,
            content=own,
            unseen=unseen,
            raw_scale=raw_scale(view.own_UI, unseen.raw_IR, warm, seed),
            observed_popularity_I=content.popularity.observed_I,
            known_users=known_users,
            warm=warm,
            placement=Placement(
                taught=content.head.fitted(taught_LT),
                raw=widest.head.fitted(raw_LR),
                popularity=content.popularity.head,
                degree_scale=content.popularity.scale,
                z_deviation=deviations[0],
                fold_deviation=deviations[1],
                fold_in_DD=fold_in_system(encoded.q_UD, view.own_UI),
            ),
        )

    def scale(self, mixture: Mixture) -> QueryScale:
        """Of the learned part."""
        return QueryScale.fit(self.q_UD[self.known_users], _mixed(self.z_ID, self.folded_ID, mixture, self.warm))

    def queries(self, users: np.ndarray, mixture: Mixture, scale: QueryScale, popularity: bool = True) -> np.ndarray:
        """(B, D + R + 1) float32; with `popularity` off the average user is taken out."""
        sum_BR = sum_of_items(self.matrix_UI[users], self.unseen.raw_IR)
        return mixed_queries(self.q_UD[users], sum_BR, scale, self.raw_scale, mixture, popularity)

    def graph(self, mixture: Mixture, items: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Where the graph puts the items, (items, D + R + 1) float32; meaningless for items without an edge."""
        learned_ND = _mixed(self.z_ID, self.folded_ID, mixture, items)
        with_popularity_ND = with_popularity(learned_ND, self.observed_popularity_I[items])
        return join_vectors(with_popularity_ND, self.unseen.raw_IR[items])

    def without_edges(
        self, mixture: Mixture, items: np.ndarray | slice = slice(None), own_features: bool = False
    ) -> np.ndarray:
        """The items as if they had no edge on the site, (items, D + R + 1) float32.

        With `own_features` from their own features and nothing else: c. Otherwise with what other sites say of them.
        """
        return placed_vectors(self.content if own_features else self.unseen, mixture, items)


def placed_vectors(placed: Placed, mixture: Mixture, items: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Items as what is said of them makes them, (items, D + R + 1) float32."""
    learned_ND = _mixed(placed.z_ID, placed.folded_ID, mixture, items)
    return join_vectors(with_popularity(learned_ND, placed.popularity_I[items]), placed.raw_IR[items])


def mixed_queries(
    q_BD: np.ndarray,
    sum_BR: np.ndarray,
    scale: QueryScale,
    raw_scale: QueryScale,
    mixture: Mixture,
    popularity: bool,
) -> np.ndarray:
    """(B, D + R + 1) float32, for users of these encodings; popularity off: less the average user.

    `sum_BR` are the sums of the raw vectors of their items, see `raw_block.sum_of_items`.
    """
    learned_BD = scale.search_query(q_BD, mixture.popularity_weight, popularity)
    raw_BR = raw_scale.search_query(sum_BR, 0, popularity)
    return join_queries(learned_BD, raw_BR, mixture.raw_share)


def _mixed(z_ID: np.ndarray, folded_ID: np.ndarray, mixture: Mixture, items: np.ndarray | slice) -> np.ndarray:
    share = np.float32(mixture.fold_in_share)
    return (1 - share) * z_ID[items] + share * folded_ID[items]


def _placed(placer: Placer, taught_LT: np.ndarray, raw_LR: np.ndarray) -> Placed:
    predicted_I = placer.head.predict(np.hstack([taught_LT, raw_LR]))
    dim = taught_LT.shape[1] // 2
    return Placed(
        z_ID=predicted_I[:, :dim],
        folded_ID=predicted_I[:, dim : 2 * dim],
        raw_IR=np.ascontiguousarray(predicted_I[:, 2 * dim :]),
        popularity_I=placer.popularity.predicted_I,
    )


def _raw_of_own_features(head: KernelRidge, raw_LR: np.ndarray) -> np.ndarray:
    return head.predict(raw_LR, without_other_sites(head.blocks).x_IF)


def _where(mask_I: np.ndarray, one: Placed, other: Placed) -> Placed:
    return Placed(
        z_ID=np.where(mask_I[:, None], one.z_ID, other.z_ID),
        folded_ID=np.where(mask_I[:, None], one.folded_ID, other.folded_ID),
        raw_IR=np.where(mask_I[:, None], one.raw_IR, other.raw_IR),
        popularity_I=np.where(mask_I, one.popularity_I, other.popularity_I),
    )
