"""The outline of each category of product, as polygons in a box of -50..50 units, x to the right and y down."""

import numpy as np

Points = list[tuple[float, float]]
Part = tuple[str, Points]
"""A role and a polygon."""


def ring(centre: tuple[float, float], radius: tuple[float, float], start: int, stop: int) -> Points:
    """Points on an ellipse from `start` to `stop` degrees, clockwise from the right."""
    angles = np.arange(start, stop + 1, 12) * np.pi / 180
    return [
        (centre[0] + radius[0] * round(float(np.cos(a)), 3), centre[1] + radius[1] * round(float(np.sin(a)), 3))
        for a in angles
    ]


def _band(
    centre: tuple[float, float], outer: tuple[float, float], inner: tuple[float, float], start: int, stop: int
) -> Points:
    """A strip between two ellipses."""
    return ring(centre, outer, start, stop) + ring(centre, inner, start, stop)[::-1]


def _mirror(points: Points) -> Points:
    return [(-x, y) for x, y in points]


def _both(role: str, points: Points) -> list[Part]:
    """A part and its mirror image."""
    return [(role, points), (role, _mirror(points))]


def _symmetric(right_side: Points) -> Points:
    """A closed outline from its right half, top to bottom."""
    return right_side + _mirror(right_side)[::-1]


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _lace(x: float, y: float) -> Part:
    return "light", [(x, y), (x + 12, y - 3), (x + 13, y), (x + 1, y + 3)]


SHAPES: dict[str, list[Part]] = {
    "shirt": [
        ("cloth", _symmetric([(12, -40), (23, -36), (46, -14), (34, -1), (25, -10), (25, 40)])),
        ("inside", _symmetric([(9, -41), (0, -30)])),
        *_both("trim", [(11, -42), (20, -37), (9, -22), (0, -31)]),
        ("line", _box(-1, -30, 1, 40)),
        *[("light", ring((0, y), (2.5, 2.5), 0, 360)) for y in (-18, -4, 10, 24)],
    ],
    "jumper": [
        ("cloth", _symmetric([(12, -38), (24, -33), (36, -16), (47, 28), (35, 33), (26, 2), (26, 38)])),
        ("trim", _box(-26, 31, 26, 39)),
        *_both("trim", [(47, 28), (35, 33), (33.5, 27), (45, 22)]),
        ("trim", ring((0, -38), (15, 11), 0, 180)),
        ("inside", ring((0, -39), (10, 6), 0, 180)),
    ],
    "jacket": [
        ("cloth", _symmetric([(14, -41), (27, -36), (38, -17), (48, 27), (36, 31), (29, 4), (30, 42)])),
        ("light", _symmetric([(8, -41), (0, -8)])),
        *_both("trim", [(14, -42), (8, -41), (0, -6), (14, -20)]),
        ("line", _box(-1, -8, 1, 42)),
        *_both("trim", _box(8, 13, 24, 19)),
        *[("light", ring((5, y), (2.5, 2.5), 0, 360)) for y in (2, 24)],
    ],
    "dress": [
        ("cloth", _symmetric([(10, -45), (15, -45), (18, -24), (13, -7), (35, 44)])),
        ("inside", _symmetric([(10, -46), (7, -31)])),
        ("trim", _box(-14, -11, 14, -5)),
        *_both("line", [(8, -4), (9, -4), (18, 44), (16, 44)]),
    ],
    "skirt": [
        ("cloth", [*_symmetric([(18, -36)])[::-1], *ring((0, 30), (40, 10), 0, 180)]),
        ("trim", _box(-19, -42, 19, -33)),
        *_both("line", [(7, -33), (8, -33), (16, 39), (14, 39)]),
    ],
    "trousers": [
        ("cloth", _symmetric([(21, -46), (27, 46), (9, 46), (0, -12)])),
        ("trim", _box(-21.5, -47, 21.5, -40)),
        ("line", _box(-1, -40, 1, -14)),
        *_both("line", [(12, -38), (21, -28), (20, -26), (11, -36)]),
    ],
    "shorts": [
        ("cloth", _symmetric([(27, -30), (38, 26), (6, 30), (0, 0)])),
        ("trim", _box(-28, -32, 28, -24)),
        *_both("light", [(4, -26), (6, -26), (9, -6), (7, -6)]),
    ],
    "trainers": [
        (
            "cloth",
            [(-42, -20), (-34, -27), (-16, -25), (-4, -14), (14, -5), (36, 2), (46, 12), (46, 18), (-43, 18), (-44, 0)],
        ),
        ("light", [(-45, 16), (47, 16), (48, 24), (44, 29), (-43, 29), (-47, 25)]),
        ("trim", [(28, -0.5), (36, 2), (46, 12), (46, 16), (24, 16)]),
        ("inside", ring((-25, -26), (10, 4), 0, 360)),
        *[_lace(x, y) for x, y in ((-10, -10), (-2, -6), (6, -2))],
    ],
    "boots": [
        ("cloth", [(-26, -46), (8, -46), (9, -8), (34, 6), (42, 16), (42, 30), (-29, 30)]),
        ("inside", [(-31, 29), (44, 29), (44, 38), (-6, 38), (-8, 42), (-31, 42)]),
        ("trim", _box(-27, -47, 9, -38)),
        *[("light", _box(-2, y, 10, y + 3)) for y in (-30, -21, -12)],
    ],
    "bag": [
        ("trim", _band((0, -12), (22, 32), (16, 26), 180, 360)),
        ("cloth", [(-37, -14), (37, -14), (44, 40), (-44, 40)]),
        ("trim", [(-37, -15), (37, -15), (38.5, -5), (-38.5, -5)]),
        ("light", _box(-5, -8, 5, 1)),
    ],
    "hat": [
        ("trim", ring((0, 18), (47, 14), 0, 360)),
        ("cloth", [(-27, 17), (-24, -20), (-14, -30), (0, -27), (14, -30), (24, -20), (27, 17), (14, 22), (-14, 22)]),
        ("inside", [(-26.5, 6), (26.5, 6), (27, 17), (14, 22), (-14, 22), (-27, 17)]),
    ],
    "scarf": [
        ("cloth", [(2, -12), (20, -16), (25, 36), (5, 36)]),
        ("cloth", [(-22, -16), (-2, -12), (-6, 30), (-26, 28)]),
        ("cloth", ring((0, -24), (31, 18), 0, 360)),
        ("inside", ring((0, -29), (18, 8), 0, 360)),
        *[("trim", _box(x, 36, x + 2, 44)) for x in (6, 11, 16, 21)],
        *[("trim", _box(x, 29, x + 2, 37)) for x in (-25, -20, -15, -10)],
    ],
}
"""Each category's parts from back to front.

Roles: patterned `cloth`, darker `trim`, dark `inside`, cream `light`, thin `line`.
"""

MARK_PLACES = {
    "shirt": (14, -12), "jumper": (14, -14), "jacket": (20, -10), "dress": (0, -18), "skirt": (16, -12),
    "trousers": (-10, -22), "shorts": (20, 10), "trainers": (-30, 2), "boots": (-16, -12), "bag": (20, 20),
    "hat": (0, -8), "scarf": (15, 20),
}  # fmt: skip
"""Where each category carries the brand's sign."""
