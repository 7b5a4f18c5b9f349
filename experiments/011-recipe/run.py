"""Which parts of the recipe earn their place: one factor at a time from the default settings.

python experiments/011-recipe/run.py --root DATA [--dataset ml1m|hm|store] [--rows names or factors] [--seeds 0,1,2]
writes metrics.json after every row and the tables in README.md here. A row that is there with the same settings is not
run again, so a run may be killed and started anew, and several may share the rows between them.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec import GraphRecConfig
from graphrec.atomic_file import replacing
from graphrec.baselines.arm import TrainingInput
from graphrec.errors import GraphRecError
from graphrec.evaluation.intervals import paired_bootstraps
from graphrec.evaluation.metrics import ndcg, recall
from graphrec.evaluation.ranking import hits
from graphrec.locks import wait_for_lock

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tables  # noqa: E402
import variants  # noqa: E402
from reporting import machine, peak_memory_gb, write_table  # noqa: E402
from rows import ROWS, Row, chosen  # noqa: E402
from world import DATASETS, KEPT, PROJECT, World, world  # noqa: E402

METRICS_FILE = HERE / "metrics.json"
METRICS = ("recall@20", "ndcg@20", "recall@20 off", "ndcg@20 off")
_REFERENCES = {name for row in ROWS for name in row.against}
_CODE = ("models", "graph", "baselines", "features")


def main() -> None:
    arguments = _arguments()
    if not arguments.tables_only:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        for seed in map(int, arguments.seeds.split(",")):
            run_rows(arguments.dataset, arguments.root, seed, chosen(arguments.rows), arguments.budget_hours)
        compare(arguments.dataset)
    for name, table in tables.of(kept(), ROWS).items():
        write_table(HERE / "README.md", name, table)


def run_rows(dataset: str, root: Path | None, seed: int, rows: tuple[Row, ...], budget_hours: float) -> None:
    """Run what is not there yet; the rows that others are compared with come first."""
    needed = {name for row in rows for name in row.against} | {row.name for row in rows}
    todo = [row for row in ROWS if row.name in needed and not is_done(dataset, row, seed)]
    judged: World | None = None
    for number, row in enumerate(todo):
        spent = kept().get("cpu_seconds_spent", 0) / 3600
        if spent > budget_hours:
            raise SystemExit(f"Stopped before {row.name}: {spent:.2f} CPU-hours are spent, more than --budget-hours.")
        if is_done(dataset, row, seed):  # by another run, meanwhile
            continue
        judged = judged or world(dataset, root, seed)
        print(f"{dataset} seed {seed}, row {number + 1} of {len(todo)}: {row.name} …", flush=True)
        result = one_row(row, judged, seed, _values_file(dataset, row.name, seed))
        update(lambda metrics: _add(metrics, dataset, row.name, seed, result))  # noqa: B023 (called at once)
        compare(dataset)
        print(f"  {tables.one_line(result)}", flush=True)


def one_row(row: Row, judged: World, seed: int, values_file: Path) -> dict[str, Any]:
    """Fit, rank, measure. CPU and wall seconds are those of the fit; features are ready before."""
    config = GraphRecConfig.load(None, [f"seed={seed}", *row.settings])
    blocks = judged.blocks(config.features, row.blocks)
    inputs = TrainingInput(judged.train, blocks, config.model.tuning, seed)
    result: dict[str, Any] = {"fingerprint": fingerprint(row, seed), "code": _code(), "made": round(time.time(), 3)}
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        fitted = variants.fit(row.arm, row.variants, inputs, config.model, judged.pool)
    except GraphRecError as error:  # such as EASE on a large catalogue: said in the table, not left out
        return {**result, "refused": str(error), "cpu_seconds": round(time.process_time() - cpu, 1)}
    result |= {
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "peak_memory_gb": peak_memory_gb(),
        "pool": f"{judged.pool.description}; {judged.pool.coverage}",
        "choices": fitted.choices,
    }
    values = measured(fitted.rank, judged)
    values_file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(values_file) as path:
        np.savez(path, users=judged.pool.users, **values)
    return {**result, "metrics": {name: float(np.nanmean(value_U)) for name, value_U in values.items()}}


def measured(rank: Callable[[bool], Any], judged: World) -> dict[str, np.ndarray]:
    """Recall@20 and NDCG@20 per user, with popularity on and off."""
    truth, values = judged.pool.truth[judged.pool.users], {}
    for popularity, suffix in ((True, ""), (False, " off")):
        found = hits(rank(popularity), truth)
        values[f"recall@20{suffix}"] = recall(*found, variants.K)
        values[f"ndcg@20{suffix}"] = ndcg(*found, variants.K)
    return values


def compare(dataset: str) -> None:
    """Paired intervals of every row against its others, by seed and, where there are several, over all of them.

    Over seeds a user counts once, with the mean over the seeds in which the rows rank for them.
    """
    metrics = kept()
    by_row, there = metrics.get("runs", {}).get(dataset, {}), metrics.get("intervals", {}).get(dataset, {})
    new = {}
    for pair in ((row.name, other) for row in ROWS for other in row.against):
        one, other = ({seed for seed, fit in by_row.get(name, {}).items() if "metrics" in fit} for name in pair)
        common = sorted(one & other, key=int)
        for seeds in [[seed] for seed in common] + ([common] if len(common) > 1 else []):
            files = [[_values_file(dataset, name, seed) for seed in seeds] for name in pair]
            if not all(path.exists() for paths in files for path in paths):
                continue  # they are on the machine that made them
            key = f"{pair[0]} - {pair[1]} @ {','.join(seeds)}"
            made_of = [by_row[name][seed]["made"] for name in pair for seed in seeds]
            if there.get(key, {}).get("made_of") != made_of:
                new[key] = {"made_of": made_of, **_intervals(*([_loaded(path) for path in paths] for paths in files))}
    if new:
        update(lambda metrics: metrics.setdefault("intervals", {}).setdefault(dataset, {}).update(new))


def _intervals(a: list[dict[str, np.ndarray]], b: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    users = np.unique(np.concatenate([one["users"] for one in a]))
    pairs = []
    for metric in METRICS:
        sums = np.zeros((2, len(users)))
        counts = np.zeros(len(users))
        for one, two in zip(a, b, strict=True):
            place = np.searchsorted(users, one["users"])
            counts[place] += 1
            sums[:, place] += [one[metric], two[metric]]
        pairs.append(tuple(sums / counts))
    found = paired_bootstraps(pairs, np.random.default_rng(0))
    return {metric: vars(interval) for metric, interval in zip(METRICS, found, strict=True)}


def is_done(dataset: str, row: Row, seed: int) -> bool:
    """Whether the row is there, made with these settings, and its users' values where other rows need them."""
    one = kept().get("runs", {}).get(dataset, {}).get(row.name, {}).get(str(seed), {})
    has_values = "refused" in one or row.name not in _REFERENCES or _values_file(dataset, row.name, seed).exists()
    return one.get("fingerprint") == fingerprint(row, seed) and has_values


def fingerprint(row: Row, seed: int) -> str:
    """Of the row and of all settings that it is run with, defaults included."""
    config = GraphRecConfig.load(None, [f"seed={seed}", *row.settings])
    return _short_digest([row.what(), config.model_dump(mode="json")])


def _code() -> str:
    """Of the sources that decide a result: rows made with different ones are told apart in the table."""
    sources = sorted(path for name in _CODE for path in (PROJECT / "graphrec" / name).rglob("*.py"))
    return _short_digest([path.read_text(encoding="utf-8") for path in sources])


def kept() -> dict[str, Any]:
    return json.loads(METRICS_FILE.read_text(encoding="utf-8")) if METRICS_FILE.exists() else {}


def update(change: Callable[[dict[str, Any]], Any]) -> None:
    """Read, change and replace metrics.json in one piece, also where another run does the same."""
    lock = wait_for_lock(HERE)
    metrics = kept() | machine()
    change(metrics)
    with replacing(METRICS_FILE) as path:
        path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    if lock is not None:
        os.close(lock)


def _add(metrics: dict[str, Any], dataset: str, name: str, seed: int, result: dict[str, Any]) -> None:
    metrics["cpu_seconds_spent"] = round(metrics.get("cpu_seconds_spent", 0) + result["cpu_seconds"], 1)
    metrics.setdefault("runs", {}).setdefault(dataset, {}).setdefault(name, {})[str(seed)] = result


def _values_file(dataset: str, name: str, seed: int | str) -> Path:
    return KEPT / dataset / f"{name}-{seed}.npz"


def _loaded(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as values:
        return dict(values)


def _short_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/, hm-fashion/ and vectors/")
    parser.add_argument("--dataset", choices=DATASETS, default="ml1m")
    parser.add_argument("--rows", default="", help="names of rows or factors, separated by commas; default: all")
    parser.add_argument("--seeds", default="0", help="separated by commas; every seed masks other items")
    parser.add_argument("--budget-hours", type=float, default=6.0, help="CPU-hours after which no row is begun")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if not arguments.tables_only and arguments.dataset != "store" and arguments.root is None:
        parser.error("--root is needed for this dataset")
    return arguments


if __name__ == "__main__":
    main()
