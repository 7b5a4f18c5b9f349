"""Content arms: what the features of a user's own items say, with no neighbour of a neighbour anywhere."""

from copy import copy
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.modalities import even_modalities
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.leave_one_out import TuningItems, tune_kernel_head
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import sum_of_items
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
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
    """Kernel ridge from features to raw interaction columns, its kernel tuned as the graph arm's head is.

    The score of item i for user u is k_iᵀ (K + λI)⁻¹ Σ_j e_j over the user's items j (through landmarks in a large
    catalogue, see `KernelRidge`): the prediction of column i of the interaction matrix of zeros and ones, in a form
    without a users × items matrix. An item counts once however often it was touched, as in the graph arm.
    """

    has_personal_part = True

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        blocks, degree_I = inputs.blocks, inputs.train.interactions.item_degree()
        self.matrix_ = inputs.train.interactions.user_item_matrix()
        warm = np.flatnonzero(degree_I)
        items = TuningItems.of(blocks, warm, inputs.seed)
        popularity = Popularity.fit(blocks, items, degree_I, inputs.seed)
        tuned = tune_kernel_head(
            items, self.matrix_, popularity.left_out_R, None, inputs.tuning.steps, inputs.seed,
            progress=progress, description="Tuning the content arm",
        )  # fmt: skip
        self.settings_, self.popularity_weight_ = tuned.settings, tuned.popularity_weight
        head = KernelRidge.of(blocks, warm, tuned.settings, inputs.seed)
        self.vectors_ = with_popularity(head.predict(head.whitener_LL.astype(np.float32)), popularity.observed_I)
        self.x_IL_ = self.vectors_[:, :-1]  # a view: the vectors are as wide as the landmarks are many
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(self.matrix_, inputs.seed)), self.x_IL_[warm])

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.matrix_ = known_UI
        return other

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, L): the sum of the users' items in the ridge's own coordinates."""
        return sum_of_items(self.matrix_[users], self.x_IL_)


def centred_unit_rows(x_IF: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x less the mean over `rows`, every row that has something brought to length 1, float32; zero rows stay zero."""
    centred_IF = np.where(x_IF.any(axis=1, keepdims=True), x_IF - x_IF[rows].mean(axis=0, dtype=np.float64), 0)
    norm_I1 = np.linalg.norm(centred_IF, axis=1, keepdims=True)
    return (centred_IF / np.where(norm_I1 > 0, norm_I1, 1.0)).astype(np.float32)
