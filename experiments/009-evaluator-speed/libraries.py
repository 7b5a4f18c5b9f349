"""Other libraries' evaluators on the same vectors, lists and held-out pairs; one that is not installed is left out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.evaluation.findings import Findings
from graphrec.evaluation.protocol import LeftOut, Pool
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors

K = 20
METRICS = ("recall", "ndcg", "precision", "map")
Means = dict[str, float]


@dataclass(frozen=True)
class Task:
    """Vectors of users and items, what users have seen, and what they were held out to find."""

    query_UD: np.ndarray
    vectors_ID: np.ndarray
    seen: sp.csr_matrix
    truth: sp.csr_matrix

    @property
    def pool(self) -> Pool:
        users, items = (np.arange(size) for size in self.seen.shape)
        return Pool("full", items, "", self.truth.astype(bool), self.seen, users, LeftOut(0, 0, 0, 0))

    def relevant(self, user: int) -> np.ndarray:
        return self.truth.indices[self.truth.indptr[user] : self.truth.indptr[user + 1]]

    def first(self, users: int) -> "Task":
        return Task(self.query_UD[:users], self.vectors_ID, self.seen[:users], self.truth[:users])


def graphrec_lists(task: Task) -> RankedLists:
    return rank_by_vectors(task.query_UD, task.vectors_ID, task.pool.items, task.seen, K)


def graphrec_metrics(task: Task, lists: RankedLists) -> Means:
    pool = task.pool
    values = Findings.of(lists, pool, pool.users).per_user(METRICS, [K])
    return {name: float(np.mean(values[f"{name}@{K}"])) for name in METRICS}


def graphrec_whole(task: Task) -> Means:
    return graphrec_metrics(task, graphrec_lists(task))


def implicit_model(task: Task) -> object:
    from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase

    class Given(MatrixFactorizationBase):
        def fit(self, *_: object) -> None: ...
        def save(self, *_: object) -> None: ...
        def recalculate_user(self, *_: object) -> None: ...
        def recalculate_item(self, *_: object) -> None: ...

    model = Given()
    model.user_factors, model.item_factors, model.num_threads = task.query_UD, task.vectors_ID, 1
    return model


def implicit_whole(task: Task) -> Means:
    from implicit.evaluation import ranking_metrics_at_k

    found = ranking_metrics_at_k(implicit_model(task), task.seen, task.truth, K=K, show_progress=False, num_threads=1)
    return {name: float(found[name]) for name in ("ndcg", "precision", "map")}


def implicit_lists(task: Task) -> RankedLists:
    items_UK, scores_UK = implicit_model(task).recommend(np.arange(len(task.query_UD)), task.seen, N=K)
    return RankedLists(items_UK.astype(np.int64), scores_UK)


def faiss_lists(task: Task) -> RankedLists:
    """Exact search for as many items as may have been seen besides, and the first K that were not."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(task.vectors_ID.shape[1])
    index.add(task.vectors_ID)
    depth = min(K + int(np.diff(task.seen.indptr).max()), len(task.vectors_ID))
    scores_UM, items_UM = index.search(task.query_UD, depth)
    num_items = task.seen.shape[1]
    key_UM = np.arange(len(items_UM))[:, None] * num_items + items_UM
    seen_key_N = np.repeat(np.arange(len(items_UM)), np.diff(task.seen.indptr)) * num_items + task.seen.indices
    place_UM = np.searchsorted(seen_key_N, key_UM)
    is_new_UM = np.append(seen_key_N, -1)[place_UM] != key_UM
    order_UK = np.argsort(~is_new_UM, axis=1, kind="stable")[:, :K]
    return RankedLists(np.take_along_axis(items_UM, order_UK, 1), np.take_along_axis(scores_UM, order_UK, 1))


def ranx_metrics(task: Task, lists: RankedLists) -> Means:
    """On arrays, its fastest way in; the shorter truths are filled with an item of relevance 0."""
    import ranx

    num_relevant_U = np.diff(task.truth.indptr)
    is_there_UR = np.arange(num_relevant_U.max()) < num_relevant_U[:, None]
    qrels_UR2 = np.zeros((*is_there_UR.shape, 2))
    qrels_UR2[..., 0] = -1
    qrels_UR2[is_there_UR, 0] = task.truth.indices
    qrels_UR2[is_there_UR, 1] = 1
    run_UK2 = np.stack([lists.items_UK.astype(np.float64), lists.scores_UK.astype(np.float64)], axis=2)
    found = ranx.evaluate(qrels_UR2, run_UK2, [f"{name}@{K}" for name in METRICS], threads=1)
    return {name: float(found[f"{name}@{K}"]) for name in METRICS}


def pytrec_metrics(task: Task, lists: RankedLists) -> Means:
    import pytrec_eval

    users = range(len(lists))
    qrels = {str(user): {str(item): 1 for item in task.relevant(user)} for user in users}
    run = {
        str(user): {str(item): float(score) for item, score in zip(items, scores, strict=True)}
        for user, items, scores in zip(users, lists.items_UK, lists.scores_UK, strict=True)
    }
    asked = {f"recall.{K}", f"ndcg_cut.{K}", f"P.{K}", f"map_cut.{K}"}
    found = pytrec_eval.RelevanceEvaluator(qrels, asked).evaluate(run).values()
    names = {"recall": f"recall_{K}", "ndcg": f"ndcg_cut_{K}", "precision": f"P_{K}", "map": f"map_cut_{K}"}
    return {name: float(np.mean([one[theirs] for one in found])) for name, theirs in names.items()}


def rectools_metrics(task: Task, lists: RankedLists) -> Means:
    import pandas as pd
    from rectools import Columns
    from rectools.metrics import MAP, NDCG, Precision, Recall, calc_metrics

    users, pairs = len(lists), task.truth.tocoo()
    shown = {
        Columns.User: np.repeat(np.arange(users), K),
        Columns.Item: lists.items_UK.ravel(),
        Columns.Rank: np.tile(np.arange(1, K + 1), users),
    }
    asked = {
        "recall": Recall(K), "ndcg": NDCG(K, divide_by_achievable=True), "precision": Precision(K), "map": MAP(K)
    }  # fmt: skip
    found = calc_metrics(asked, pd.DataFrame(shown), pd.DataFrame({Columns.User: pairs.row, Columns.Item: pairs.col}))
    return {name: float(found[name]) for name in METRICS}


def lenskit_metrics(task: Task, lists: RankedLists) -> Means:
    from lenskit.data import ItemList, ItemListCollection, UserIDKey
    from lenskit.metrics import NDCG, Precision, Recall, RunAnalysis

    users = range(len(lists))
    shown = {user: ItemList(item_ids=lists.items_UK[user], ordered=True) for user in users}
    relevant = {user: ItemList(item_ids=task.relevant(user)) for user in users}
    analysis = RunAnalysis()
    for metric in (Recall(K), NDCG(K), Precision(K)):
        analysis.add_metric(metric)
    collections = (ItemListCollection.from_dict(one, key=UserIDKey) for one in (shown, relevant))
    means = analysis.measure(*collections).list_summary()["mean"]
    return {name: float(means[f"{theirs}@{K}"]) for name, theirs in
            (("recall", "Recall"), ("ndcg", "NDCG"), ("precision", "Precision"))}  # fmt: skip


def torchmetrics_whole(task: Task) -> Means:
    """Takes every score of every user: the product and the exclusion are torch's own."""
    import torch
    from torchmetrics.retrieval import RetrievalMAP, RetrievalNormalizedDCG, RetrievalPrecision, RetrievalRecall

    torch.set_num_threads(1)
    score_UI = torch.from_numpy(task.query_UD) @ torch.from_numpy(task.vectors_ID).T
    score_UI[torch.from_numpy(task.seen.toarray() > 0)] = -1e30
    target_UI = torch.from_numpy(task.truth.toarray() > 0)
    user_UI = torch.arange(len(score_UI))[:, None].expand_as(score_UI)
    found = {}
    for name, make in (
        ("recall", RetrievalRecall), ("ndcg", RetrievalNormalizedDCG),
        ("precision", RetrievalPrecision), ("map", RetrievalMAP),
    ):  # fmt: skip
        metric = make(top_k=K)
        metric.update(score_UI.flatten(), target_UI.flatten(), indexes=user_UI.flatten())
        found[name] = float(metric.compute())
    return found


WHOLE: dict[str, Callable[[Task], Means]] = {
    "graphrec": graphrec_whole,
    "implicit: ranking_metrics_at_k": implicit_whole,
    "implicit's top-k + ranx": lambda task: ranx_metrics(task, implicit_lists(task)),
    "implicit's top-k + RecTools": lambda task: rectools_metrics(task, implicit_lists(task)),
    "FAISS, seen filtered after + ranx": lambda task: ranx_metrics(task, faiss_lists(task)),
    "torchmetrics": torchmetrics_whole,
}
"""From vectors to the means of the metrics."""

FROM_LISTS: dict[str, Callable[[Task, RankedLists], Means]] = {
    "graphrec": graphrec_metrics,
    "ranx, on arrays": ranx_metrics,
    "RecTools": rectools_metrics,
    "pytrec_eval": pytrec_metrics,
    "LensKit": lenskit_metrics,
}
"""From ranked lists to the means of the metrics."""

SLOW = {"torchmetrics": 300, "LensKit": 1500}
"""Asked about the first so many users only; what they take is divided by as many."""
PACKAGES = ("implicit", "ranx", "rectools", "faiss-cpu", "torchmetrics", "pytrec-eval-terrier", "lenskit")
