"""Warm recommendation on MovieLens-1M: every arm's quality and CPU time.

python experiments/010-warm-baselines/run.py --root DATA [--arms ease,lightgcn] writes metrics.json beside this file,
the tables in README.md here and one in the project's README.md; arms that are not named keep the result that they have.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.registry import BASELINES
from graphrec.data.dataset import Split
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.models import graph_model

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, told, write_metrics, write_table  # noqa: E402

PROJECT = HERE.parents[1]
DATASET = PROJECT / "configs" / "data" / "ml1m-posters.yaml"
KEPT = PROJECT / "runs" / "010-warm-baselines"
ARMS = ("popularity", "item-knn", "als", "ease", "ease-content", "lightgcn", "graph")
METRICS = ("recall@20", "ndcg@20")
SEED = 0


def fit(name: str, split: Split, config: GraphRecConfig) -> tuple[Arm, float]:
    """The arm, and the CPU seconds of its training alone: features are ready before."""
    if name == "graph":
        model = Recommender(config, device="cpu")
        begun = time.process_time()
        return model.fit(split.train, told), time.process_time() - begun
    is_warm_I = split.train.interactions.item_degree() > 0
    blocks = item_blocks(extract_features(split.train, is_warm_I, config.features, device="cpu"), is_warm_I)
    inputs = TrainingInput(split.train, blocks, config.model.tuning, SEED)
    begun = time.process_time()
    return BASELINES[name]().fit(inputs, told), time.process_time() - begun


def run_arm(name: str, split: Split, pool: Pool, config: GraphRecConfig) -> dict[str, Any]:
    arm, cpu_seconds = fit(name, split, config)
    lists = arm.rank(pool.users, pool.items, pool.seen[pool.users], 20)
    values = evaluate(lists, pool, pool.users, [20]).values
    KEPT.mkdir(parents=True, exist_ok=True)
    np.savez(KEPT / f"{name}.npz", users=pool.users, **{metric: values[metric] for metric in METRICS})
    result = {
        "metrics": {metric: float(np.nanmean(values[metric])) for metric in METRICS},
        "cpu_seconds": round(cpu_seconds, 1),
        "threads": torch.get_num_threads(),
        **searched(arm),
    }
    if isinstance(arm, Recommender):
        result["one_training_cpu_seconds"] = one_training(arm, split, config)
    print(name, json.dumps({key: value for key, value in result.items() if key != "trials"}), flush=True)
    return result


def one_training(model: Recommender, split: Split, config: GraphRecConfig) -> float:
    """CPU seconds of the same fit for somebody who knows its choices: everything after the search."""
    begun = time.process_time()
    with patch.object(graph_model, "_choose", return_value=model.model_.choices):
        graph_model.fit_graph_model(split.train, model.blocks, config.model, SEED)
    return round(time.process_time() - begun, 1)


def searched(arm: Any) -> dict[str, Any]:
    """What an arm tried, where it did; the last search is the one that the final settings come from."""
    searches = [getattr(arm, name) for name in ("warm_search_", "search_") if hasattr(arm, name)]
    if not searches:
        return {}
    trials = [trial for search in searches for trial in search.trials]
    return {
        "settings": searches[0].best.settings.model_dump(),
        "epochs": getattr(arm, "epochs_", None),
        "tries": len(trials),
        "one_training_cpu_seconds": round(searches[0].best.cpu_seconds, 1),
        "trials": [
            {**one.settings.model_dump(), "ndcg@20": one.score, "cpu_seconds": round(one.cpu_seconds, 2)}
            for one in searches[0].trials
        ],
    }


def differences(results: dict[str, Any]) -> dict[str, Any]:
    """graph - each other arm, paired over users, where both arms' per-user values are kept."""
    names = [name for name in results if name != "graph" and (KEPT / f"{name}.npz").exists()]
    if "graph" not in results or not (KEPT / "graph.npz").exists():
        return {}
    graph = np.load(KEPT / "graph.npz")
    found = {}
    for name in names:
        other = np.load(KEPT / f"{name}.npz")
        intervals = {m: paired_bootstrap(graph[m], other[m], np.random.default_rng(SEED)) for m in METRICS}
        found[name] = {m: {"difference": i.difference, "low": i.low, "high": i.high} for m, i in intervals.items()}
    return found


def results_table(metrics: dict[str, Any]) -> str:
    lines = [
        "| arm | Recall@20 | NDCG@20 | CPU s, all tries | CPU s, one training | tried | graph - arm, Recall@20 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in _by_recall(metrics["arms"]):
        gap = metrics["graph_minus"].get(name, {}).get("recall@20")
        cells = [f"{one['metrics'][metric]:.4f}" for metric in METRICS]
        cells += [f"{one['cpu_seconds']:.0f}", _number(one.get("one_training_cpu_seconds"))]
        cells += [_number(one.get("tries")), _interval(gap, one["metrics"]["recall@20"])]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    threads = sorted({one["threads"] for one in metrics["arms"].values()})
    about = (
        f"Pool: {metrics['pool']}; {metrics['coverage']}. Brackets: 95 % interval, paired over users; then the "
        f"difference as a share of the arm's value. {metrics['machine']}, torch threads: "
        f"{', '.join(map(str, threads))}, torch {metrics['torch']}."
    )
    return "\n".join([*lines, "", about])


def tries_table(metrics: dict[str, Any]) -> str:
    lines = ["| arm | chosen | NDCG@20 on masked pairs: start → best of all | epochs |", "|---|---|---|---|"]
    for name, one in _by_recall(metrics["arms"]):
        if "trials" not in one:
            continue
        scores = [trial["ndcg@20"] for trial in one["trials"]]
        chosen = ", ".join(f"{key} {value:g}" for key, value in one["settings"].items())
        lines.append(f"| {name} | {chosen} | {scores[0]:.4f} → {max(scores):.4f} | {_number(one['epochs'])} |")
    return "\n".join(lines)


def _by_recall(arms: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(arms.items(), key=lambda item: item[1]["metrics"]["recall@20"])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _interval(gap: dict[str, float] | None, of: float) -> str:
    if gap is None:
        return ""
    return f"{gap['difference']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}], {gap['difference'] / of:+.1%}"


def write_tables(metrics: dict[str, Any]) -> None:
    tables: dict[str, Callable[[dict[str, Any]], str]] = {"results": results_table, "tries": tries_table}
    for name, table in tables.items():
        write_table(HERE / "README.md", name, table(metrics))
    write_table(PROJECT / "README.md", "warm", results_table(metrics))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--arms", default=",".join(ARMS), help="names, separated by commas; none: the tables alone")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    kept = HERE / "metrics.json"
    metrics: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"arms": {}}
    names = [name for name in arguments.arms.split(",") if name]
    if names:
        split = Dataset.load(DATASET, arguments.root).split_warm_pairs(0.1, SEED)
        pool = build_pool(split, "warm")
        metrics |= {"pool": pool.description, "coverage": pool.coverage, **machine()}
        for name in names:
            result = run_arm(name, split, pool, GraphRecConfig(seed=SEED))
            metrics = (json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}) | {
                **{key: value for key, value in metrics.items() if key != "arms"},
            }  # another run may have kept an arm meanwhile
            metrics.setdefault("arms", {})[name] = result
            metrics["graph_minus"] = differences(metrics["arms"])
            write_metrics(HERE, metrics)
    write_tables(metrics)


if __name__ == "__main__":
    main()
