"""Content arms: what the features of a user's own items say, with no neighbour of a neighbour anywhere."""

from copy import copy
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.modalities import even_modalities
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import sum_of_items
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.models.tuning import MaskedSplit, Tuned, mean_ndcg, tune_head
from graphrec.progress import Progress, silent


class ContentUntrained(VectorBaseline):
    """Mean profile: the weighted mean of the user's items' features, compared by cosine. Nothing is learned.

    The attributes together count as one block, and the warm items' mean is subtracted: what all items have in common
    says nothing about a user's taste. An item without any feature stays zero, which is then the average item.
    """

    has_personal_part = False

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        warm = np.flatnonzero(inputs.train.interactions.item_degree())
        self.x_IF_ = centred_unit_rows(even_modalities(inputs.blocks), warm)
        self.matrix_ = inputs.train.interactions.user_item_matrix()
        self.vectors_ = with_popularity(self.x_IF_, np.zeros(len(self.x_IF_), dtype=np.float32))
        self.popularity_weight_ = 0.0
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(self.matrix_, inputs.seed)), self.x_IF_[warm])

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.matrix_ = known_UI
        return other

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, F): the sum of the items' unit features, weighted by the events; scaling makes it a mean."""
        return self.matrix_[users] @ self.x_IF_


class Content(VectorBaseline):
    """Ridge from features to raw interaction columns, tuned as the graph arm's head is.

    The score of item i for user u is x_iᵀ (XᵀX + λI)⁻¹ Σ_j x_j over the user's items j: the ridge prediction of column
    i of the interaction matrix of zeros and ones, in a form without a users × items matrix. Blocks are weighted; X
    holds the warm items. An item counts once however often it was touched, as in the graph arm.
    """

    has_personal_part = True

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        interactions = inputs.train.interactions
        degree_I = interactions.item_degree()
        tuned = _tune(inputs, progress)
        self.settings_, self.popularity_weight_ = tuned.settings, tuned.popularity_weight
        self.masked_ndcg_ = tuned.score
        warm = np.flatnonzero(degree_I)
        self.system_ = RidgeSystem(inputs.blocks.x_IF, inputs.blocks.columns, warm)
        design_IF = self.system_.design(np.arange(len(degree_I)))
        self.matrix_ = interactions.user_item_matrix()
        self.design_IF_ = design_IF
        self.vectors_ = with_popularity(design_IF, Popularity.fit(self.system_, degree_I).observed_I)
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(self.matrix_, inputs.seed)), design_IF[warm])

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.matrix_ = known_UI
        return other

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, F): each user's ridge coefficients."""
        return _ridge_queries(self.system_, self.settings_, sum_of_items(self.matrix_[users], self.design_IF_))


def centred_unit_rows(x_IF: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x less the mean over `rows`, every row that has something brought to length 1, float32; zero rows stay zero."""
    centred_IF = np.where(x_IF.any(axis=1, keepdims=True), x_IF - x_IF[rows].mean(axis=0, dtype=np.float64), 0)
    norm_I1 = np.linalg.norm(centred_IF, axis=1, keepdims=True)
    return (centred_IF / np.where(norm_I1 > 0, norm_I1, 1.0)).astype(np.float32)


def _tune(inputs: TrainingInput, progress: Progress) -> Tuned:
    masked = MaskedSplit.of(inputs.train, inputs.tuning, inputs.seed)
    judges = masked.judges("cold")
    if judges is None:
        raise GraphRecError("No user with history touched a masked item: too few interactions to tune on.")
    pool, users = judges
    score = _MaskedScore(masked, inputs.blocks, users)
    return tune_head(
        list(inputs.blocks.columns),
        lambda settings, weight: mean_ndcg(score.queries(settings, weight), score.vectors_ID, pool, users),
        inputs.tuning.tries,
        progress,
        "Tuning the content arm",
    )


class _MaskedScore:
    """Queries of the judging users from a system that never saw the masked items."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks, users: np.ndarray) -> None:
        interactions = masked.split.train.interactions
        self.system = RidgeSystem(blocks.x_IF, blocks.columns, masked.warm_items)
        design_IF = self.system.design(np.arange(len(blocks.x_IF)))
        self.profile_BF = sum_of_items(interactions.user_item_matrix()[users], design_IF)
        self.warm_RF = design_IF[masked.warm_items]
        popularity = Popularity.fit(self.system, interactions.item_degree())
        self.vectors_ID = with_popularity(design_IF, popularity.predicted_I)

    def queries(self, settings: HeadSettings, popularity_weight: float) -> np.ndarray:
        query_BF = _ridge_queries(self.system, settings, self.profile_BF)
        return QueryScale.fit(query_BF, self.warm_RF).query(query_BF, popularity_weight)


def _ridge_queries(system: RidgeSystem, settings: HeadSettings, profile_BF: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(system.inverse_times(profile_BF.T, settings).T)
