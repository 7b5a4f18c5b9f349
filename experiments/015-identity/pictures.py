"""Precision over recall, and what was right over what was said, as SVG."""

from collections.abc import Mapping, Sequence
from math import log10

_SIZE, _LEFT, _TOP = 320, 60, 30
_COLOURS = ("#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#ff7f0e")


def curves_svg(curves: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """A line per name; precision is shown from one half on."""
    lines = {name: [(recall, 2 * precision - 1) for recall, precision in points] for name, points in curves.items()}
    return _svg(lines, "precision over recall", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], {})


def calibration_svg(bins: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Share of right pairs over their mean probability, and the diagonal on which both are the same.

    A dot is the larger the more pairs it stands for: its radius grows with the logarithm of their number.
    """
    lines = {name: [(one["said"], one["right"]) for one in some] for name, some in bins.items()}
    sizes = {name: [1 + 2 * log10(one["pairs"] + 1) for one in some] for name, some in bins.items()}
    return _svg(lines, "share right over mean probability", [0, 0.2, 0.4, 0.6, 0.8, 1.0], sizes)


def _svg(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    ticks: Sequence[float],
    sizes: Mapping[str, Sequence[float]],
) -> str:
    parts = [
        f'<text x="{_LEFT}" y="18">{title}</text>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIZE}" height="{_SIZE}" fill="none" stroke="#999999"/>',
    ]
    for number, tick in enumerate(ticks):
        share = number / (len(ticks) - 1)
        parts.append(f'<text x="{_LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
        parts.append(f'<text x="{_x(share):.1f}" y="{_TOP + _SIZE + 16}" text-anchor="middle">{share:.1f}</text>')
    if sizes:
        parts.append(f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#bbbbbb"/>')
    for number, (colour, (name, points)) in enumerate(zip(_COLOURS, lines.items(), strict=False)):
        shown = [(x, max(y, 0.0)) for x, y in points]
        line = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in shown)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), size in zip(shown, sizes.get(name, ()), strict=False):
            parts.append(f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{size:.1f}" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + _SIZE + 14}" y="{_TOP + 16 + 18 * number}" fill="{colour}">{name}</text>')
    width, height = _LEFT + _SIZE + 190, _TOP + _SIZE + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _x(share: float) -> float:
    return _LEFT + _SIZE * share


def _y(share: float) -> float:
    return _TOP + _SIZE * (1 - share)
