"""Finding a known item by text, picture and both.

python experiments/005-search/run.py store --folder STORE
python experiments/005-search/run.py fashionclip --root DATA
python experiments/005-search/run.py hm --root DATA --clip CLIP

Each writes its part of metrics.json beside this file, and its tables in README.md. `tables` writes the tables again.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from graphrec.screen import ProgressBars

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from fashionclip import fashionclip_study  # noqa: E402
from hm import hm_study  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402
from store import store_study  # noqa: E402


def tasks_table(tasks: list[dict[str, Any]]) -> str:
    """R@1, R@10 and MRR on test queries, by weights and by what the query is made of."""
    lines = [
        "| task (items, test queries) | weights | query | R@1 | R@10 | MRR |",
        "|---|---|---|---|---|---|",
    ]
    for task in tasks:
        for row in task["rows"]:
            lines.append(
                f"| {task['task']} ({task['items']:,}, {task['test_queries']:,}) | {row['weights']} | {row['query']} "
                f"| {row['r@1']:.3f} | {row['r@10']:.3f} | {row['mrr']:.3f} |"
            )
    return "\n".join(lines)


def differences_table(tasks: list[dict[str, Any]]) -> str:
    """Both together against the better of the two alone, in MRR."""
    lines = [
        "| task | weights of both | better alone | both − better alone, MRR | 95 % interval | detectable | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in tasks:
        for one in task["both_minus_better_single"]:
            lines.append(
                f"| {task['task']} | {one['weights']} | {task['better_single']} | {one['difference']:+.4f} "
                f"| {one['low']:+.4f} … {one['high']:+.4f} | {one['smallest_detectable']:.4f} | {one['verdict']} |"
            )
    return "\n".join(lines)


def weights_table(tasks: list[dict[str, Any]]) -> str:
    """What was learned: query → block of the item."""
    pairs = list(tasks[0]["learned"])
    lines = ["| task | learned | " + " | ".join(pair.replace("-", " → ") for pair in pairs) + " |"]
    lines.append("|---" * (len(pairs) + 2) + "|")
    for task in tasks:
        for name, key in (("on validation queries", "learned"), ("in training", "in_training")):
            if task[key]:
                lines.append(f"| {task['task']} | {name} | " + " | ".join(f"{task[key][p]:.3f}" for p in pairs) + " |")
    return "\n".join(lines)


def draws_line(queries: int, items: int, text_shares: list[float]) -> str:
    """What training learned from, and how much that depends on the draw."""
    first, *others = [f"{share:.2f}" for share in text_shares]
    return (
        f"Learned in training from {queries:,} queries among {items:,} items, none of a product of a test query. "
        f"Share of the text: {first}; with other draws of queries and alterations {', '.join(others)}."
    )


def but_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| query | category and colour | category | colour | over the colour word alone, 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        over = row["over_colour_word"]
        lines.append(
            f"| {row['query']} | {row['wanted']:.3f} | {row['same_category']:.3f} | {row['wanted_colour']:.3f} "
            f"| {over['difference']:+.3f} ({over['low']:+.3f} … {over['high']:+.3f}) |"
        )
    return "\n".join(lines)


def routing_table(rows: list[dict[str, Any]]) -> str:
    """MRR by what an item lacks and what stands in its place."""
    lines = [
        "| items that lack one | missing block | query | MRR | of items with both | picture only | text only |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        by_route = [row["by_route"][route] for route in ("both", "image", "text")]
        cells = ["" if value is None else f"{value:.3f}" for value in by_route]
        lines.append(
            f"| {row['missing']:.0%} | {row['filling']} | {row['query']} | {row['mrr']:.3f} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def write_tables(metrics: dict[str, Any]) -> None:
    for part in ("store", "fashionclip", "hm"):
        if part in metrics:
            found = metrics[part]
            tables = [tasks_table(found["tasks"]), differences_table(found["tasks"]), weights_table(found["tasks"])]
            about = f"{found['seconds']:.0f} seconds; {found['machine']}, torch {found['torch']}."
            if "in_training" in found:
                about = f"{draws_line(**found['in_training'])}\n\n{about}"
            write_table(HERE / "README.md", part, "\n\n".join([*tables, about]))
    if "store" in metrics:
        write_table(HERE / "README.md", "but", but_table(metrics["store"]["but"]))
    if "fashionclip" in metrics:
        write_table(HERE / "README.md", "routing", routing_table(metrics["fashionclip"]["routing"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["store", "fashionclip", "hm", "tables"])
    parser.add_argument("--root", type=Path, help="folder that holds hm-fashionclip/ and hm-fashion/")
    parser.add_argument("--folder", type=Path, help="the sample store; written there where it is not")
    parser.add_argument("--clip", help="the fitted CLIP, as on the command line of graphrec")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path, progress = HERE / "metrics.json", ProgressBars(Console(stderr=True))
    start = time.perf_counter()
    if arguments.part == "store":
        found = store_study(arguments.folder, progress)
    elif arguments.part == "fashionclip":
        found = fashionclip_study(arguments.root)
    elif arguments.part == "hm":
        found = hm_study(arguments.root, arguments.clip, progress)
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if arguments.part != "tables":
        metrics[arguments.part] = {**found, "seconds": round(time.perf_counter() - start, 1), **machine()}
        write_metrics(HERE, metrics)
    write_tables(metrics)


if __name__ == "__main__":
    main()
