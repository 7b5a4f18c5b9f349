"""Per user: this package's ranking and metrics against other libraries' evaluators, on the same vectors in one run.

python experiments/009-evaluator-speed/run.py --root DATA writes metrics.json beside this file and the tables in
README.md. The libraries: pip install implicit ranx rectools torchmetrics pytrec-eval-terrier lenskit
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from graphrec.data.dataset import Dataset

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
from libraries import FROM_LISTS, METRICS, PACKAGES, SLOW, WHOLE, Task, graphrec_lists  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402

CONFIGS = HERE.parents[1] / "configs" / "data"
DIM, ROUNDS, HELD_OUT = 128, 5, 0.1


def task_of(dataset: Dataset) -> Task:
    """A tenth of each user's pairs held out; vectors by a singular value decomposition of the others."""
    pairs = dataset.interactions.user_item_matrix().tocoo()
    rng = np.random.default_rng(0)
    is_held_P = rng.random(pairs.nnz) < HELD_OUT
    seen, truth = (
        sp.csr_matrix((np.ones(rows.sum(), dtype=np.float32), (pairs.row[rows], pairs.col[rows])), pairs.shape)
        for rows in (~is_held_P, is_held_P)
    )
    users = np.flatnonzero((np.diff(seen.indptr) > 0) & (np.diff(truth.indptr) > 0))
    left_UD, value_D, right_DI = randomized_svd(seen, DIM, random_state=0)
    query_UD, vectors_ID = (left_UD * value_D)[users], right_DI.T
    return Task(
        *(np.ascontiguousarray(one, dtype=np.float32) for one in (query_UD, vectors_ID)), seen[users], truth[users]
    )


def timed(contestants: dict[str, Callable[[Task], dict[str, float]]], task: Task) -> dict[str, Any]:
    """Turn by turn, so that a noisy moment hits all; seconds of the processor, which a busy machine leaves alone."""
    seconds: dict[str, list[float]] = {}
    found: dict[str, dict[str, float]] = {}
    asked = {name: task.first(SLOW.get(name, len(task.query_UD))) for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, evaluate in contestants.items():
            if name in SLOW and turn > 1:
                continue
            try:
                start = time.process_time()
                found[name] = evaluate(asked[name])
                spent = time.process_time() - start
            except ImportError as error:
                print(f"{name}: left out, {error}", flush=True)
                continue
            if turn:  # the first turn compiles and warms up
                seconds.setdefault(name, []).append(1e6 * spent / len(asked[name].query_UD))
    ours = {size: contestants["graphrec"](task.first(size)) for size in {len(one.query_UD) for one in asked.values()}}
    return {
        name: {
            "microseconds_per_user": round(float(np.median(spent)), 2),
            "least": round(min(spent), 2),
            "users": len(asked[name].query_UD),
            "means": found[name],
            "differs_in": {
                metric: value - ours[len(asked[name].query_UD)][metric]
                for metric, value in found[name].items()
                if abs(value - ours[len(asked[name].query_UD)][metric]) > 1e-6
            },
        }
        for name, spent in seconds.items()
    }


def one_dataset(name: str, root: Path) -> dict[str, Any]:
    dataset = Dataset.load(CONFIGS / f"{name}.yaml", root)
    task = task_of(dataset)
    users, items = task.seen.shape
    print(f"{name}: {users} users, {items} items", flush=True)
    lists = {users: graphrec_lists(task)}
    for size in SLOW.values():
        lists[min(size, users)] = graphrec_lists(task.first(size))
    from_lists = {
        label: lambda part, evaluate=evaluate: evaluate(part, lists[len(part.query_UD)])
        for label, evaluate in FROM_LISTS.items()
    }
    return {
        "users": users,
        "items": items,
        "pairs": int(task.truth.nnz),
        "whole": timed(WHOLE, task),
        "from_lists": timed(from_lists, task),
    }


def table(metrics: dict[str, Any], part: str) -> str:
    lines = [
        "| " + " | ".join(["", *metrics["datasets"], "values that differ"]) + " |",
        "|---" * (2 + len(metrics["datasets"])) + "|",
    ]
    names = dict.fromkeys(name for one in metrics["datasets"].values() for name in one[part])
    for name in names:
        cells, differs = [], {}
        for one in metrics["datasets"].values():
            theirs, ours = one[part].get(name), one[part]["graphrec"]["microseconds_per_user"]
            if theirs is None:
                cells.append("")
                continue
            spent = theirs["microseconds_per_user"]
            cells.append(f"{spent:.1f}" if name == "graphrec" else f"{spent:.1f} ({spent / ours:.1f} ×)")
            differs |= theirs["differs_in"]
        said = ", ".join(f"{metric} ({value:+.4f})" for metric, value in differs.items()) or "none"
        missing = [metric for metric in METRICS if metric not in theirs["means"]]
        lines.append(f"| {name} | {' | '.join(cells)} | {said}{'; no ' + ', '.join(missing) if missing else ''} |")
    return "\n".join(lines)


def results(metrics: dict[str, Any]) -> str:
    sizes = "; ".join(
        f"{name}: {one['users']:,} users, {one['items']:,} items, {one['pairs']:,} held-out pairs"
        for name, one in metrics["datasets"].items()
    )
    fastest = {}
    for part in ("whole", "from_lists"):
        for name, one in metrics["datasets"].items():
            others = {key: value["microseconds_per_user"] for key, value in one[part].items() if key != "graphrec"}
            best = min(others, key=others.__getitem__)
            fastest[part, name] = f"{best}, {others[best] / one[part]['graphrec']['microseconds_per_user']:.2f} × ours"
    said = {
        part: "; ".join(f"{name}: {fastest[part, name]}" for name in metrics["datasets"])
        for part in ("whole", "from_lists")
    }
    packages = ", ".join(f"{name} {one}" for name, one in metrics["packages"].items())
    about = (
        f"{sizes}. Processor microseconds per user, one thread, median of {metrics['rounds']} turns; in brackets "
        f"how many times ours. {metrics['machine']}; {packages}, numpy {metrics['numpy']}."
    )
    return "\n\n".join([
        f"**From vectors to metrics** (fastest other: {said['whole']})", table(metrics, "whole"),
        f"**From ranked lists to metrics** (fastest other: {said['from_lists']})", table(metrics, "from_lists"), about,
    ])  # fmt: skip


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds ml1m-posters/ and hm-fashion/")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        datasets = {name: one_dataset(name, arguments.root) for name in ("ml1m-posters", "hm-fashion")}
        metrics = {"datasets": datasets, "rounds": ROUNDS, "packages": _versions(), **machine()}
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))


if __name__ == "__main__":
    main()
