"""Item-based nearest neighbours (Sarwar et al. 2001; shrinkage as in Bell and Koren 2007)."""

from copy import copy
from typing import Self

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeFloat, PositiveInt

from graphrec.baselines.arm import ScoreBaseline, TrainingInput
from graphrec.baselines.judge import Judge
from graphrec.baselines.search import random_search
from graphrec.models.raw_block import once
from graphrec.progress import Progress

_SIMILARITIES_PER_BLOCK = 2**24


class ItemKNNSettings(BaseModel, extra="forbid", frozen=True):
    """What is tuned of item-kNN."""

    neighbours: PositiveInt = 100
    """The nearest warm items that an item's score is read from."""
    shrinkage: NonNegativeFloat = 10.0
    """Added to the cosine's divisor: similarities that rest on few users are not trusted."""


SPACE = {"neighbours": (10, 20, 50, 100, 200, 400), "shrinkage": (0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)}


class ItemKNN(ScoreBaseline):
    """The score of item i is the sum of the similarities between i and those of the user's items among i's neighbours.

    Similarity of items i and j with d_i and d_j users, c_ij of them common: c_ij / (√(d_i·d_j) + shrinkage). Events
    count once. Settings are chosen by NDCG@20 on masked pairs of warm items.

    A cold item has no neighbour and no score: it stands with the warm items that the user's items say nothing of, below
    all others, in a random order of the seed.
    """

    has_personal_part = True

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        judge = Judge.of(inputs, "warm")
        masked_UI = ones(judge.matrix_UI)

        def score(settings: ItemKNNSettings) -> float:
            nearest_II = nearest_items(masked_UI, settings)
            return judge.by_scores(lambda users, items: (masked_UI[users] @ nearest_II[:, items]).toarray())

        self.search_ = random_search(
            ItemKNNSettings(), SPACE, score, inputs.tuning.tries, inputs.seed, progress, "Tuning item-kNN"
        )
        self.settings_ = self.search_.best.settings
        self.matrix_UI_ = ones(inputs.train.interactions.user_item_matrix())
        self.nearest_II_ = nearest_items(self.matrix_UI_, self.settings_)
        self._prepare(inputs)

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.matrix_UI_ = ones(known_UI)
        return other

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(B, I): summed similarities."""
        return (self.matrix_UI_[users] @ self.nearest_II_).toarray()


def ones(matrix_UI: sp.csr_matrix) -> sp.csr_matrix:
    """Every stored pair as 1, float64."""
    return once(matrix_UI).astype(np.float64)


def nearest_items(matrix_UI: sp.csr_matrix, settings: ItemKNNSettings) -> sp.csr_matrix:
    """Sparse (I, I) of zeros-and-ones interactions: column i holds the similarities of item i's nearest others.

    Equally near ones are kept in the order of item index. Items are taken in blocks: nothing dense of the size I × I.
    """
    num_items = matrix_UI.shape[1]
    users_IU = matrix_UI.T.tocsr()
    root_I = np.sqrt(np.diff(users_IU.indptr))
    blocks = []
    step = max(1, _SIMILARITIES_PER_BLOCK // max(1, num_items))
    for start in range(0, num_items, step):
        common = (users_IU[start : start + step] @ matrix_UI).tocoo()
        item_N, other_N = common.row + start, common.col
        other = item_N != other_N
        item_N, other_N = item_N[other], other_N[other]
        similarity_N = common.data[other] / (root_I[item_N] * root_I[other_N] + settings.shrinkage)
        order_N = np.lexsort((other_N, -similarity_N, item_N))
        item_N, other_N, similarity_N = item_N[order_N], other_N[order_N], similarity_N[order_N]
        kept_N = np.arange(len(item_N)) - np.searchsorted(item_N, item_N) < settings.neighbours
        blocks.append(np.stack([other_N[kept_N], item_N[kept_N], similarity_N[kept_N]]))
    other_N, item_N, similarity_N = np.concatenate(blocks, axis=1)
    return sp.csr_matrix((similarity_N, (other_N.astype(np.int64), item_N.astype(np.int64))), (num_items, num_items))
