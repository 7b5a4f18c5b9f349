"""The tables of README.md, from metrics.json alone."""

from itertools import groupby
from typing import Any

import numpy as np
from rows import BASE, Row

from graphrec.evaluation.intervals import PairedInterval, Verdict, holm, verdict

_SHOWN = ("recall@20", "ndcg@20", "recall@20 off", "ndcg@20 off")
_COMPARED = ("ndcg@20", "ndcg@20 off")
_TITLES = {
    "ml1m": "MovieLens-1M, films masked inside `train.csv`",
    "hm": "H&M, articles masked inside `train.csv`",
    "store": "The sample store, items masked inside what the demo trains on",
}


def of(metrics: dict[str, Any], rows: tuple[Row, ...]) -> dict[str, str]:
    """Name of the place in README.md → its table."""
    parts = [_dataset(name, metrics, rows) for name in _TITLES if metrics.get("runs", {}).get(name)]
    return {"results": "\n\n".join([*parts, _cost(metrics)]) if parts else "No row has been run yet."}


def one_line(result: dict[str, Any]) -> str:
    """For the log."""
    if "refused" in result:
        return f"refused: {result['refused']}"
    shown = ", ".join(f"{name} {result['metrics'][name]:.4f}" for name in _SHOWN)
    return f"{shown}; {result['cpu_seconds']:.0f} CPU s, {result['wall_seconds']:.0f} s"


def _dataset(name: str, metrics: dict[str, Any], rows: tuple[Row, ...]) -> str:
    by_row, intervals = metrics["runs"][name], metrics.get("intervals", {}).get(name, {})
    there = [row for row in rows if row.name in by_row]
    adjusted = _adjusted(there, by_row, intervals)
    lines = [
        "| factor | row | change | seeds | Recall@20 | NDCG@20 | Recall@20, off | NDCG@20, off "
        "| NDCG@20 - base | off | verdict, on / off | p (Holm) | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for factor, group in groupby(sorted(there, key=lambda row: _place(row, rows)), key=lambda row: row.factor):
        for number, row in enumerate(group):
            lines.append(_line(row, factor if not number else "", by_row[row.name], intervals, adjusted))
    pools = {seed: one["pool"] for seed, one in by_row.get(BASE, {}).items() if "pool" in one}
    about = " ".join(f"Seed {seed}: {pool}." for seed, pool in sorted(pools.items()))
    return f"**{_TITLES[name]}**\n\n" + "\n".join(lines) + f"\n\n{about}{_states(by_row)}"


def _line(row: Row, factor: str, by_seed: dict[str, Any], intervals: dict[str, Any], adjusted: dict[str, float]) -> str:
    measured = [one for one in by_seed.values() if "metrics" in one]
    head = f"| {factor} | {row.name} | {row.change} "
    if not measured:
        return f"{head}| refused: {next(iter(by_seed.values()))['refused']} " + "| " * 9 + "|"
    cells = [_spread([one["metrics"][metric] for one in measured]) for metric in _SHOWN]
    found = [(other, _widest(row.name, other, intervals)) for other in row.against]
    gaps = [(other, one) for other, one in found if one is not None and other != row.name]
    differences = ["<br>".join(_gap(one[metric], other) for other, one in gaps) for metric in _COMPARED]
    verdicts = "<br>".join(" / ".join(_said(one[metric]) for metric in _COMPARED) for _, one in gaps)
    p_value = f"{adjusted[row.name]:.3f}" if row.name in adjusted else ""
    cpu = f"{np.mean([one['cpu_seconds'] for one in measured]):,.0f}"
    return f"{head}| {len(measured)} | " + " | ".join([*cells, *differences, verdicts, p_value, cpu]) + " |"


def _place(row: Row, rows: tuple[Row, ...]) -> int:
    """Factors in the order in which the grid first names them, rows of one factor together."""
    factors = list(dict.fromkeys(one.factor for one in rows))
    return factors.index(row.factor) * len(rows) + rows.index(row)


def _widest(name: str, other: str, intervals: dict[str, Any]) -> dict[str, Any] | None:
    """Over as many seeds as there are."""
    keys = [key for key in intervals if key.startswith(f"{name} - {other} @ ")]
    return intervals[max(keys, key=lambda key: key.count(","))] if keys else None


def _adjusted(there: list[Row], by_row: dict[str, Any], intervals: dict[str, Any]) -> dict[str, float]:
    """Row → p of its NDCG@20 against the base, adjusted over all rows of the table."""
    found = {row.name: _widest(row.name, BASE, intervals) for row in there if row.name != BASE}
    p_values = {name: one["ndcg@20"]["p_value"] for name, one in found.items() if one is not None}
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _said(interval: dict[str, Any]) -> str:
    says = verdict(PairedInterval(**interval))
    return "·" if says == Verdict.NO_DIFFERENCE_SHOWN else says


def _gap(interval: dict[str, Any], other: str) -> str:
    whom = "" if other == BASE else f" ({other})"
    return f"{interval['difference']:+.4f} [{interval['low']:+.4f}, {interval['high']:+.4f}]{whom}"


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f}" + (f" ({np.std(values):.4f})" if len(values) > 1 else "")


def _states(by_row: dict[str, Any]) -> str:
    """Rows are comparable where the same sources made them."""
    base = {one["code"] for one in by_row.get(BASE, {}).values()}
    others = sorted(name for name, seeds in by_row.items() if {one["code"] for one in seeds.values()} != base)
    return f" Made with other sources than the base: {', '.join(others)}." if others else ""


def _cost(metrics: dict[str, Any]) -> str:
    runs = [one for of_dataset in metrics["runs"].values() for seeds in of_dataset.values() for one in seeds.values()]
    return (
        f"All fits together took {metrics['cpu_seconds_spent'] / 3600:.2f} CPU-hours, those that were done again "
        f"included ({len(runs)} fits stand above); {metrics['machine']}, torch {metrics['torch']}."
    )
