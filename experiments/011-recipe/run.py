"""Which parts of the recipe earn their place: one factor at a time from the default settings.

python experiments/011-recipe/run.py --root DATA [--dataset ml1m|hm|store] [--rows names or factors] [--seeds 0,1,2]
writes metrics.json after every row and the tables in README.md here. A row that is there with the same settings is not
run again, so a run may be killed and started anew, and several may share the rows between them.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from graphrec import GraphRecConfig
from graphrec.baselines.arm import TrainingInput
from graphrec.errors import GraphRecError

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tables  # noqa: E402
import variants  # noqa: E402
from reporting import peak_memory_gb, write_table  # noqa: E402
from resumable import Kept, code_digest, digest, means, measured  # noqa: E402
from rows import ROWS, Row, chosen  # noqa: E402
from world import DATASETS, World, world  # noqa: E402

KEPT = Kept(HERE)
_REFERENCES = {name for row in ROWS for name in row.against}


def main() -> None:
    arguments = _arguments()
    if not arguments.tables_only:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        for seed in map(int, arguments.seeds.split(",")):
            run_rows(arguments.dataset, arguments.root, seed, chosen(arguments.rows), arguments.budget_hours)
        compare(arguments.dataset)
    for name, table in tables.of(KEPT.load(), ROWS).items():
        write_table(HERE / "README.md", name, table)


def run_rows(dataset: str, root: Path | None, seed: int, rows: tuple[Row, ...], budget_hours: float) -> None:
    """Run what is not there yet, and the rows that it is compared with, in the grid's order."""
    needed = {name for row in rows for name in row.against} | {row.name for row in rows}
    todo = [row for row in ROWS if row.name in needed and not is_done(dataset, row, seed)]
    judged: World | None = None
    for number, row in enumerate(todo):
        spent = KEPT.load().get("cpu_seconds_spent", 0) / 3600
        if spent > budget_hours:
            raise SystemExit(f"Stopped before {row.name}: {spent:.2f} CPU-hours are spent, more than --budget-hours.")
        with KEPT.claimed(_values(dataset, row.name, seed)) as is_mine:
            if not is_mine or is_done(dataset, row, seed):  # another run is at it, or has done it meanwhile
                continue
            judged = judged or world(dataset, root, seed)
            print(f"{dataset} seed {seed}, row {number + 1} of {len(todo)}: {row.name} …", flush=True)
            run_row(row, judged, dataset, seed)
            compare(dataset)


def run_row(row: Row, judged: World, dataset: str, seed: int) -> None:
    """Fit, rank, measure, keep. CPU and wall seconds are those of the fit; features are ready before."""
    config = GraphRecConfig.load(None, [f"seed={seed}", *row.settings])
    inputs = TrainingInput(judged.train, judged.blocks(config.features, row.blocks), config.model.tuning, seed)
    result: dict[str, Any] = {"fingerprint": fingerprint(row, seed), "code": code_digest(), "made": round(time.time())}
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        fitted = variants.fit(row.arm, row.variants, inputs, config.model, judged.pool)
    except GraphRecError as error:  # such as EASE on a large catalogue: said in the table, not left out
        fitted, result["refused"] = None, str(error)
    result["cpu_seconds"] = round(time.process_time() - cpu, 1)
    result["wall_seconds"] = round(time.perf_counter() - wall, 1)
    if fitted is not None:
        pool = judged.pool
        values = measured(fitted.rank, pool, pool.users)
        KEPT.keep_values(_values(dataset, row.name, seed), pool.users, values)
        result |= {
            "metrics": means(values),
            "choices": fitted.choices,
            "pool": f"{pool.description}; {pool.coverage}",
            "peak_memory_gb": peak_memory_gb(),
        }
    KEPT.update(lambda metrics: _add(metrics, dataset, row.name, seed, result))
    print(f"  {tables.one_line(result)}", flush=True)


def compare(dataset: str) -> None:
    """Paired intervals of every row against its others, by seed and, where there are several, over all of them."""
    metrics = KEPT.load()
    by_row, there = metrics.get("runs", {}).get(dataset, {}), metrics.get("intervals", {}).get(dataset, {})
    new = {}
    for pair in ((row.name, other) for row in ROWS for other in row.against):
        one, other = ({seed for seed, fit in by_row.get(name, {}).items() if "metrics" in fit} for name in pair)
        common = sorted(one & other, key=int)
        for seeds in [[seed] for seed in common] + ([common] if len(common) > 1 else []):
            values = [[_values(dataset, name, seed) for seed in seeds] for name in pair]
            key = f"{pair[0]} - {pair[1]} @ {','.join(seeds)}"
            made_of = [by_row[name][seed]["made"] for name in pair for seed in seeds]
            if there.get(key, {}).get("made_of") != made_of and KEPT.have_values([*values[0], *values[1]]):
                new[key] = {"made_of": made_of, **KEPT.paired(*values)}
    if new:
        KEPT.update(lambda metrics: metrics.setdefault("intervals", {}).setdefault(dataset, {}).update(new))


def is_done(dataset: str, row: Row, seed: int) -> bool:
    """Whether the row is there, made with these settings, and its users' values where other rows need them."""
    one = KEPT.load().get("runs", {}).get(dataset, {}).get(row.name, {}).get(str(seed), {})
    has_values = "refused" in one or row.name not in _REFERENCES or KEPT.have_values([_values(dataset, row.name, seed)])
    return one.get("fingerprint") == fingerprint(row, seed) and has_values


def fingerprint(row: Row, seed: int) -> str:
    """Of the row and of all settings that it is run with, defaults included."""
    config = GraphRecConfig.load(None, [f"seed={seed}", *row.settings])
    return digest([row.what(), config.model_dump(mode="json")])


def _add(metrics: dict[str, Any], dataset: str, name: str, seed: int, result: dict[str, Any]) -> None:
    metrics["cpu_seconds_spent"] = round(metrics.get("cpu_seconds_spent", 0) + result["cpu_seconds"], 1)
    metrics.setdefault("runs", {}).setdefault(dataset, {}).setdefault(name, {})[str(seed)] = result


def _values(dataset: str, name: str, seed: int | str) -> str:
    return f"{dataset}/{name}-{seed}"


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
