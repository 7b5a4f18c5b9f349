"""The popularity term that arms with vectors for cold items may use, and how much of it."""

import numpy as np

from graphrec.baselines.judge import Judge
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.leave_one_out import TuningItems
from graphrec.models.mixture_search import POPULARITY_WEIGHTS
from graphrec.models.popularity import Popularity, tune_popularity
from graphrec.models.scoring import QueryScale, with_popularity


def popularity_terms(blocks: FeatureBlocks, degree_I: np.ndarray, seed: int) -> Popularity:
    """Observed log-degrees of warm items and what content predicts of them, learned from the warm items."""
    items = TuningItems.of(blocks, np.flatnonzero(degree_I), seed)
    settings, _ = tune_popularity(items, degree_I)
    return Popularity.fit(blocks, degree_I, settings, seed)


def best_popularity_weight(judge: Judge, blocks: FeatureBlocks, query_BD: np.ndarray, vectors_ID: np.ndarray) -> float:
    """The weight of the predicted popularity with which these vectors find the masked items best."""
    degree_I = judge.masked.degree_I
    joined_ID = with_popularity(vectors_ID, popularity_terms(blocks, degree_I, judge.masked.seed).predicted_I)
    scale = QueryScale.fit(query_BD, vectors_ID[judge.masked.warm_items])
    scores = [judge.by_vectors(scale.query(query_BD, weight), joined_ID) for weight in POPULARITY_WEIGHTS]
    return POPULARITY_WEIGHTS[int(np.argmax(scores))]
