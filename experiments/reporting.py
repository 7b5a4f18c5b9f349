"""Results are produced, not typed: tables are written into README files from metrics.json."""

import json
import os
import platform
import resource
import time
from collections.abc import Iterable, Iterator, Sized
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def write_table(readme: Path, name: str, table: str) -> None:
    """Replace what stands between `<!-- name: written by run.py -->` and `<!-- end of name -->`."""
    start, end = f"<!-- {name}: written by run.py -->", f"<!-- end of {name} -->"
    before, rest = readme.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{start}\n{table}\n{end}{after}", encoding="utf-8")


def told(steps: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """A `Progress` for a log file: a line every half minute."""
    started = last = time.monotonic()
    total = len(steps) if total is None and isinstance(steps, Sized) else total
    for number, step in enumerate(steps):
        yield step
        if time.monotonic() - last > 30:
            last = time.monotonic()
            print(f"{description}: {number + 1:,} of {total or '?'}, {last - started:.0f} s", flush=True)


def machine() -> dict[str, Any]:
    packages = ("torch", "torch-geometric", "faiss-cpu", "numpy", "scikit-learn")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in packages},
    }


def peak_memory_gb() -> float:
    """Of this process since it started."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
