"""The tables of README.md, from metrics.json."""

from typing import Any

import numpy as np

Row = dict[str, Any]


def films_table(found: Row) -> str:
    lines = [
        "| noise | way | pairs | precision | recall | said to be right | recall at precision .98 |",
        "|---|---|---|---|---|---|---|",
    ]
    for level in dict.fromkeys(row["level"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["level"] == level]
        seeds = "" if len(rows) == 1 else f", {len(rows)} seeds"
        for name in rows[0]["equal_titles"]:
            lines.append(_line(f"{level}{seeds}", f"titles equal: {name}", [row["equal_titles"][name] for row in rows]))
        lines.append(_line(f"{level}{seeds}", "**matched, no labels**", [row["unlabelled"] for row in rows]))
    nothing = found["nothing_shared"]
    said = "; it says so in a warning" if nothing["warnings"] else "; without a warning"
    return "\n".join(lines) + (
        f"\n\nTwo sites that share no film (odd films on one, even ones on the other, {nothing['items']:,} items): "
        f"{nothing['certain']} pairs count as certain{said}."
    )


def store_table(found: Row) -> str:
    lines = [
        "| store | way | pairs | precision | recall | said to be right | recall at precision .98 |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed in dict.fromkeys(row["seed"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["seed"] == seed]
        name = "without case, articles and year"
        lines.append(_line(f"seed {seed}", "titles equal: without case and articles", [rows[0]["equal_titles"][name]]))
        for row in rows:
            way = "matched, no labels, " + ("with pictures" if row["pictures"] else "no pictures")
            lines.append(_line(f"seed {seed}", f"**{way}**", [row["unlabelled"]]))
    return "\n".join(lines)


def labels_table(metrics: Row) -> str:
    lines = [
        "| sites | settled before | pairs judged | way | precision | recall | calibration error |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in ("films", "store"):
        for row in metrics[part]["rows"]:
            for kind, label in (("keys", "{} by an exact key"), ("review", "the first {} rows of the file")):
                if kind in row:
                    one = row[kind]
                    where = f"films, {row['level']} noise" if part == "films" else f"store of seed {row['seed']}"
                    settled = label.format(one["settled"])
                    for way in ("unlabelled", "labelled"):
                        judged = one[way]
                        quality = f"{_interval(judged, 'precision')} | {_interval(judged, 'recall')}"
                        error = f"{judged['calibration_error']:.3f}"
                        lines.append(f"| {where} | {settled} | {judged['true_pairs']} | {way} | {quality} | {error} |")
    return "\n".join(lines)


def scale_table(found: Row) -> str:
    lines = [
        "| items on each site | CPU seconds | seconds | peak memory | of it before | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['items']:,} | {row['cpu_seconds']:.0f} | {row['seconds']:.0f} | {row['peak_gb']:.2f} GB "
            f"| {row['before_gb']:.2f} GB | {row['precision']:.3f} | {row['recall']:.3f} |"
        )
    growth = f"\n\nCPU time grows as items to the power of {found['growth']:.2f}." if found["growth"] else ""
    return "\n".join(lines) + growth


def first_of_each(metrics: Row) -> dict[str, Row]:
    """What the pictures show."""
    shown = {}
    for row in metrics["films"]["rows"]:
        name = "films as they are" if row["level"] == "none" else f"films, {row['level']} noise"
        shown.setdefault(name, row["unlabelled"])
    for row in metrics["store"]["rows"]:
        if row["pictures"]:
            shown.setdefault("sample store", row["unlabelled"])
    return shown


def _line(where: str, way: str, rows: list[Row]) -> str:
    said = [row["expected_precision"] for row in rows if "recall_at_98" in row]
    at_98 = [row["recall_at_98"] for row in rows if "recall_at_98" in row]
    cells = [f"{np.mean(some):.3f}" if some else "" for some in (said, at_98)]
    pairs = f"{np.mean([row['pairs'] for row in rows]):,.0f} of {np.mean([row['true_pairs'] for row in rows]):,.0f}"
    quality = " | ".join(_span(rows, name) for name in ("precision", "recall"))
    return f"| {where} | {way} | {pairs} | {quality} | {cells[0]} | {cells[1]} |"


def _span(rows: list[Row], name: str) -> str:
    """The mean over seeds; the interval of one, or the widest of several."""
    rows = [row for row in rows if row[name] is not None]
    values = [row[name] for row in rows]
    if not values:
        return ""
    low, high = (f([row[f"{name}_interval"][side] for row in rows]) for side, f in ((0, min), (1, max)))
    return f"{np.mean(values):.3f} ({low:.3f}–{high:.3f})"


def _interval(row: Row, name: str) -> str:
    return _span([row], name)
