"""What factors for new items are worth: a fitted ALS with and without them, beside graphrec's own list."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from graphrec import Recommender
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.evaluation.metrics import ndcg, recall
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.evaluation.ranking import RankedLists, hits, rank_by_vectors
from graphrec.export.cold_factors import ExtendedALS, add_cold_items, largest_stretch
from graphrec.retrieval.embeddings import Embeddings
from graphrec.workflow import run_split

K = 20
MOST_LOSS = 0.03


def cold_als(run: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Recall and NDCG among new items alone, and where all items that have interactions compete."""
    model = Recommender.load(run, "cpu")
    split = run_split(model)
    touched = np.union1d(np.flatnonzero(split.train.interactions.item_degree()), split.truth.item_index_P)
    split = replace(split, truth=replace(split.truth, candidates=touched))
    user_items = (split.train.interactions.user_item_matrix() > 0).astype(np.float32)
    als = AlternatingLeastSquares(random_state=model.config.seed, num_threads=1, **settings)
    with threadpool_limits(1, "blas"):
        als.fit(user_items, show_progress=False)
    extended = add_cold_items(als, split.train.catalogue.item_ids, of_items(model.embeddings(), touched))
    from_content = add_cold_items(als, split.train.catalogue.item_ids, of_items(model.embeddings("content"), touched))
    cold, full = build_pool(split, "cold"), build_pool(split, "full")
    users = np.arange(len(split.train.user_ids))
    query, served = model.queries(users), model.model_.served_ID
    halves = np.random.default_rng(0).permutation(full.users)
    judges, rest = np.sort(halves[::2]), np.sort(halves[1::2])
    chosen = largest_stretch(
        among(extended, touched), user_items[:, touched], rows(full.truth, judges)[:, touched], MOST_LOSS
    )
    is_new_I = split.train.interactions.item_degree() == 0
    warm_only = replace(full, items=full.items[~is_new_I[full.items]])
    lists = {
        "ALS alone": rank(als.user_factors, als.item_factors, warm_only, rest),
        "extended ALS": rank(als.user_factors, extended.model.item_factors, full, rest),
        "extended ALS, stretched as chosen": rank(
            als.user_factors, extended.stretched(chosen).model.item_factors, full, rest
        ),
        "graphrec": rank(query, served, full, rest),
    }
    return {
        "seed": model.config.seed,
        "warm": int((~is_new_I[full.items]).sum()),
        "new": len(cold.items),
        "users": len(cold.users),
        "users_full": len(rest),
        "explained": extended.explained,
        "stretch": chosen,
        "cold": {
            "ALS alone, in a random order": measured(rank(als.user_factors, in_random_order(als), cold), cold),
            "extended ALS, from content vectors": measured(
                rank(als.user_factors, from_content.model.item_factors, cold), cold
            ),
            "extended ALS": measured(rank(als.user_factors, extended.model.item_factors, cold), cold),
            "graphrec": measured(rank(query, served, cold), cold),
        },
        "difference": difference(
            rank(als.user_factors, extended.model.item_factors, cold), rank(query, served, cold), cold
        ),
        "full": {name: shares(one, full, rest, is_new_I) for name, one in lists.items()},
    }


def of_items(vectors: Embeddings, items: np.ndarray) -> Embeddings:
    return Embeddings(vectors.ids[items], vectors.vectors[items], vectors.degree[items], vectors.source[items])


def among(extended: ExtendedALS, items: np.ndarray) -> ExtendedALS:
    """The same over some of its items."""
    stretched = extended.stretched(1.0)
    stretched.model.item_factors = stretched.model.item_factors[items]
    return replace(stretched, item_ids=extended.item_ids[items], is_predicted_I=extended.is_predicted_I[items])


def in_random_order(als: AlternatingLeastSquares) -> np.ndarray:
    """Items without factors all score 0: one number each, the same for everybody, stands for a throw of dice."""
    noise = np.random.default_rng(0).random(als.item_factors.shape).astype(np.float32) * 1e-6
    return np.where(als.item_factors.any(axis=1)[:, None], als.item_factors, noise)


def rank(query_UD: np.ndarray, vectors_ID: np.ndarray, pool: Pool, users: np.ndarray | None = None) -> RankedLists:
    users = pool.users if users is None else users
    return rank_by_vectors(query_UD[users], vectors_ID, pool.items, pool.seen[users], K)


def rows(matrix_UI: sp.csr_matrix, users: np.ndarray) -> sp.csr_matrix:
    """The rows of some users; the others' are empty."""
    is_kept_U = np.zeros(matrix_UI.shape[0], dtype=np.float32)
    is_kept_U[users] = 1
    kept = sp.csr_matrix(sp.diags_array(is_kept_U) @ matrix_UI)
    kept.eliminate_zeros()
    return kept


def measured(lists: RankedLists, pool: Pool) -> dict[str, float]:
    found = hits(lists, pool.truth[pool.users])
    return {"recall@20": float(np.nanmean(recall(*found, K))), "ndcg@20": float(np.nanmean(ndcg(*found, K)))}


def difference(lists: RankedLists, reference: RankedLists, pool: Pool) -> dict[str, float]:
    """Of Recall@20, paired over users."""
    a_U, b_U = (recall(*hits(one, pool.truth[pool.users]), K) for one in (lists, reference))
    interval = paired_bootstrap(a_U, b_U, np.random.default_rng(0))
    return {name: float(getattr(interval, name)) for name in ("difference", "low", "high", "smallest_detectable")}


def shares(lists: RankedLists, full: Pool, users: np.ndarray, is_new_I: np.ndarray) -> dict[str, float]:
    """Recall of warm, of new and of all held-out pairs in the same lists, and the share of places for new items."""
    shown = lists.items_UK[lists.items_UK >= 0]
    parts = {"warm": ~is_new_I, "new": is_new_I, "all": np.ones(len(is_new_I), dtype=bool)}
    values = {
        name: float(np.nanmean(recall(*hits(lists, only(full.truth[users], one)), K))) for name, one in parts.items()
    }
    return {**values, "places": float(is_new_I[shown].mean())}


def only(truth: sp.csr_matrix, is_kept_I: np.ndarray) -> sp.csr_matrix:
    part = sp.csr_matrix(truth @ sp.diags_array(is_kept_I.astype(np.float32)))
    part.eliminate_zeros()
    return part.astype(bool)
