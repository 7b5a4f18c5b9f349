"""All arms on the new articles of H&M, with all modalities and with single ones.

python experiments/007-hm-cold/run.py --root DATA writes metrics.json beside this file and the tables in README.md here.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.content import Content, ContentUntrained
from graphrec.baselines.popularity import Popularity
from graphrec.baselines.random import Random
from graphrec.evaluation.evaluation import evaluate
from graphrec.evaluation.intervals import paired_bootstrap, verdict
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.features.extract import FeaturesConfig

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, peak_memory_gb, write_metrics, write_table  # noqa: E402

DATASET = HERE.parents[1] / "configs" / "data" / "hm-fashion.yaml"
EVERYTHING = "all"
FEATURES: dict[str, tuple[str, ...] | None] = {
    EVERYTHING: None,
    "image": ("image",),
    "text": ("text",),
    "words": ("words",),
    "attributes": ("attributes",),
    "image + text": ("image", "text"),
}
METRICS = ("recall@20", "ndcg@20")
PERSONAL = ("content", "graph")
BAR = {"recall@20": 0.083, "ndcg@20": 0.059}
"""Simple closed forms on the same pool and users."""


def one_row(dataset: Dataset, features: str, seed: int) -> dict[str, Any]:
    """One set of modalities, one seed: every arm's metrics with intervals, and graph - content."""
    split = dataset.fixed_split("valid")
    pool = build_pool(split, "cold")
    config = GraphRecConfig(seed=seed, features=FeaturesConfig(use=FEATURES[features]))
    start = time.perf_counter()
    model = Recommender(config, device="cpu").fit(split.train)
    trained = time.perf_counter()
    inputs = TrainingInput(model.train_, model.blocks, config.model.tuning, seed)
    arms: dict[str, Arm] = {
        "content-untrained": ContentUntrained().fit(inputs),
        "content": Content().fit(inputs),
        "graph": model,
    }
    if features == EVERYTHING:
        arms = {"random": Random().fit(inputs), "popularity": Popularity().fit(inputs), **arms}
    values = {name: per_user(arm, pool, True) for name, arm in arms.items()}
    off = {name: per_user(arms[name], pool, False) for name in PERSONAL}
    print(f"{features}, seed {seed}: trained in {trained - start:.0f} s", flush=True)
    return {
        "features": features,
        "seed": seed,
        "pool": {"items": len(pool.items), "users": len(pool.users), "pairs": int(pool.truth[pool.users].nnz)},
        "train_seconds": round(trained - start, 1),
        "choices": model.model_.choices.model_dump(mode="json"),
        "arms": {name: means(value, seed) for name, value in values.items()},
        "arms_popularity_off": {name: means(value, seed) for name, value in off.items()},
        "graph_minus_content": {
            "popularity on": difference(values["graph"], values["content"], seed),
            "popularity off": difference(off["graph"], off["content"], seed),
        },
    }


def per_user(arm: Arm, pool: Pool, popularity: bool) -> dict[str, np.ndarray]:
    lists = arm.rank(pool.users, pool.items, pool.seen[pool.users], 20, popularity)
    values = evaluate(lists, pool, pool.users, [20]).values
    return {metric: values[metric] for metric in METRICS}


def means(values: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    return difference(values, {metric: np.zeros_like(value_U) for metric, value_U in values.items()}, seed)


def difference(a: dict[str, np.ndarray], b: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    intervals = {metric: paired_bootstrap(a[metric], b[metric], np.random.default_rng(seed)) for metric in METRICS}
    return {metric: {**vars(one), "verdict": verdict(one)} for metric, one in intervals.items()}


def results(metrics: dict[str, Any]) -> str:
    runs = metrics["runs"]
    whole = [run for run in runs if run["features"] == EVERYTHING]
    pool = runs[0]["pool"]
    seconds = ", ".join(f"{run['train_seconds']:.0f}" for run in whole)
    seeds = [str(run["seed"]) for run in whole]
    which = f"one seed ({seeds[0]})" if len(seeds) == 1 else f"mean over seeds {', '.join(seeds)}"
    about = (
        f"Pool: {pool['items']:,} new articles; {pool['users']:,} known users, {pool['pairs']:,} pairs. In brackets "
        f"the 95 % interval over users (of the first seed). All modalities: {which}; single ones: seed "
        f"{runs[0]['seed']}. Seconds to train the graph arm on all modalities, by seed: {seconds}; peak memory "
        f"{metrics['peak_memory_gb']} GB; {metrics['machine']}, torch {metrics['torch']}."
    )
    return "\n\n".join([arms_table(whole), about, differences_table(whole), modalities_table(runs), bar(whole)])


def arms_table(runs: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| arm, all modalities | Recall@20 | NDCG@20 | Recall@20, popularity off | NDCG@20, popularity off |",
        "|---|---|---|---|---|",
    ]
    for name in runs[0]["arms"]:
        on = [cell([run["arms"][name] for run in runs], metric) for metric in METRICS]
        has_off = name in runs[0]["arms_popularity_off"]
        off = [
            cell([run["arms_popularity_off"][name] for run in runs], metric) if has_off else "" for metric in METRICS
        ]
        lines.append(f"| {name} | " + " | ".join([*on, *off]) + " |")
    return "\n".join(lines)


def cell(arms: Sequence[dict[str, Any]], metric: str) -> str:
    mean = np.mean([arm[metric]["difference"] for arm in arms])
    return f"{mean:.4f} [{arms[0][metric]['low']:.3f}, {arms[0][metric]['high']:.3f}]"


def differences_table(runs: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| graph - content | popularity | seed | difference | 95 % interval | smallest detectable | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in METRICS:
        for popularity in ("popularity on", "popularity off"):
            for run in runs:
                one = run["graph_minus_content"][popularity][metric]
                lines.append(
                    f"| {metric} | {popularity.removeprefix('popularity ')} | {run['seed']} | {one['difference']:+.4f} "
                    f"| {one['low']:+.4f} … {one['high']:+.4f} | {one['smallest_detectable']:.4f} | {one['verdict']} |"
                )
    return "\n".join(lines)


def modalities_table(runs: Sequence[dict[str, Any]]) -> str:
    names = ("content-untrained", "content", "graph")
    first = [run for run in runs if run["seed"] == runs[0]["seed"]]
    lines = [
        "| Recall@20 / NDCG@20 | " + " | ".join(names) + " | graph - content, Recall@20 |",
        "|---" * (len(names) + 2) + "|",
    ]
    for run in first:
        cells = [
            " / ".join(f"{run['arms'][name][metric]['difference']:.4f}" for metric in METRICS)
            + f" [{run['arms'][name]['recall@20']['low']:.3f}, {run['arms'][name]['recall@20']['high']:.3f}]"
            for name in names
        ]
        one = run["graph_minus_content"]["popularity on"]["recall@20"]
        lift = f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}] {one['verdict']}"
        lines.append(f"| {run['features']} | " + " | ".join(cells) + f" | {lift} |")
    return "\n".join(lines)


def bar(runs: Sequence[dict[str, Any]]) -> str:
    """Whether each trained arm stands below the bar by more than its own interval."""
    lines = [
        "| arm | metric | bar | mean | half interval | below by more than the interval |",
        "|---|---|---|---|---|---|",
    ]
    for name in PERSONAL:
        for metric, wanted in BAR.items():
            mean = np.mean([run["arms"][name][metric]["difference"] for run in runs])
            half = (runs[0]["arms"][name][metric]["high"] - runs[0]["arms"][name][metric]["low"]) / 2
            below = "yes" if mean < wanted - half else "no"
            lines.append(f"| {name} | {metric} | {wanted} | {mean:.4f} | {half:.4f} | {below} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds hm-fashion/ and vectors/")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for the rows with all modalities")
    parser.add_argument("--resume", action="store_true", help="rows that metrics.json holds are not run again")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        dataset = Dataset.load(DATASET, arguments.root)
        jobs = [(features, 0) for features in FEATURES]
        jobs += [(EVERYTHING, seed) for seed in range(1, arguments.seeds)]
        kept = HERE / "metrics.json"
        runs: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))["runs"] if arguments.resume else []
        done = {(run["features"], run["seed"]) for run in runs}
        for features, seed in [job for job in jobs if job not in done]:
            runs.append(one_row(dataset, features, seed))
            metrics = {"runs": runs, "peak_memory_gb": peak_memory_gb(), **machine()}
            write_metrics(HERE, metrics)  # after each: what is done is not lost when a later one is stopped
    write_table(HERE / "README.md", "results", results(metrics))


if __name__ == "__main__":
    main()
