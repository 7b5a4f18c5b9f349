"""What does a list cost beside the FAISS search in it, in process and over HTTP?

python experiments/024-recall-latency/run.py --scratch FOLDER writes metrics.json beside this file and the tables in
README.md. The runs are made in that folder where they are not there yet.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from graphrec.living.live_state import LiveState
from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import default_factory

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
from graphs import graphs, graphs_table  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402
from synthetic_run import run_folder  # noqa: E402

SIZES = (100_000, 1_000_000)
K, USERS, JUDGED = 100, 1_000, 200
THREADS = (1, 2, 4)
ROUNDS, ROUND_SECONDS = 5, 1.5
Ask = Callable[[int], Any]
"""Of the user at a place of the sample."""


class Asked:
    """One run, asked in three ways for the same users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = Recommender.load(folder, device="cpu")
        state = self.model.live.state
        self.users = np.random.default_rng(0).choice(len(state.users), USERS, replace=False)
        self.ids = state.users.names[self.users].tolist()
        self.query_UW = state.queries(self.users)
        self.index = self.model.index_.faiss_index

    @property
    def state(self) -> LiveState:
        return self.model.live.state

    def raw(self, place: int) -> None:
        self.index.search(self.query_UW[place : place + 1], K)

    def in_process(self, place: int) -> None:
        self.model.recommend([self.ids[place]], k=K)

    def as_columns(self, place: int) -> None:
        self.model.answer_users([self.ids[place]], k=K).columns()

    def over_http(self, port: int) -> Ask:
        connection = HTTPConnection("127.0.0.1", port)

        def ask(place: int) -> None:
            connection.request("GET", f"/v1/recommend?user_id={self.ids[place]}&k={K}")
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200:
                raise RuntimeError(f"{reply.status}: {body[:200]!r}")

        return ask

    def recall(self) -> float:
        """Of the exact list, without what the users have seen."""
        users, state = self.users[:JUDGED], self.state
        seen = state.seen.columns(users)
        exact = state.index.search(self.query_UW[:JUDGED], K, seen, allowed=np.arange(len(state.items)))
        found = state.index.search(self.query_UW[:JUDGED], K, seen)
        shared = [len(np.intersect1d(*pair)) for pair in zip(exact.items_BK, found.items_BK, strict=True)]
        return float(np.mean(shared) / K)


def latencies(ways: dict[str, Ask]) -> dict[str, dict[str, float]]:
    """Every user is asked for in every way, one after the other, so that a noisy moment hits all ways; milliseconds."""
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for place in range(USERS):
        for name, ask in rotated(list(ways.items()), place):  # who comes second finds the vectors in the cache
            started, worked = time.perf_counter(), time.thread_time()
            ask(place)
            processor[name].append(1e3 * (time.thread_time() - worked))
            clock[name].append(1e3 * (time.perf_counter() - started))
    warm = slice(USERS // 10, None)
    return {
        name: {
            "p10": quantile(clock[name][warm], 0.1),
            "p50": quantile(clock[name][warm], 0.5),
            "p99": quantile(clock[name][warm], 0.99),
            "processor p50": quantile(processor[name][warm], 0.5),
            "p50 of the quotients with raw": quotient(clock[name][warm], clock["raw"][warm]),
        }
        for name in ways
    }


def rotated(ways: list[tuple[str, Ask]], place: int) -> list[tuple[str, Ask]]:
    first = place % len(ways)
    return ways[first:] + ways[:first]


def quantile(values: list[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 3)


def quotient(ours: list[float], raw: list[float]) -> float:
    return round(float(np.median(np.array(ours) / np.array(raw))), 3)


def per_second(makers: dict[str, Callable[[], Ask]], threads: int) -> dict[str, float]:
    """Lists a second where so many threads ask as fast as they can: medians of rounds in which the ways take turns."""
    rates: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(ROUNDS):
        for name, make in makers.items():
            rates[name].append(one_round(make, threads))
    return {name: round(float(np.median(values)), 1) for name, values in rates.items()}


def one_round(make: Callable[[], Ask], threads: int) -> float:
    end = time.perf_counter() + ROUND_SECONDS

    def work(first: int) -> int:
        ask, place = make(), first
        while time.perf_counter() < end:
            ask(place % USERS)
            place += 1
        return place - first

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(0, threads * 37, 37))) / ROUND_SECONDS


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """A server process on a port of its own."""
    command = [
        sys.executable,
        "-c",
        "from graphrec.cli import main; main()",
        "serve",
        str(folder),
        "--port",
        "0",
        "--device",
        "cpu",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "http://127.0.0.1:" in line:
                yield int(line.split("http://127.0.0.1:")[1].split("/")[0].split()[0])
                break
        else:
            raise RuntimeError("The server did not start.")
    finally:
        process.terminate()
        process.wait(60)


def one_size(scratch: Path, size: int) -> dict[str, Any]:
    asked = Asked(run_folder(scratch, size))
    with served(asked.folder) as port:
        ways = {"raw": asked.raw, "in process": asked.in_process, "as columns": asked.as_columns}
        ways["over HTTP"] = asked.over_http(port)
        measured = latencies(ways)
        makers: dict[str, Callable[[], Ask]] = {
            "raw": lambda: asked.raw,
            "in process": lambda: asked.in_process,
            "as columns": lambda: asked.as_columns,
            "over HTTP": lambda: asked.over_http(port),
        }
        saturated = {str(threads): per_second(makers, threads) for threads in THREADS}
    return {
        "factory": default_factory(size),
        "dimension": int(asked.query_UW.shape[1]),
        "latency": measured,
        "per_second": {name: {threads: rates[name] for threads, rates in saturated.items()} for name in makers},
        "recall": asked.recall(),
    }


def table(metrics: dict[str, Any]) -> str:
    lines = [
        "| items | index | way | p10 | p50 | p99 | p50 / raw | processor p50 | lists a second, 1 / 2 / 4 threads |",
        "|---" * 9 + "|",
    ]
    for size, one in metrics["sizes"].items():
        raw = one["latency"]["raw"]["p50"]
        for name, figures in one["latency"].items():
            rates = " / ".join(f"{rate:,.0f}" for rate in one["per_second"][name].values())
            cells = [
                f"{int(size):,}",
                one["factory"],
                name,
                *(f"{figures[share]:.2f}" for share in ("p10", "p50", "p99")),
            ]
            cells += [f"{figures['p50'] / raw:.2f}", f"{figures['processor p50']:.2f}", rates]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def results(metrics: dict[str, Any]) -> str:
    sizes = metrics["sizes"].values()
    recalls = "; ".join(f"{one['factory']}: {one['recall']:.4f}" for one in sizes)
    dims = {one["dimension"] for one in sizes}
    about = (
        f"Milliseconds. {USERS - USERS // 10} users asked for {K} items, one after the other, each in every way; "
        f"vectors of {', '.join(map(str, dims))} numbers. Recall@{K} against a full scan, seen items left out, "
        f"{JUDGED} users: {recalls}. Server and client share {metrics['machine'].split(', ')[1]}; one OpenMP thread "
        "each. *As columns*: no table is made of them, as in the service. *Processor*: of the thread that asks. "
        f"faiss {metrics['faiss-cpu']}, numpy {metrics['numpy']}."
    )
    parts = [table(metrics), about]
    if "soak" in metrics:
        soak = metrics["soak"]
        parts.append(
            f"**Soak** ({soak['seconds']:.0f} s, {soak['reads']:,} lists and {soak['writes']:,} changes over HTTP): "
            f"resident memory {soak['megabytes_early']:.0f} MB early, {soak['megabytes_late']:.0f} MB late, "
            f"{soak['growth']:+.1%}."
        )
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, help="folder for the runs")
    parser.add_argument("--size", type=int, action="append", help="only this size, beside what was measured before")
    parser.add_argument("--graphs", type=Path, help="a trained run: HNSW as one graph and in shells, over its vectors")
    parser.add_argument("--soak", type=Path, help="what tests/serving/test_soak.py reported, to be told too")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    written = HERE / "metrics.json"
    metrics: dict[str, Any] = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else {"sizes": {}}
    if arguments.soak is not None:
        metrics["soak"] = json.loads(arguments.soak.read_text(encoding="utf-8"))
        write_metrics(HERE, metrics)
    elif arguments.graphs is not None:
        faiss.omp_set_num_threads(1)
        metrics.setdefault("graphs", {})[arguments.graphs.name] = graphs(arguments.graphs)
        write_metrics(HERE, metrics)
    elif not arguments.tables_only:
        torch.set_num_threads(1)
        faiss.omp_set_num_threads(1)
        for size in arguments.size or SIZES:
            metrics["sizes"][str(size)] = one_size(arguments.scratch, size)
            metrics |= machine()
            write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))
    if "graphs" in metrics:
        write_table(HERE / "README.md", "graphs", graphs_table(metrics))
    write_table(HERE.parents[1] / "README.md", "latency", results(metrics))


if __name__ == "__main__":
    main()
