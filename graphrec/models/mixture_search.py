"""How the parts are mixed is decided on masked items, which neither the encoder nor the head has seen."""

from collections.abc import Iterable
from functools import cache

import numpy as np

from graphrec.evaluation.protocol import Pool
from graphrec.models.parts import Mixture, Parts
from graphrec.models.scoring import QueryScale
from graphrec.models.tuning import mean_ndcg_in_pool
from graphrec.progress import Progress, silent

POPULARITY_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6)
_FOLD_IN_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_RAW_SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_ROUNDS = 2
_SHARE_ON = 2 / 3
"""Lists are served with popularity on; with it off they must not be bought at any price."""


def choose_mixture(parts: Parts, has_raw: bool, pool: Pool, users: np.ndarray, progress: Progress = silent) -> Mixture:
    """One value after the other, twice around, by NDCG@20: two thirds with popularity on, one third with it off."""

    @cache
    def scale(fold_in_share: float) -> QueryScale:
        return parts.scale(Mixture(fold_in_share=fold_in_share))

    @cache
    def ndcg(mixture: Mixture) -> float:
        vectors_PD = parts.without_edges(mixture, pool.items)
        on, off = (
            mean_ndcg_in_pool(
                parts.queries(users, mixture, scale(mixture.fold_in_share), popularity), vectors_PD, pool, users
            )
            for popularity in (True, False)
        )
        return _SHARE_ON * on + (1 - _SHARE_ON) * off

    def best(candidates: Iterable[Mixture]) -> Mixture:
        return max(candidates, key=ndcg)

    mixture = Mixture() if has_raw else Mixture(raw_share=0.0)
    steps = [
        ("raw_share", _RAW_SHARES if has_raw else (0.0,)),
        ("fold_in_share", _FOLD_IN_SHARES),
        ("popularity_weight", POPULARITY_WEIGHTS),
    ] * _ROUNDS
    for name, values in progress(steps, "Mixing the parts on masked items"):
        mixture = best([mixture.model_copy(update={name: value}) for value in values])
    return mixture
