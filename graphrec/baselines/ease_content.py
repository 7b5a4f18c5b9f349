"""EASE with content: item features as more rows of the matrix (CEASE, Jeunen et al. 2020), cold items by theirs alone.

X: users × warm items, T: features × items, K = TᵀT. Shapes: R warm items, F features with a constant, I items.

Warm item j: the rows of T stand below those of X, so column j of B is the ridge of item j on all other warm items over
users and features together: B = I - P / diag(P), P = (XᵀX + αK + λI)⁻¹.

Cold item c: taken literally, its column of X is zero, and the closed form would fit "no user likes it", which is not
known; on masked items that halves what is found. Its users are missing, not absent, so only the rows of T are left of
the regression: b_c = (K + κI)⁻¹ k_c, the weights with which the warm items' features rebuild its own. What is passed on
through b_c is the user's history as EASE completes it: the score is x_u (B + δI) b_c. (x_u b_c alone is the ridge from
features to raw interactions, the content arm without its popularity term; a large δ comes near it.)
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat

from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.ease import SPACE as EASE_SPACE
from graphrec.baselines.ease import EASESettings, WarmHistoryBaseline, check_size, ease_weights, gram
from graphrec.baselines.item_knn import ones
from graphrec.baselines.judge import Judge
from graphrec.baselines.modalities import even_modalities, modality_weights
from graphrec.baselines.search import coordinate_search, random_search
from graphrec.data.dataset import Dataset
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.progress import Progress

_WARM_SHARE = 0.25
"""Of the tries: for the settings of warm items; the others are for those of cold items."""
_FACTORS = (1 / 4, 3.0)
_OWN_SHARES = (0.0, 0.1, 0.3, 1.0, 10.0)


class WarmSettings(EASESettings, extra="forbid", frozen=True):
    """Of B; judged by masked pairs of warm items."""

    feature_weight: NonNegativeFloat = 10.0
    """α: how many users a feature block counts for; every modality counts as one."""


class ColdSettings(BaseModel, extra="forbid", frozen=True):
    """Of b_c; judged by the masked items."""

    weights: dict[str, NonNegativeFloat]
    """Feature block → factor of its inner products in K."""
    penalty: PositiveFloat = 5.0
    """κ."""
    own_share: NonNegativeFloat = 0.1
    """δ: the items themselves, beside what EASE makes of them."""


SPACE = {**EASE_SPACE, "feature_weight": (0.0, 3.0, 10.0, 30.0, 100.0, 300.0)}


class EASEContent(WarmHistoryBaseline):
    """See the module. Dense, warm items × items: refused where that is more than 20,000 × 20,000."""

    has_personal_part = True

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """See `Baseline.check`."""
        super().check(train, has_unseen_users)
        degree_I = train.interactions.item_degree()
        check_size(int(np.sqrt(np.count_nonzero(degree_I) * len(degree_I))))

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        self.items_ = items = np.flatnonzero(inputs.train.interactions.item_degree())
        matrix_UI = inputs.train.interactions.user_item_matrix()
        warm_tries = round(_WARM_SHARE * inputs.tuning.tries)
        self.warm_search_ = random_search(
            WarmSettings(), SPACE, warm_score(Judge.of(inputs, "warm"), inputs.blocks),
            warm_tries, inputs.seed, progress, "Tuning EASE with content, warm items",
        )  # fmt: skip
        self.warm_settings_ = self.warm_search_.best.settings
        even = modality_weights(inputs.blocks)
        self.search_ = coordinate_search(
            ColdSettings(weights={block: weight**2 for block, weight in even.items()}),
            moves(list(inputs.blocks.columns)),
            cold_score(Judge.of(inputs, "cold"), inputs.blocks, self.warm_settings_),
            inputs.tuning.tries - warm_tries, progress, "Tuning EASE with content, cold items",
        )  # fmt: skip
        self.settings_ = self.search_.best.settings
        self.history_UR_ = ones(matrix_UI)[:, items]
        system = RidgeSystem(inputs.blocks.x_IF, inputs.blocks.columns, items)
        warm_RR = warm_weights(self.history_UR_, even_modalities(inputs.blocks)[items], self.warm_settings_)
        self.weights_RI_ = np.zeros((len(items), matrix_UI.shape[1]), dtype=np.float32)
        self.weights_RI_[:, items] = warm_RR
        cold = np.setdiff1d(np.arange(matrix_UI.shape[1]), items)
        own = self.settings_.own_share
        rebuilt_RC = system.design_RF @ cold_coefficients(system, cold, self.settings_)
        self.weights_RI_[:, cold] = warm_RR @ rebuilt_RC + own * rebuilt_RC
        self._prepare(inputs)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(B, I): x_u B for warm items, x_u (B + δI) b_c for cold ones."""
        return self.history_UR_[users] @ self.weights_RI_


def warm_weights(history_UR: sp.csr_matrix, x_RF: np.ndarray, settings: WarmSettings) -> np.ndarray:
    """B (R, R): EASE on [X; √α T], with T the features of the same items."""
    return ease_weights(_joint_gram(gram(history_UR), x_RF, settings.feature_weight), settings.penalty)


def cold_coefficients(system: RidgeSystem, cold: np.ndarray, settings: ColdSettings) -> np.ndarray:
    """(F, C) such that `system.design_RF` times it is (K + κI)⁻¹ K_rc: F × F algebra, by the push-through identity."""
    head = HeadSettings(weights=settings.weights, penalty=settings.penalty)
    return system.inverse_times(system.design(cold).T.astype(np.float64), head)


def warm_score(judge: Judge, blocks: FeatureBlocks) -> Callable[[WarmSettings], float]:
    """NDCG@20 on masked pairs of warm items."""
    items = judge.masked.warm_items
    history_UR, x_RF = ones(judge.matrix_UI)[:, items], even_modalities(blocks)[items]
    gram_RR = gram(history_UR)

    def score(settings: WarmSettings) -> float:
        weights_RR = ease_weights(_joint_gram(gram_RR, x_RF, settings.feature_weight), settings.penalty)
        return judge.by_scores(lambda users, pool: (history_UR[users] @ weights_RR)[:, np.searchsorted(items, pool)])

    return score


def cold_score(judge: Judge, blocks: FeatureBlocks, warm: WarmSettings) -> Callable[[ColdSettings], float]:
    """NDCG@20 on the masked items, with B of these settings."""
    items = judge.masked.warm_items
    system = RidgeSystem(blocks.x_IF, blocks.columns, items)
    history_UR = ones(judge.matrix_UI)[:, items]
    weights_RR = warm_weights(history_UR, even_modalities(blocks)[items], warm)
    own_BF = history_UR[judge.users] @ system.design_RF.astype(np.float64)
    completed_BF = (history_UR[judge.users] @ weights_RR) @ system.design_RF

    def score(settings: ColdSettings) -> float:
        assert judge.pool is not None  # a judge of cold items has one
        profile_BF = completed_BF + settings.own_share * own_BF
        score_BP = profile_BF @ cold_coefficients(system, judge.pool.items, settings)
        return judge.by_scores(lambda users, _: score_BP[np.searchsorted(judge.users, users)])

    return score


def moves(blocks: list[str]) -> list[Callable[[ColdSettings], list[ColdSettings]]]:
    """The penalty, the own share, then each block's weight."""

    def penalty(now: ColdSettings) -> list[ColdSettings]:
        return [now.model_copy(update={"penalty": now.penalty * factor}) for factor in (3.0, 1 / 3)]

    def own_share(now: ColdSettings) -> list[ColdSettings]:
        return [now.model_copy(update={"own_share": share}) for share in _OWN_SHARES]

    def weight(block: str) -> Callable[[ColdSettings], list[ColdSettings]]:
        def change(now: ColdSettings) -> list[ColdSettings]:
            value = now.weights[block]
            others = [value * factor for factor in _FACTORS] + [0.0] if value else [0.25]
            return [now.model_copy(update={"weights": {**now.weights, block: other}}) for other in others]

        return change

    return [penalty, own_share, *map(weight, blocks)]


def _joint_gram(gram_RR: np.ndarray, x_RF: np.ndarray, feature_weight: float) -> np.ndarray:
    if feature_weight == 0:
        return gram_RR
    x_RF = x_RF.astype(np.float64)
    return gram_RR + feature_weight * (x_RF @ x_RF.T)
