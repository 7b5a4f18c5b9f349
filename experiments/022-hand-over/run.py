"""New items receive their first events, without retraining: recall after each step, against a full retrain.

python experiments/022-hand-over/run.py --root DATA [--steps 0,1,2] [--seed 0] writes metrics.json after every step, and
the table in README.md here. What is there with the same settings is not run again.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]
from reporting import told, write_table  # noqa: E402
from resumable import METRICS, PROJECT, K, Kept, code_digest, digest, means, measured  # noqa: E402
from truncated_items import TruncatedItems  # noqa: E402

DATASET = PROJECT / "configs" / "data" / "ml1m-posters.yaml"
STEPS = (0, 1, 2, 5, 10, 20)
KEPT = Kept(HERE)
LIVE, CONTENT, RETRAINED = "add-events", "content", "retrained"
POOLS = ("new", "full")


def main() -> None:
    arguments = _arguments()
    if not arguments.tables_only:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        train = Dataset.load(DATASET, arguments.root).fixed_split("valid").train
        items = TruncatedItems.of(train, arguments.seed, STEPS)
        run_live(items, arguments.seed)
        for step in [int(one) for one in arguments.steps.split(",") if int(one)]:
            if not is_done(RETRAINED, step, arguments.seed):
                run_retrained(items, step, arguments.seed)
        compare(arguments.seed)
    write_table(HERE / "README.md", "results", table(KEPT.load()))
    write_table(PROJECT / "README.md", "hand-over", short_table(KEPT.load()))


def run_live(items: TruncatedItems, seed: int) -> None:
    """One training without any event of the new items, then their events in steps."""
    if all(is_done(LIVE, step, seed) for step in STEPS):
        return
    folder = KEPT.values_folder / f"run-{seed}"
    if not folder.exists():
        Recommender(GraphRecConfig(seed=seed), "cpu").fit(items.split(0).train, told).save(folder)
    model = Recommender.load(folder, "cpu")
    train, before = items.train, 0
    for step in STEPS:
        now = (items.rank_P >= before) & (items.rank_P < step)
        users, ids = train.user_ids[items.user_P[now]], train.catalogue.item_ids[items.item_P[now]]
        events = [{"user_id": user, "item_id": item} for user, item in zip(users, ids, strict=True)]
        started = time.perf_counter()
        if events:
            model.add_events(events)
        seconds, before = time.perf_counter() - started, step
        state = model.live.state
        queries = {on: state.queries(items.users, on) for on in (True, False)}
        cost = {"seconds": round(seconds, 3), "events": len(events), "vectors_moved": model.drift.vectors_moved}
        keep(LIVE, step, seed, items, queries, state.index.vectors_ID.full(), cost)
        staying_ID = state.index.vectors_ID.full().copy()
        staying_ID[items.items] = model.model_.content_ID[items.items]
        keep(CONTENT, step, seed, items, queries, staying_ID, {})


def run_retrained(items: TruncatedItems, step: int, seed: int) -> None:
    started = time.perf_counter()
    model = Recommender(GraphRecConfig(seed=seed), "cpu").fit(items.split(step).train, told)
    seconds = time.perf_counter() - started
    queries = {on: model.queries(items.users, on) for on in (True, False)}
    keep(RETRAINED, step, seed, items, queries, model.model_.served_ID, {"seconds": round(seconds, 1)})


def keep(
    way: str, step: int, seed: int, items: TruncatedItems, queries: Any, vectors_ID: np.ndarray, cost: dict[str, Any]
) -> None:
    """Rank the new items among themselves, and among all."""
    pool, users = items.pool(items.split(step)), items.users
    everything = np.flatnonzero(items.train.interactions.item_degree())
    result: dict[str, Any] = {"fingerprint": _fingerprint(seed), "code": code_digest(), **cost, "metrics": {}}
    for name, candidates in (("new", pool.items), ("full", everything)):

        def rank(popularity: bool, candidates: np.ndarray = candidates) -> RankedLists:
            return rank_by_vectors(queries[popularity], vectors_ID, candidates, pool.seen[users], K)

        values = measured(rank, pool, users)
        KEPT.keep_values(_values(way, step, seed, name), users, values)
        result["metrics"][name] = means(values)
    result["pool"] = f"{len(pool.items):,} new films, {len(everything):,} in all; {len(users):,} users"
    KEPT.update(lambda metrics: metrics.setdefault("steps", {}).setdefault(str(step), {}).update({way: result}))
    print(way, step, {name: round(one["recall@20"], 4) for name, one in result["metrics"].items()}, cost, flush=True)


def compare(seed: int) -> None:
    """The living catalogue against the retrain and against content, step by step."""
    found: dict[str, Any] = {}
    for step in STEPS:
        for other in (RETRAINED, CONTENT):
            if step == 0 and other == RETRAINED:
                continue
            for pool in POOLS:
                names = [[_values(way, step, seed, pool)] for way in (LIVE, other)]
                if KEPT.have_values([*names[0], *names[1]]):
                    found.setdefault(str(step), {}).setdefault(other, {})[pool] = KEPT.paired(*names)
    KEPT.update(lambda metrics: metrics.update({"live_minus": found}))


def table(metrics: dict[str, Any]) -> str:
    lines = [
        "| events per new film | pool | content | add-events | retrained | add-events − content | "
        "add-events − retrained | seconds: add-events | seconds: retraining |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for step, ways in sorted(metrics.get("steps", {}).items(), key=lambda one: int(one[0])):
        for pool in POOLS:
            cells = [_pair(ways.get(way), pool) for way in (CONTENT, LIVE, RETRAINED)]
            gaps = [_gap(metrics, step, other, pool) for other in (CONTENT, RETRAINED)]
            seconds = [str(ways.get(way, {}).get("seconds", "")) for way in (LIVE, RETRAINED)]
            lines.append(f"| {' | '.join([step, pool, *cells, *gaps, *seconds])} |")
    last = metrics.get("steps", {}).get("0", {}).get(LIVE, {}).get("pool", "")
    return "\n".join([*lines, "", f"Recall@20 / NDCG@20 of the new films. {last}; {metrics.get('machine', '')}."])


def short_table(metrics: dict[str, Any]) -> str:
    """Recall alone, for the project's README."""
    lines = [
        "| events per new film | new films alone: content | add-events | retrained | among all films: content | "
        "add-events | retrained | seconds: add-events | retraining |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for step, ways in sorted(metrics.get("steps", {}).items(), key=lambda one: int(one[0])):
        cells = [_pair(ways.get(way), pool).split(" / ")[0] for pool in POOLS for way in (CONTENT, LIVE, RETRAINED)]
        seconds = [str(ways.get(way, {}).get("seconds", "")) for way in (LIVE, RETRAINED)]
        lines.append(f"| {' | '.join([step, *cells, *seconds])} |")
    pool = metrics.get("steps", {}).get("0", {}).get(LIVE, {}).get("pool", "")
    return "\n".join([*lines, "", f"Recall@20 of the new films (MovieLens-1M, masked inside train). {pool}, one seed."])


def _pair(result: dict[str, Any] | None, pool: str) -> str:
    if result is None:
        return ""
    return " / ".join(f"{result['metrics'][pool][name]:.4f}" for name in METRICS[:2])


def _gap(metrics: dict[str, Any], step: str, other: str, pool: str) -> str:
    one = metrics.get("live_minus", {}).get(step, {}).get(other, {}).get(pool)
    if one is None:
        return ""
    low, high = one["recall@20"]["low"], one["recall@20"]["high"]
    return f"{one['recall@20']['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"


def is_done(way: str, step: int, seed: int) -> bool:
    one = KEPT.load().get("steps", {}).get(str(step), {}).get(way, {})
    return one.get("fingerprint") == _fingerprint(seed)


def _fingerprint(seed: int) -> str:
    return digest([GraphRecConfig(seed=seed).model_dump(mode="json"), STEPS])


def _values(way: str, step: int, seed: int, pool: str) -> str:
    return f"{way}-{step}-{seed}-{pool}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="of the retrains, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tables-only", action="store_true", help="write the table again from metrics.json")
    arguments = parser.parse_args()
    if not arguments.tables_only and arguments.root is None:
        parser.error("--root is needed")
    return arguments


if __name__ == "__main__":
    main()
