"""HNSW as one graph over all vectors, and in shells of like norm."""

import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import IndexConfig, ItemIndex

K, JUDGED = 100, 200
WAYS = {"one graph": False, "shells": True}


def graphs(folder: Path) -> dict[str, Any]:
    """Over the vectors of a run that somebody trained, asked with its users' queries."""
    model = Recommender.load(folder, device="cpu")
    vectors_ID = np.array(model.index_.vectors_ID)
    with_history = np.flatnonzero(np.diff(model.seen.indptr))
    users = np.random.default_rng(0).choice(with_history, min(JUDGED, len(with_history)), replace=False)
    query_UW = model.live.state.queries(users)
    _, exact_UK = faiss.knn(query_UW, vectors_ID, K, metric=faiss.METRIC_INNER_PRODUCT)
    norms = np.quantile(np.linalg.norm(vectors_ID, axis=1), [0, 0.5, 0.99, 1])
    return {
        "items": len(vectors_ID),
        "dimension": vectors_ID.shape[1],
        "norms": [round(float(one), 1) for one in norms],
        **{name: one_way(vectors_ID, query_UW, exact_UK, merge_equal) for name, merge_equal in WAYS.items()},
    }


def one_way(vectors_ID: np.ndarray, query_UW: np.ndarray, exact_UK: np.ndarray, merge_equal: bool) -> dict[str, Any]:
    """Seconds and milliseconds are of the processor, one thread."""
    started = time.thread_time()
    index = ItemIndex.build(vectors_ID, IndexConfig(factory="HNSW32,Flat"), merge_equal)
    built, started = time.thread_time() - started, time.thread_time()
    lists = [index.faiss_index.search(query_UW[row : row + 1], K) for row in range(len(query_UW))]
    spent = 1e3 * (time.thread_time() - started) / len(query_UW)
    rows = [one[1][0] if index.distinct is None else index.distinct.expand(*one)[1][0] for one in lists]
    recall = {}
    for cut in (20, K):
        shared = [len(np.intersect1d(a[:cut], b[:cut])) for a, b in zip(rows, exact_UK, strict=True)]
        recall[str(cut)] = round(float(np.mean(shared)) / cut, 4)
    return {"seconds_to_build": round(built, 1), "milliseconds": round(spent, 2), "recall": recall}


def graphs_table(metrics: dict[str, Any]) -> str:
    """One row for each run and way."""
    lines = [
        "| vectors | items × numbers | norms: least, median, 99 %, most | HNSW | recall@20 | recall@100 | ms a query "
        "| s to build |",
        "|---" * 8 + "|",
    ]
    for name, one in metrics["graphs"].items():
        for way in WAYS:
            figures, norms = one[way], ", ".join(map(str, one["norms"]))
            cells = [name, f"{one['items']:,} × {one['dimension']}", norms, way]
            cells += [f"{value:.3f}" for value in figures["recall"].values()]
            lines.append(f"| {' | '.join([*cells, str(figures['milliseconds']), str(figures['seconds_to_build'])])} |")
    return "\n".join(lines)
