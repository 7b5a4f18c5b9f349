"""Everything fitted that a score is made of, and how much each part counts.

    score = (1 - s)·q·((1 - f)·z + f·fold-in) / σ_q + s·r·b / σ_r + w·popularity

For an item without an edge, what the head predicts of z and of the fold-in stands in their place.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeFloat

from graphrec.models.fold_in import alike_scaled
from graphrec.models.graphsage import Encoded
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import join_queries, join_vectors, raw_coefficients, raw_scale, sum_of_items
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
class Parts:
    """Fitted on one training set. D dimensions of the encoder, R of the raw block (0: there is none)."""

    q_UD: np.ndarray
    matrix_UI: sp.csr_matrix
    z_ID: np.ndarray
    folded_ID: np.ndarray
    """z and the fold-in, scaled so that their scores vary alike."""
    content_z_ID: np.ndarray
    content_folded_ID: np.ndarray
    """What the head predicts of them from the items' own features."""
    raw_IR: np.ndarray
    raw_scale: QueryScale
    popularity: Popularity
    known_users: np.ndarray
    warm: np.ndarray

    @classmethod
    def fit(
        cls,
        head: KernelRidge,
        encoded: Encoded,
        folded_ID: np.ndarray,
        matrix_UI: sp.csr_matrix,
        popularity: Popularity,
        raw_dim: int,
        seed: int,
    ) -> "Parts":
        """Teach the head z and the fold-in of its items, and the raw block; one pass over the catalogue."""
        known_users, warm = np.flatnonzero(np.diff(matrix_UI.indptr)), head.rows
        z_ID, folded_ID = alike_scaled(encoded.z_ID, folded_ID, encoded.q_UD[known_users], warm)
        coefficients_L = [head.coefficients(np.hstack([z_ID[warm], folded_ID[warm]]))]
        if raw_dim:
            coefficients_L.append(raw_coefficients(head, matrix_UI, raw_dim, seed))
        predicted_I = head.predict(np.hstack(coefficients_L))
        dim = z_ID.shape[1]
        raw_IR = np.ascontiguousarray(predicted_I[:, 2 * dim :])
        return cls(
            q_UD=encoded.q_UD,
            matrix_UI=matrix_UI,
            z_ID=z_ID,
            folded_ID=folded_ID,
            content_z_ID=predicted_I[:, :dim],
            content_folded_ID=predicted_I[:, dim : 2 * dim],
            raw_IR=raw_IR,
            raw_scale=raw_scale(matrix_UI, raw_IR, warm, seed),
            popularity=popularity,
            known_users=known_users,
            warm=warm,
        )

    def scale(self, mixture: Mixture) -> QueryScale:
        """Of the learned part."""
        return QueryScale.fit(self.q_UD[self.known_users], _mixed(self.z_ID, self.folded_ID, mixture, self.warm))

    def queries(self, users: np.ndarray, mixture: Mixture, scale: QueryScale, popularity: bool = True) -> np.ndarray:
        """(B, D + R + 1) float32; with `popularity` off the average user is taken out."""
        items_BI = self.matrix_UI[users]
        return mixed_queries(self.q_UD[users], items_BI, self.raw_IR, scale, self.raw_scale, mixture, popularity)

    def graph(self, mixture: Mixture, items: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Where the graph puts the items, (items, D + R + 1) float32; meaningless for items without an edge."""
        learned_ND = _mixed(self.z_ID, self.folded_ID, mixture, items)
        return join_vectors(with_popularity(learned_ND, self.popularity.observed_I[items]), self.raw_IR[items])

    def content(self, mixture: Mixture, items: np.ndarray | slice = slice(None)) -> np.ndarray:
        """From the items' own features and nothing else, (items, D + R + 1) float32."""
        learned_ND = _mixed(self.content_z_ID, self.content_folded_ID, mixture, items)
        return join_vectors(with_popularity(learned_ND, self.popularity.predicted_I[items]), self.raw_IR[items])


def mixed_queries(
    q_BD: np.ndarray,
    items_BI: sp.csr_matrix,
    raw_IR: np.ndarray,
    scale: QueryScale,
    raw_scale: QueryScale,
    mixture: Mixture,
    popularity: bool,
) -> np.ndarray:
    """(B, D + R + 1) float32, for users of these encodings and items; popularity off: less the average user."""
    learned_BD = scale.search_query(q_BD, mixture.popularity_weight, popularity)
    raw_BR = raw_scale.search_query(sum_of_items(items_BI, raw_IR), 0, popularity)
    return join_queries(learned_BD, raw_BR, mixture.raw_share)


def _mixed(z_ID: np.ndarray, folded_ID: np.ndarray, mixture: Mixture, items: np.ndarray | slice) -> np.ndarray:
    share = np.float32(mixture.fold_in_share)
    return (1 - share) * z_ID[items] + share * folded_ID[items]
