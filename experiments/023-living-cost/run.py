"""What does a change cost, in a catalogue of ten thousand items and in one of a million?

python experiments/023-living-cost/run.py --scratch FOLDER writes metrics.json beside this file and the tables in
README.md. The runs (6 GB) are made in that folder where they are not there yet.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import gc
import itertools
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec.data.dataset import OwnVectors
from graphrec.live_run import LiveRun
from graphrec.recommender import Recommender

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, write_metrics, write_table  # noqa: E402
from synthetic_run import OWN_DIM, run_folder  # noqa: E402

SIZES = (10_000, 1_000_000)
STAGES = (0, 1_000, 20_000)
TURNS = {"add 100 items": 9, "add 1,000 events of 100 users": 5}
DEFAULT_TURNS = 15
COUNTED = 200
"""Changes whose memory is added up; of large ones a twentieth."""
KINDS = {"Without CLIP": False, "Texts by the small CLIP": True}
Change = Callable[["Recommender | LiveRun"], Any]


@dataclass
class Workload:
    """Changes of one living run; none is made twice. What they touch is alike at
    any size: 25 items a user, about 5 users an item."""

    run: LiveRun
    with_clip: bool
    rng: np.random.Generator

    def __post_init__(self) -> None:
        state = self.run.model.live.state
        degree_I = state.degree.full()
        some = state.items.item_ids[self.rng.permutation(np.flatnonzero((degree_I >= 3) & (degree_I <= 8)))]
        self.items, self.touched = iter(some[:1_000]), itertools.cycle(some[1_000:])
        self.users = itertools.cycle(state.users.names[self.rng.permutation(len(state.users))])
        self.numbers = itertools.count()

    def add_items(self, count: int) -> Change:
        ids = [f"new{next(self.numbers)}" for _ in range(count)]
        rows = [
            {"item_id": one, "title": f"red dress {number}", "category": "c3", "price": 20.5}
            for number, one in enumerate(ids)
        ]
        x_RF = self.rng.standard_normal((count, OWN_DIM), dtype=np.float32)
        vectors = {} if self.with_clip else {"look": OwnVectors(np.array(ids, dtype=object), x_RF)}
        return lambda run: run.add_items(rows, vectors=vectors)

    def update_item(self) -> Change:
        row = {"item_id": next(self.items), "title": f"green hat {next(self.numbers)}", "price": 12.5}
        return lambda run: run.update_items([row])

    def remove_item(self) -> Change:
        ids = [next(self.items)]
        return lambda run: run.remove_items(ids)

    def add_events(self, users: int, of_each: int) -> Change:
        pairs = [(next(self.users), [next(self.touched) for _ in range(of_each)]) for _ in range(users)]
        events = [{"user_id": user, "item_id": item} for user, items in pairs for item in items]
        return lambda run: run.add_events(events)

    def of(self, name: str) -> Change:
        return {
            "add 1 item": lambda: self.add_items(1),
            "add 100 items": lambda: self.add_items(100),
            "update 1 item": self.update_item,
            "remove 1 item": self.remove_item,
            "add 1 event": lambda: self.add_events(1, 1),
            "add 1,000 events of 100 users": lambda: self.add_events(100, 10),
        }[name]()


CHANGES = (
    "add 1 item",
    "add 100 items",
    "update 1 item",
    "remove 1 item",
    "add 1 event",
    "add 1,000 events of 100 users",
)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds on the clock, and of the processor."""
    started, worked = time.perf_counter(), time.thread_time()
    work()
    return 1e3 * (time.perf_counter() - started), 1e3 * (time.thread_time() - worked)


def one_turn(workload: Workload, name: str) -> Iterator[tuple[str, tuple[float, float]]]:
    change, user, run = workload.of(name), next(workload.users), workload.run
    in_memory = copy(run.model)  # takes the change in, and is forgotten
    yield "memory", timed(lambda: change(in_memory))
    yield "journal", timed(lambda: change(run))
    yield "first answer", timed(lambda: run.model.recommend([user], k=100))


def measured(workloads: list[Workload], name: str) -> list[dict[str, float]]:
    """Turn by turn over the sizes, so that a noisy moment hits both; each change in memory, then also on the disk."""
    spent: list[dict[str, list[float]]] = [{} for _ in workloads]
    for turn in range(TURNS.get(name, DEFAULT_TURNS) + 1):
        for workload, of_size in zip(workloads, spent, strict=True):
            for where, (clock, processor) in one_turn(workload, name):
                if turn:  # the first one warms up
                    of_size.setdefault(f"{where}: clock", []).append(clock)
                    of_size.setdefault(f"{where}: processor", []).append(processor)
    return [{key: round(float(np.median(values)), 3) for key, values in one.items()} for one in spent]


def bytes_kept(workload: Workload, name: str) -> int:
    """By one change on average: what holds rows grows by doubling."""
    count = COUNTED if name not in TURNS else COUNTED // 20
    changes = [workload.of(name) for _ in range(count)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for change in changes:
            change(workload.run)
        gc.collect()
        return round((tracemalloc.get_traced_memory()[0] - before) / count)
    finally:
        tracemalloc.stop()


def one_kind(scratch: Path, with_clip: bool, sizes: tuple[int, ...]) -> dict[str, Any]:
    workloads, opened = [], []
    for size in sizes:
        folder = run_folder(scratch, size, with_clip)
        started = time.perf_counter()
        run = LiveRun.open(folder, device="cpu")
        opened.append(round(time.perf_counter() - started, 1))
        workloads.append(Workload(run, with_clip, np.random.default_rng(0)))
    stages: dict[str, Any] = {}
    changed = 0
    for stage in STAGES:
        for _ in range(changed, stage, 1_000):
            for workload in workloads:
                workload.add_items(1_000)(workload.run)
        changed = max(changed, stage)
        stages[str(stage)] = {name: measured(workloads, name) for name in CHANGES}
        print(f"{'with' if with_clip else 'without'} CLIP, after {stage:,} changed items: done", flush=True)
    memory = {name: [bytes_kept(workload, name) for workload in workloads] for name in CHANGES}
    for workload in workloads:
        workload.run.close()
    return {"seconds_to_open": opened, "stages": stages, "bytes": memory}


def table(metrics: dict[str, Any], kind: str) -> str:
    one = metrics["kinds"][kind]
    lines = [
        "| change | after | 10⁴ items | 10⁶ items | ratio | with the journal: 10⁴ | 10⁶ | first answer: 10⁴ | 10⁶ "
        "| kept in memory, KB: 10⁴ | 10⁶ |",
        "|---" * 11 + "|",
    ]
    for name in CHANGES:
        for stage, figures in one["stages"].items():
            small, large = figures[name]
            cells = [f"{small['memory: processor']:.1f}", f"{large['memory: processor']:.1f}"]
            cells.append(f"{large['memory: processor'] / small['memory: processor']:.2f}")
            cells += [f"{size['journal: clock']:.0f}" for size in (small, large)]
            cells += [f"{size['first answer: processor']:.1f}" for size in (small, large)]
            kept = [f"{size / 1000:,.0f}" for size in one["bytes"][name]] if stage == str(STAGES[-1]) else ["", ""]
            lines.append(f"| {name} | {int(stage):,} | {' | '.join([*cells, *kept])} |")
    return "\n".join(lines)


def results(metrics: dict[str, Any]) -> str:
    parts = []
    for kind in metrics["kinds"]:
        ratios = [
            large["memory: processor"] / small["memory: processor"]
            for figures in metrics["kinds"][kind]["stages"].values()
            for small, large in figures.values()
        ]
        parts += [f"**{kind}** (ratios {min(ratios):.2f} to {max(ratios):.2f})", table(metrics, kind)]
    opened = "; ".join(
        f"{kind}: {one['seconds_to_open'][0]} s and {one['seconds_to_open'][1]} s"
        for kind, one in metrics["kinds"].items()
    )
    about = (
        "Milliseconds, medians. In memory and the first answer: of the processor, one thread, which a machine that is "
        "busy elsewhere leaves alone; with the journal: on the clock, fsync included, on a machine that was busy. "
        "*After*: so many items were added before. *First answer*: `recommend([user], k=100)` right after the change, "
        "which at 10⁴ items scans them (Flat) and at 10⁶ asks HNSW. "
        f"Opening the run, 10⁴ and 10⁶ items: {opened}. {metrics['machine']}, torch {metrics['torch']}, "
        f"numpy {metrics['numpy']}, faiss {metrics['faiss-cpu']}."
    )
    return "\n\n".join([*parts, about])


def short_table(metrics: dict[str, Any]) -> str:
    """After a thousand changes, for the project's README."""
    stage = metrics["kinds"]["Without CLIP"]["stages"]["1000"]
    lines = ["| change | 10⁴ items | 10⁶ items | with the journal: 10⁴ | 10⁶ |", "|---|---|---|---|---|"]
    for change, sizes in stage.items():
        cells = [f"{one[key]:.1f}" for key in ("memory: processor", "journal: clock") for one in sizes]
        lines.append(f"| {change} | {' | '.join(cells)} |")
    told = (
        "Milliseconds after 1,000 changes, medians, pictures and texts encoded before: of the processor in memory, on "
        "the clock with the file on the disk (`experiments/023-living-cost/`)."
    )
    return "\n".join([*lines, "", told])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, help="folder for the runs, on the disk that is to be measured")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this one, beside what was measured before")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    written = HERE / "metrics.json"
    metrics: dict[str, Any] = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else {"kinds": {}}
    if not arguments.tables_only:
        torch.set_num_threads(1)
        for kind in arguments.kind or KINDS:
            metrics["kinds"][kind] = one_kind(arguments.scratch, KINDS[kind], SIZES)
            metrics |= {"sizes": SIZES, **machine()}
            write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))
    write_table(HERE.parents[1] / "README.md", "living-cost", short_table(metrics))


if __name__ == "__main__":
    main()
