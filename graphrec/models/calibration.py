"""How much new items are shown among all others: a trade, decided on masked items and pairs.

What a head predicts varies less than what it was taught, so content vectors are short and new items seldom reach the
top of a list that warm items share. Stretching every content vector by one factor moves new items up without changing
their order among themselves, at the price of some of the warm ones.
"""

from dataclasses import replace

import numpy as np

from graphrec.evaluation.metrics import recall
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.models.fallback import serve
from graphrec.models.parts import Mixture, Parts
from graphrec.models.tuning import CUTOFF, MaskedSplit

_FEWEST_FOUND = 100
_FACTORS = tuple(np.round(np.arange(1.0, 1.61, 0.05), 2).tolist())


def choose_stretch(
    parts: Parts, mixture: Mixture, half_degree: float, masked: MaskedSplit, most_warm_loss: float
) -> float:
    """The largest factor up to which none costs more than this share of the Recall@20 of masked pairs of warm items.

    All items with interactions compete, the masked ones as new. 1 where fewer than a hundred masked pairs are found:
    they could not tell such a loss from none.
    """
    judges = masked.judges("warm")
    if judges is None or most_warm_loss <= 0:
        return 1.0
    pool, users = judges
    pool = replace(pool, items=np.union1d(masked.warm_items, masked.cold.items))
    query_BD = parts.queries(users, mixture, parts.scale(mixture))
    graph_PD, content_PD = parts.graph(mixture, pool.items), parts.without_edges(mixture, pool.items)
    seen_BP, truth_BP = pool.seen[users][:, pool.items], pool.truth[users][:, pool.items]
    best, uncalibrated = 1.0, 0.0
    for factor in _FACTORS:
        served_PD = serve(graph_PD, np.float32(factor) * content_PD, masked.degree_I[pool.items], half_degree)
        lists = rank_by_vectors(query_BD, served_PD, np.arange(len(pool.items)), seen_BP, CUTOFF)
        is_hit_BK, num_relevant_B = hits(lists, truth_BP)
        if factor == 1 and is_hit_BK.sum() < _FEWEST_FOUND:
            return 1.0
        value = float(np.nanmean(recall(is_hit_BK, num_relevant_B, CUTOFF)))
        uncalibrated = value if factor == 1 else uncalibrated
        if value < (1 - most_warm_loss) * uncalibrated:
            break
        best = factor
    return best
