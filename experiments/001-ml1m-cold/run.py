"""All arms on the cold items of MovieLens-1M, three seeds.

python experiments/001-ml1m-cold/run.py --root DATA writes metrics.json beside this file, the tables in README.md here
and the table in the project's README.md.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.comparison import compare_with

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, peak_memory_gb, write_metrics, write_table  # noqa: E402

PROJECT = HERE.parents[1]
DATASET = PROJECT / "configs" / "data" / "ml1m-posters.yaml"
SEEDS = (0, 1, 2)


def one_seed(dataset: Dataset, seed: int) -> dict[str, Any]:
    split = dataset.fixed_split("valid")
    start = time.perf_counter()
    model = Recommender(GraphRecConfig(seed=seed), device="cpu").fit(split.train)
    trained = time.perf_counter()
    comparison = compare_with(model, split, pool="cold").to_json()
    choices = model.model_.choices
    return {
        "seed": seed,
        "train_seconds": round(trained - start, 1),
        "eval_seconds": round(time.perf_counter() - trained, 1),
        "choices": choices.model_dump(mode="json"),
        "pool": comparison["pools"][0],
    }


def arms_table(runs: list[dict[str, Any]]) -> str:
    names = [arm["arm"] for arm in runs[0]["pool"]["arms"]]
    lines = [
        "| arm | Recall@20 | NDCG@20 | Precision@20 | Recall@20, popularity off | NDCG@20, popularity off |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        arms = [next(arm for arm in run["pool"]["arms"] if arm["arm"] == name) for run in runs]
        cells = [_spread([arm["metrics"][m] for arm in arms]) for m in ("recall@20", "ndcg@20", "precision@20")]
        off = [arm["metrics_without_popularity"] for arm in arms]
        cells += [_spread([one[m] for one in off]) if off[0] else "" for m in ("recall@20", "ndcg@20")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def differences_table(runs: list[dict[str, Any]]) -> str:
    lines = [
        "| graph - content | popularity | seed | difference | 95 % interval | smallest detectable | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in ("recall@20", "ndcg@20"):
        for popularity in (True, False):
            for run in runs:
                one = next(
                    d for d in run["pool"]["differences"] if d["metric"] == metric and d["popularity"] == popularity
                )
                interval = one["interval"]
                lines.append(
                    f"| {metric} | {'on' if popularity else 'off'} | {run['seed']} | {interval['difference']:+.4f} "
                    f"| {interval['low']:+.4f} … {interval['high']:+.4f} | {interval['smallest_detectable']:.4f} "
                    f"| {one['verdict']} |"
                )
    return "\n".join(lines)


def results(metrics: dict[str, Any]) -> str:
    runs = metrics["runs"]
    seconds = [f"{run['train_seconds']:.0f} + {run['eval_seconds']:.0f}" for run in runs]
    about = (
        f"Pool: {runs[0]['pool']['description']}; {runs[0]['pool']['coverage']}. Mean (standard deviation) over "
        f"{len(runs)} seeds. Seconds to train + to fit and evaluate the other arms, by seed: {', '.join(seconds)}; "
        f"peak memory {metrics['peak_memory_gb']} GB; {metrics['machine']}, torch {metrics['torch']}."
    )
    return "\n\n".join([arms_table(runs), about, differences_table(runs)])


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ({np.std(values):.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        import json

        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        dataset = Dataset.load(DATASET, arguments.root)
        runs = [one_seed(dataset, seed) for seed in SEEDS]
        metrics = {"runs": runs, "peak_memory_gb": peak_memory_gb(), **machine()}
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))
    write_table(PROJECT / "README.md", "ml1m", results(metrics).split("\n\n| graph")[0])


if __name__ == "__main__":
    main()
