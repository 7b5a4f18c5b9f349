"""Every way into another stack, run as its example is; and what factors for new items are worth to an ALS.

python experiments/020-into-the-stack/run.py examples         every with_*.py on the sample store
python experiments/020-into-the-stack/run.py store            ALS on the sample store, three seeds
python experiments/020-into-the-stack/run.py ml1m --root DATA ALS on MovieLens-1M, three seeds

Each writes its part of metrics.json beside this file, and its table in README.md. `tables` writes the tables again.
"""

import argparse
import ast
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig
from graphrec.workflow import open_dataset, train_run

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from cold_als import cold_als  # noqa: E402
from example import SAMPLE_RUN, run_folder  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402

RUNS = SAMPLE_RUN.parent
ML1M = HERE.parents[1] / "configs" / "data" / "ml1m-posters.yaml"
SEEDS = (0, 1, 2)
ALS = {"factors": 256, "regularization": 100.0, "alpha": 10.0}


def examples() -> list[dict[str, Any]]:
    """What each example found, in its own process, on the same run."""
    sys.argv = sys.argv[:1]
    run = run_folder()
    return [one_example(path, run) for path in sorted(HERE.glob("with_*.py"))]


def one_example(path: Path, run: Path) -> dict[str, Any]:
    about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(path), str(run)], capture_output=True, text=True, check=False)
    seconds = round(time.perf_counter() - start, 1)
    print(f"{path.name}: {seconds} s, exit code {done.returncode}", flush=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"example": path.name, "about": about, "seconds": seconds, "found": f"failed: {last}"}
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return {"example": path.name, "about": about, "seconds": seconds, "found": in_words(answer), **answer}


def in_words(answer: dict[str, Any]) -> str:
    """The sentence under "found", or every figure by its name."""
    if "found" in answer:
        return str(answer["found"])
    figures = {name: value for name, value in answer.items() if name != "checked"}
    words = {True: "yes", False: "no"}
    told = [
        f"{name.replace('_', ' ')}: {words[value] if isinstance(value, bool) else format(value, '.4g')}"
        for name, value in figures.items()
        if isinstance(value, int | float)
    ]
    return ", ".join(told)


def als_runs(name: str, dataset: Dataset) -> list[dict[str, Any]]:
    """Whole items and pairs held out inside the training data, with each seed others; one default training each."""
    results = []
    for seed in SEEDS:
        run = RUNS / f"{name}-{seed}"
        if not run.exists():
            train_run(dataset, GraphRecConfig(seed=seed).with_hold_out(by="items"), run, device="cpu")
        results.append(cold_als(run, ALS))
        print(f"{name}, seed {seed}: {json.dumps(results[-1]['cold'])}", flush=True)
    return results


def examples_table(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    lines = ["| example | what it shows | found |", "|---|---|---|"]
    lines += [f"| `{row['example']}` | {row['about']} | {row['found']} |" for row in rows]
    return "\n".join([*lines, "", f"On the sample store; {about['machine']}."])


def als_table(runs: list[dict[str, Any]], about: dict[str, Any]) -> str:
    lines = ["| new items alone | Recall@20 | NDCG@20 |", "|---|---|---|"]
    for name in runs[0]["cold"]:
        cells = [spread([run["cold"][name][metric] for run in runs]) for metric in ("recall@20", "ndcg@20")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "| all items compete | Recall@20, warm | of new | of all | places for new items |",
        "|---|---|---|---|---|",
    ]
    for name in runs[0]["full"]:
        cells = [spread([run["full"][name][key] for run in runs]) for key in ("warm", "new", "all")]
        places = f"{np.mean([run['full'][name]['places'] for run in runs]):.1%}"
        lines.append(f"| {name} | {' | '.join(cells)} | {places} |")
    first = runs[0]
    differences = ", ".join(
        f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
        for one in (run["difference"] for run in runs)
    )
    detectable = max(run["difference"]["smallest_detectable"] for run in runs)
    lines += [
        "",
        f"Extended ALS − graphrec, Recall@20 of new items alone, by seed: {differences} (95 % intervals, paired ",
    ]
    lines[-1] += f"over users; at least {detectable:.4f} would show)."
    told = (
        f"Mean (standard deviation) over seeds {', '.join(str(run['seed']) for run in runs)}. {first['new']:,} new "
        f"items beside {first['warm']:,} that people know; {first['users']:,} users, in the second table the "
        f"{first['users_full']:,} of them that the stretch was not chosen on. Chosen: "
        f"{', '.join(format(run['stretch'], 'g') for run in runs)}. Vectors explain "
        f"{spread([run['explained'] for run in runs], 2)} of the factors' variance. {about['machine']}."
    )
    return "\n".join([*lines, "", told])


def spread(values: list[float], digits: int = 4) -> str:
    return f"{np.mean(values):.{digits}f} ({np.std(values):.{digits}f})"


def write_tables(metrics: dict[str, Any]) -> None:
    readme = HERE / "README.md"
    if "examples" in metrics:
        table = examples_table(metrics["examples"], metrics["about"])
        write_table(readme, "examples", table)
        write_table(HERE.parents[1] / "README.md", "stack", table)
    for name in ("store", "ml1m"):
        if name in metrics:
            write_table(readme, name, als_table(metrics[name], metrics["about"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("examples", "store", "ml1m", "tables"))
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    arguments = parser.parse_args()
    path = HERE / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if arguments.part == "examples":
        metrics["examples"] = examples()
    elif arguments.part == "store":
        metrics["store"] = als_runs("store", open_dataset(None))
    elif arguments.part == "ml1m":
        metrics["ml1m"] = als_runs("ml1m", Dataset.load(ML1M, arguments.root))
    if arguments.part != "tables":
        metrics["about"] = machine()
        write_metrics(HERE, metrics)
    write_tables(metrics)


if __name__ == "__main__":
    main()
