"""Curves as SVG, drawn without a plotting library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 300, 200, 46, 34, 30
_COLOURS = ("#777777", "#1f77b4", "#d62728", "#2ca02c")


def curve_svg(points: Sequence[dict[str, Any]], ways: Sequence[str], metric: str) -> str:
    """One panel per kind of damage: the metric of each way over the spoilt share, from the clean point on."""
    clean = points[0]
    kinds = list(dict.fromkeys((point["which"], point["how"]) for point in points[1:]))
    top = max(point["ways"][way][metric]["difference"] for point in points for way in ways) * 1.1
    panels = []
    for number, (which, how) in enumerate(kinds):
        of_kind = [clean, *(point for point in points[1:] if (point["which"], point["how"]) == (which, how))]
        x0 = _LEFT + number * (_WIDTH + _GAP)
        panels.append(_panel(x0, f"{which} {how}", of_kind, ways, metric, top))
    width = _LEFT + len(kinds) * (_WIDTH + _GAP)
    legend = "".join(
        f'<text x="{_LEFT + 90 * i}" y="14" fill="{_COLOURS[i]}" font-weight="bold">{way}</text>'
        for i, way in enumerate(ways)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT + 80}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{legend}{"".join(panels)}</svg>\n'
    )


def _panel(x0: int, title: str, points: Sequence[dict[str, Any]], ways: Sequence[str], metric: str, top: float) -> str:
    def place(share: float, value: float) -> str:
        return f"{x0 + share * _WIDTH:.1f},{_TOP + _HEIGHT * (1 - value / top):.1f}"

    parts = [
        f'<rect x="{x0}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999999"/>',
        f'<text x="{x0}" y="{_TOP - 5}">{title}: {metric} over the spoilt share</text>',
    ]
    for tick in (0.0, 0.5, 1.0):
        x, y = place(tick, 0).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">{tick:.0%}</text>')
        x, y = place(0, tick * top).split(",")
        parts.append(f'<text x="{float(x) - 4:.1f}" y="{y}" text-anchor="end" font-size="10">{tick * top:.3f}</text>')
    for colour, way in zip(_COLOURS, ways, strict=False):
        line = " ".join(place(point["share"], point["ways"][way][metric]["difference"]) for point in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)


@dataclass(frozen=True)
class LinePanel:
    """Lines over evenly spaced places: `labels` below the axis, and for every line as many values."""

    title: str
    labels: tuple[str, ...]
    lines: Mapping[str, Sequence[float]]


def line_panels(panels: Sequence[LinePanel], below: str) -> str:
    """Panels side by side with one legend and one scale, which need not start at 0; `below` says what the labels are.

    The first line lies on top of the others.
    """
    names = list(panels[0].lines)
    everything = [value for panel in panels for values in panel.lines.values() for value in values]
    scale = (0.95 * min(everything), 1.05 * max(everything))
    width = _LEFT + len(panels) * (_WIDTH + _GAP + 16)
    legend = "".join(
        f'<text x="{_LEFT + 90 * i}" y="14" fill="{_COLOURS[i]}" font-weight="bold">{name}</text>'
        for i, name in enumerate(names)
    )
    drawn = "".join(
        _lines(_LEFT + number * (_WIDTH + _GAP + 16), panel, below, scale) for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT + 80}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{legend}{drawn}</svg>\n'
    )


def _lines(x0: int, panel: LinePanel, below: str, scale: tuple[float, float]) -> str:
    bottom, top = scale
    step = _WIDTH / max(1, len(panel.labels) - 1)
    parts = [
        f'<rect x="{x0}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999999"/>',
        f'<text x="{x0}" y="{_TOP - 5}">{panel.title}</text>',
        f'<text x="{x0 + _WIDTH / 2:.0f}" y="{_TOP + _HEIGHT + 34}" text-anchor="middle">{below}</text>',
    ]
    for tick in (0.0, 0.5, 1.0):
        y, value = _TOP + _HEIGHT * (1 - tick), bottom + tick * (top - bottom)
        parts.append(f'<text x="{x0 - 4}" y="{y:.1f}" text-anchor="end" font-size="10">{value:.3f}</text>')
    for number, label in enumerate(panel.labels):
        x, y = x0 + number * step, _TOP + _HEIGHT + 16
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{label}</text>')
    for colour, values in reversed(list(zip(_COLOURS, panel.lines.values(), strict=False))):
        height_V = _TOP + _HEIGHT * (top - np.asarray(values)) / (top - bottom)
        places = [f"{x0 + i * step:.1f},{y:.1f}" for i, y in enumerate(height_V)]
        parts.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)
