"""The tables and the picture of README.md, from metrics.json alone."""

from typing import Any

import numpy as np
from curves import LinePanel, line_panels

from graphrec.evaluation.intervals import PairedInterval, Verdict, verdict

PICTURE = "degree-curve.svg"
_WAYS = ("served", "content", "graph", "content arm")
_METRICS = ("recall@20", "ndcg@20", "recall@20 off", "ndcg@20 off")
_PICTURED = {"ndcg@20": "NDCG@20", "ndcg@20 off": "NDCG@20, popularity off"}


def of(metrics: dict[str, Any]) -> dict[str, str]:
    """Name of the place in README.md → its table."""
    if not metrics.get("degrees"):
        return {"results": "Nothing has been run yet."}
    parts = [
        f"![NDCG@20 by degree]({PICTURE})",
        "Recall@20 / NDCG@20:",
        _values_table(metrics["degrees"]),
        _differences_table(metrics),
        _about(metrics),
    ]
    return {"results": "\n\n".join(parts)}


def picture(metrics: dict[str, Any]) -> str:
    """A panel with popularity on and one with it off."""
    degrees = metrics["degrees"]
    panels = [
        LinePanel(title, tuple(degrees), {way: [_mean(degrees[d], way, metric) for d in degrees] for way in _WAYS})
        for metric, title in _PICTURED.items()
    ]
    return line_panels(panels, "users of the item that training saw")


def one_line(result: dict[str, Any]) -> str:
    """For the log."""
    shown = ", ".join(f"{way} {values['ndcg@20']:.4f}" for way, values in result["metrics"].items())
    return f"NDCG@20 {shown}; {result['cpu_seconds']:.0f} CPU s"


def _values_table(degrees: dict[str, Any]) -> str:
    lines = [
        "| users shown | stratum | graph's share | " + " | ".join(f"{way}, on" for way in _WAYS) + " | "
        + " | ".join(f"{way}, off" for way in _WAYS) + " |",
        "|---" * (3 + 2 * len(_WAYS)) + "|",
    ]  # fmt: skip
    for degree, by_seed in degrees.items():
        share = np.mean([one["graph_share"] for one in by_seed.values()])
        cells = [_pair(by_seed, way, suffix) for suffix in ("", " off") for way in _WAYS]
        lines.append(f"| {degree} | {_stratum(int(degree))} | {share:.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _differences_table(metrics: dict[str, Any]) -> str:
    """Served less the better of content and graph vectors, and less each; the better is that of the larger mean."""
    lines = [
        "| users shown | metric | better of the two | served - better | served dips? | served - content "
        "| served - content arm |",
        "|---|---|---|---|---|---|---|",
    ]
    for degree, by_other in metrics.get("served_minus", {}).items():
        for metric in _METRICS:
            by_seed = metrics["degrees"][degree]
            better = max(("content", "graph"), key=lambda way: _mean(by_seed, way, metric))
            gap = by_other[better][metric]
            others = " | ".join(_gap(by_other[other][metric]) for other in ("content", "content arm"))
            dips = "yes" if verdict(PairedInterval(**gap)) == Verdict.HURTS else "no"
            lines.append(f"| {degree} | {metric} | {better} | {_gap(gap)} | {dips} | {others} |")
    return "\n".join(lines)


def _about(metrics: dict[str, Any]) -> str:
    fits = [(seed, one) for by_seed in metrics["degrees"].values() for seed, one in by_seed.items()]
    pools = {seed: one["pool"] for seed, one in fits}
    halves = sorted({one["half_degree"] for _, one in fits})
    hours = sum(one["cpu_seconds"] for _, one in fits) / 3600
    sources = len({one["code"] for _, one in fits})
    mixed = "" if sources == 1 else f" The fits were made with {sources} states of the sources."
    return (
        " ".join(f"Seed {seed}: {pool}." for seed, pool in sorted(pools.items()))
        + f" Half graph at degree {', '.join(f'{half:g}' for half in halves)}, as chosen inside the training data. "
        f"{hours:.2f} CPU-hours for {len(fits)} fits of both arms; {metrics['machine']}, torch {metrics['torch']}."
        f"{mixed}"
    )


def _stratum(degree: int) -> str:
    for most, name in ((0, "0"), (2, "1–2"), (5, "3–5"), (20, "6–20")):
        if degree <= most:
            return name
    return "> 20"


def _mean(by_seed: dict[str, Any], way: str, metric: str) -> float:
    return float(np.mean([one["metrics"][way][metric] for one in by_seed.values()]))


def _pair(by_seed: dict[str, Any], way: str, suffix: str) -> str:
    return " / ".join(f"{_mean(by_seed, way, metric + suffix):.4f}" for metric in ("recall@20", "ndcg@20"))


def _gap(interval: dict[str, Any]) -> str:
    return f"{interval['difference']:+.4f} [{interval['low']:+.4f}, {interval['high']:+.4f}]"
