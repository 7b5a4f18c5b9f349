"""Which items of two sites are one product, without any shared key: how many are found, and how many are right?

python experiments/015-identity/run.py films --root DATA
python experiments/015-identity/run.py store
python experiments/015-identity/run.py scale [--items 10000 30000 100000]

Each writes its part of metrics.json beside this file, its pictures, and its tables in README.md. `tables` writes the
tables again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import tables  # noqa: E402
from corrupter import LEVELS  # noqa: E402
from measures import calibration, calibration_error, curve, proposed, quality, recall_at_precision  # noqa: E402
from pictures import calibration_svg, curves_svg  # noqa: E402
from reporting import machine, peak_memory_gb, told, write_metrics, write_table  # noqa: E402
from titles_alone import equal_titles  # noqa: E402
from worlds import World, films, made_up, store  # noqa: E402

from graphrec.data.same_as import SameAs  # noqa: E402
from graphrec.identity import MatchConfig, SiteMatches, Verdicts, match_sites  # noqa: E402
from graphrec.identity.candidates import Pairs  # noqa: E402
from graphrec.identity.review import review_table  # noqa: E402

ODD, EVEN = 1, 0
"""Even movie numbers were looked at while matching was built, under noise of seed 0; odd ones are reported."""
NOISE_SEEDS = (1, 2, 3)
STORE_SEEDS = (0, 1, 2)
"""Seed 7's store was looked at."""
CONFIG = MatchConfig(propose_from=0.01)
REVIEWED = 100
KEYED_SHARE = 0.3


def measured(matches: SiteMatches, world: World, without: frozenset[int] = frozenset()) -> dict[str, Any]:
    """On what is proposed but for the items `without`; with the curve, where those are none."""
    found = proposed(matches, without)
    truth = frozenset(pair for pair in world.truth if not set(pair) & without)
    bins = calibration(found, truth)
    return {
        **quality(found, truth, CONFIG.at_least),
        "recall_at_98": recall_at_precision(found, truth, 0.98),
        "calibration": bins,
        "calibration_error": calibration_error(bins),
        **({} if without else {"curve": curve(found, truth)}),
        "warnings": len(matches.warnings),
    }


def unlabelled(world: World) -> SiteMatches:
    return match_sites(world.dataset, config=CONFIG, vectors=world.vectors)


def labels_study(world: World, before: SiteMatches) -> dict[str, Any]:
    """What labels bring, each kind judged on what it leaves open, beside the unlabelled way on the same items."""
    keyed, keyed_items = exact_keys(world)
    reviewed, seen_items = first_rows_reviewed(world, before)
    studies = {}
    for name, verdicts, items in (("keys", keyed, keyed_items), ("review", reviewed, seen_items)):
        after = match_sites(world.dataset, config=CONFIG, verdicts=verdicts, vectors=world.vectors)
        studies[name] = {
            "settled": len(verdicts),
            "unlabelled": measured(before, world, items),
            "labelled": measured(after, world, items),
        }
    return studies


def exact_keys(world: World) -> tuple[Verdicts, frozenset[int]]:
    """A share of the right pairs, as if both items had the same GTIN."""
    truth = np.array(sorted(world.truth))
    told_pairs = truth[np.random.default_rng(0).random(len(truth)) < KEYED_SHARE]
    return Verdicts.of_links(SameAs.of(told_pairs[:, 0], told_pairs[:, 1], np.ones(len(told_pairs)))), frozenset(
        told_pairs.ravel().tolist()
    )


def first_rows_reviewed(world: World, matches: SiteMatches) -> tuple[Verdicts, frozenset[int]]:
    """The first rows of the review file, read by somebody who knows."""
    rows = review_table(matches).head(REVIEWED)
    ids = world.dataset.catalogue.id_index
    pairs = Pairs.of(ids.get_indexer(rows["item_id"]), ids.get_indexer(rows["same_item_id"]))
    is_same = np.array(
        [pair in world.truth for pair in zip(pairs.left_P.tolist(), pairs.right_P.tolist(), strict=True)]
    )
    items = frozenset([*pairs.left_P.tolist(), *pairs.right_P.tolist()])
    return Verdicts(pairs, is_same, np.ones(len(pairs), dtype=bool)), items


def films_study(root: Path) -> dict[str, Any]:
    rows = []
    for level, noise in {"none": None, **LEVELS}.items():
        for seed in NOISE_SEEDS if noise else NOISE_SEEDS[:1]:
            world = films(root, noise, seed, ODD, ODD)
            matches = unlabelled(world)
            row = {"level": level, "seed": seed, "unlabelled": measured(matches, world)}
            row["equal_titles"] = {
                name: quality(dict.fromkeys(pairs, 1.0), world.truth, 1.0)
                for name, pairs in equal_titles(world.dataset.catalogue).items()
            }
            if level == "middle" and seed == NOISE_SEEDS[0]:
                row |= labels_study(world, matches)
            rows.append(row)
            print(level, seed, {k: row["unlabelled"][k] for k in ("precision", "recall", "recall_at_98")}, flush=True)
    disjoint = films(root, LEVELS["middle"], NOISE_SEEDS[0], ODD, EVEN)
    matches = unlabelled(disjoint)
    found = proposed(matches)
    shared_nothing = {
        "items": len(disjoint.dataset.catalogue),
        "certain": sum(p >= CONFIG.at_least for p in found.values()),
        "warnings": list(matches.warnings),
    }
    return {"rows": rows, "nothing_shared": shared_nothing}


def store_study() -> dict[str, Any]:
    rows = []
    for seed in STORE_SEEDS:
        for pictures in (False, True):
            world = store(seed, pictures)
            matches = unlabelled(world)
            row = {"seed": seed, "pictures": pictures, "unlabelled": measured(matches, world)}
            row["equal_titles"] = {
                name: quality(dict.fromkeys(pairs, 1.0), world.truth, 1.0)
                for name, pairs in equal_titles(world.dataset.catalogue).items()
            }
            if pictures:
                row |= labels_study(world, matches)
            rows.append(row)
            print(
                seed, pictures, {k: row["unlabelled"][k] for k in ("precision", "recall", "recall_at_98")}, flush=True
            )
    return {"rows": rows}


def scale_study(sizes: list[int]) -> Iterator[dict[str, Any]]:
    """What is known after each size. Each runs in a process of its own, so that its memory is its own."""
    rows: list[dict[str, Any]] = []
    for items in sizes:
        call = [sys.executable, str(HERE / "run.py"), "one-size", "--items", str(items)]
        answer = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(answer.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        rows.sort(key=lambda row: row["items"])
        steps = [np.log(rows[-1][name] / rows[0][name]) for name in ("cpu_seconds", "items")]
        yield {"rows": rows, "growth": float(steps[0] / steps[1]) if len(rows) > 1 else None}


def one_size(items: int) -> dict[str, Any]:
    world, before = made_up(items, LEVELS["middle"], 0), peak_memory_gb()
    start, cpu = time.perf_counter(), time.process_time()
    matches = match_sites(world.dataset, progress=lambda *given: told_on_stderr(*given))
    return {
        "items": items,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - start, 1),
        "peak_gb": peak_memory_gb(),
        "before_gb": before,
        **quality(proposed(matches), world.truth, matches.at_least),
    }


def told_on_stderr(*given: Any) -> Any:
    from contextlib import redirect_stdout

    with redirect_stdout(sys.stderr):
        yield from told(*given)


def write_results(metrics: dict[str, Any]) -> None:
    readme = HERE / "README.md"
    written: dict[str, Callable[[dict[str, Any]], str]] = {
        "films": tables.films_table,
        "store": tables.store_table,
        "scale": tables.scale_table,
    }
    for part, table in written.items():
        if part in metrics:
            found = metrics[part]
            about = f"{found['seconds']:.0f} seconds; {found['machine']}, faiss {found['faiss-cpu']}."
            write_table(readme, part, f"{table(found)}\n\n{about}")
    if {"films", "store"} <= set(metrics):
        write_table(readme, "labels", tables.labels_table(metrics))
        chosen = tables.first_of_each(metrics)
        (HERE / "precision-recall.svg").write_text(
            curves_svg({name: one["curve"] for name, one in chosen.items()}), encoding="utf-8"
        )
        (HERE / "calibration.svg").write_text(
            calibration_svg({name: one["calibration"] for name, one in chosen.items()}), encoding="utf-8"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["films", "store", "scale", "one-size", "tables"])
    parser.add_argument("--root", type=Path, default=HERE.parents[1] / "../shared/data")
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    given = parser.parse_args()
    if given.part == "one-size":
        print(json.dumps(one_size(given.items[0])))
        return
    path, start = HERE / "metrics.json", time.perf_counter()
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    studies = {
        "films": lambda: [films_study(given.root)],
        "store": lambda: [store_study()],
        "scale": lambda: scale_study(given.items),
        "tables": lambda: [],
    }
    for found in studies[given.part]():
        metrics[given.part] = {**found, "seconds": round(time.perf_counter() - start, 1), **machine()}
        write_metrics(HERE, metrics)
    write_results(metrics)


if __name__ == "__main__":
    main()
