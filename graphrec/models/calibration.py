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

_FACTORS = tuple(np.round(np.arange(1.0, 1.61, 0.05), 2).tolist())


def choose_stretch(
    parts: Parts, mixture: Mixture, half_degree: float, masked: MaskedSplit, most_warm_loss: float
) -> float:
    """The largest factor up to which none costs more than this share of the Recall@20 of masked pairs of warm items.

    All items with interactions compete, the masked ones as new. 1 where no masked pair can judge.
    """
    judges = masked.judges("warm")
    if judges is None or most_warm_loss <= 0:
        return 1.0
    pool, users = judges
    pool = replace(pool, items=np.union1d(masked.warm_items, masked.cold.items))
    query_BD = parts.queries(users, mixture, parts.scale(mixture))
    graph_ID, content_ID = parts.graph(mixture), parts.content(mixture)
    best, full_recall = 1.0, None
    for factor in _FACTORS:
        served_ID = serve(graph_ID, np.float32(factor) * content_ID, masked.degree_I, half_degree)
        lists = rank_by_vectors(query_BD, served_ID, pool.items, pool.seen[users], CUTOFF)
        found = float(np.nanmean(recall(*hits(lists, pool.truth[users]), CUTOFF)))
        full_recall = found if full_recall is None else full_recall
        if found < (1 - most_warm_loss) * full_recall:
            break
        best = factor
    return best
