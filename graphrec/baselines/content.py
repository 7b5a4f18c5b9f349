"""Content arms: what the features of a user's own items say, with no neighbour of a neighbour anywhere."""

from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.judge import Judge
from graphrec.baselines.modalities import even_modalities
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.leave_one_out import TunedKernel, TuningItems, tune_kernel_head
from graphrec.models.mixture_search import POPULARITY_WEIGHTS
from graphrec.models.parts import Mixture
from graphrec.models.popularity import Popularity, tune_popularity
from graphrec.models.raw_block import sum_of_items
from graphrec.models.ridge import HeadSettings
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.models.tuning import mean_ndcg_in_pool
from graphrec.progress import Progress, silent


class ItemHistoryBaseline(VectorBaseline):
    """A baseline whose users' vectors are sums over the items that they have touched; `_fit` sets the attributes."""

    matrix_: sp.csr_matrix
    """Each user's items, with the events' weights."""

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.matrix_ = known_UI
        return other


class ContentUntrained(ItemHistoryBaseline):
    """Mean profile: the weighted mean of the user's items' features, compared by cosine. Nothing is learned.

    The attributes together count as one block, and the warm items' mean is subtracted: what all items have in common
    says nothing about a user's taste. An item without any feature stays zero, which is then the average item.
    """

    has_personal_part = False

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        warm = np.flatnonzero(inputs.train.own_interactions.item_degree())
        self.x_IF_ = centred_unit_rows(even_modalities(inputs.blocks), warm)
        self.matrix_ = inputs.train.interactions.user_item_matrix()
        self.vectors_ = with_popularity(self.x_IF_, np.zeros(len(self.x_IF_), dtype=np.float32))
        self.popularity_weight_ = 0.0
        users = sample_users(inputs.train.own_interactions.user_item_matrix(), inputs.seed)
        self.scale_ = QueryScale.fit(self.user_vectors(users), self.x_IF_[warm])

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, F): the sum of the items' unit features, weighted by the events; scaling makes it a mean."""
        return self.matrix_[users] @ self.x_IF_


class Content(ItemHistoryBaseline):
    """Kernel ridge from features to raw interaction columns, its kernel tuned as the graph arm's head is.

    The score of item i for user u is k_iᵀ (K + λI)⁻¹ Σ_j e_j over the user's items j (through landmarks in a large
    catalogue, see `KernelRidge`): the prediction of column i of the interaction matrix of zeros and ones, in a form
    without a users × items matrix. An item counts once however often it was touched, as in the graph arm. Nothing is
    tuned where the data are too few for anybody to judge masked items.
    """

    has_personal_part = True

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        blocks, degree_I = inputs.blocks, inputs.train.own_interactions.item_degree()
        warm = np.flatnonzero(degree_I)
        judge = Judge.where_possible(inputs, "cold")
        choices = _untuned(inputs, warm) if judge is None else _tuned(judge, inputs, progress)
        self.settings_, self.popularity_weight_ = choices.head, choices.popularity_weight
        self.matrix_ = inputs.train.interactions.user_item_matrix()
        head = KernelRidge.of(blocks, warm, choices.head, inputs.seed)
        popularity = Popularity.fit(blocks, degree_I, choices.popularity_head, inputs.seed)
        self.vectors_ = with_popularity(head.predict(head.whitener_LL.astype(np.float32)), popularity.observed_I)
        self.x_IL_ = self.vectors_[:, :-1]  # a view: the vectors are as wide as the landmarks are many
        users = sample_users(inputs.train.own_interactions.user_item_matrix(), inputs.seed)
        self.scale_ = QueryScale.fit(self.user_vectors(users), self.x_IL_[warm])

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, L): the sum of the users' items in the ridge's own coordinates."""
        return sum_of_items(self.matrix_[users], self.x_IL_)


@dataclass(frozen=True)
class _Choices:
    """What is tuned of the content arm."""

    head: HeadSettings
    popularity_head: HeadSettings
    popularity_weight: float


def _untuned(inputs: TrainingInput, warm: np.ndarray) -> _Choices:
    """Where tuning starts, for data that are too few to mask any of them."""
    start = TunedKernel(TuningItems.of(inputs.blocks, warm, inputs.seed)).settings()
    return _Choices(start, start, Mixture().popularity_weight)


def _tuned(judge: Judge, inputs: TrainingInput, progress: Progress) -> _Choices:
    """The kernels by leaving out each item that is not masked, the popularity weight on the masked ones."""
    items = TuningItems.of(inputs.blocks, judge.masked.warm_items, inputs.seed)
    popularity_head, left_out_R = tune_popularity(items, judge.masked.degree_I)
    own_UI = judge.masked.split.train.own_interactions.user_item_matrix()
    head = tune_kernel_head(
        items, own_UI, left_out_R, None, inputs.tuning.steps, inputs.seed,
        progress=progress, description="Tuning the content arm",
    )  # fmt: skip
    return _Choices(head, popularity_head, _best_popularity_weight(judge, inputs.blocks, head, popularity_head))


def _best_popularity_weight(
    judge: Judge, blocks: FeatureBlocks, head_settings: HeadSettings, popularity_head: HeadSettings
) -> float:
    """The one that finds the masked items best, among those that the graph arm may choose from."""
    masked, pool, users = judge.masked, judge.pool, judge.users
    assert pool is not None  # there is always one of masked items
    head = KernelRidge.of(blocks, masked.warm_items, head_settings, masked.seed)
    popularity = Popularity.fit(blocks, masked.degree_I, popularity_head, masked.seed)
    x_IL = head.predict(head.whitener_LL.astype(np.float32))
    query_BL = sum_of_items(judge.matrix_UI[users], x_IL)
    scale = QueryScale.fit(query_BL, x_IL[masked.warm_items])
    vectors_PL = with_popularity(x_IL[pool.items], popularity.predicted_I[pool.items])
    scores = [
        mean_ndcg_in_pool(scale.query(query_BL, weight), vectors_PL, pool, users) for weight in POPULARITY_WEIGHTS
    ]
    return POPULARITY_WEIGHTS[int(np.argmax(scores))]


def centred_unit_rows(x_IF: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x less the mean over `rows`, every row that has something brought to length 1, float32; zero rows stay zero."""
    centred_IF = np.where(x_IF.any(axis=1, keepdims=True), x_IF - x_IF[rows].mean(axis=0, dtype=np.float64), 0)
    norm_I1 = np.linalg.norm(centred_IF, axis=1, keepdims=True)
    return (centred_IF / np.where(norm_I1 > 0, norm_I1, 1.0)).astype(np.float32)
