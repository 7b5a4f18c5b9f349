"""Pictures of the products: shape per category, colour, pattern, brand mark, background per site.

Everything is drawn at four times the size in whole numbers and averaged down, so that pixels are the same everywhere.
A canvas is a uint8 array of shape (rows, columns, 3).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from graphrec.data.sample_store.products import Products
from graphrec.data.sample_store.raster import fill_polygon, grown
from graphrec.data.sample_store.shapes import MARK_PLACES, SHAPES, Points, ring
from graphrec.data.sample_store.vocabulary import BRANDS, CATEGORIES, COLOURS, PATTERNS, SITES

PICTURE_SIZE = 64
"""Width and height in pixels."""

_ZOOM = 4
_CANVAS = PICTURE_SIZE * _ZOOM
_SHADOW_SHIFT = (11, 9)
_UNIT = 1024  # rotation and scale are integers in 1/1024

Colour = tuple[int, int, int]

_RGB: dict[str, Colour] = {
    "navy": (34, 48, 92), "blue": (66, 124, 206), "teal": (38, 146, 142), "green": (62, 140, 76),
    "olive": (122, 122, 58), "yellow": (236, 196, 66), "orange": (232, 134, 52), "red": (200, 52, 52),
    "pink": (236, 150, 176), "beige": (212, 190, 156), "grey": (142, 146, 152), "black": (44, 44, 48),
    "white": (244, 243, 238),
}  # fmt: skip
_CREAM: Colour = (250, 246, 236)
_CHARCOAL: Colour = (58, 58, 70)
_MARK_COLOURS: tuple[Colour, ...] = ((255, 255, 255), (28, 28, 32), (222, 176, 48))
_STUDIO: tuple[Colour, ...] = ((226, 230, 234), (232, 228, 222), (216, 222, 230), (222, 222, 222))
_WALLS: tuple[Colour, ...] = (
    (250, 220, 200),
    (206, 228, 214),
    (204, 218, 240),
    (248, 232, 182),
    (228, 212, 236),
    (240, 208, 212),
)
_FLOORS: tuple[Colour, ...] = ((186, 150, 118), (150, 172, 140), (160, 160, 176), (206, 178, 140))


@dataclass(frozen=True)
class Pose:
    """How the camera stands to a product: position in canvas pixels, scale and rotation in 1/1024."""

    x: int
    y: int
    scale: int
    cos: int
    sin: int
    is_mirrored: bool

    def place(self, points: Points) -> list[tuple[int, int]]:
        """Shape units to canvas pixels."""
        flip = -1 if self.is_mirrored else 1
        unit2 = [(flip * round(2 * px), round(2 * py)) for px, py in points]
        return [
            (
                self.x + (self.cos * px - self.sin * py) * self.scale // (2 * _UNIT * _UNIT),
                self.y + (self.sin * px + self.cos * py) * self.scale // (2 * _UNIT * _UNIT),
            )
            for px, py in unit2
        ]

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Shape units (u, v) of every canvas pixel, in sixteenths, each of shape (canvas, canvas)."""
        dy, dx = np.mgrid[:_CANVAS, :_CANVAS].astype(np.int32)
        dx, dy = dx - self.x, dy - self.y
        u = (self.cos * dx + self.sin * dy) * 16 // self.scale
        v = (self.cos * dy - self.sin * dx) * 16 // self.scale
        return (-u if self.is_mirrored else u), v


def draw_picture(rng: np.random.Generator, products: Products, product: int, site: int) -> Image.Image:
    """One RGB picture of a product as a site shows it; angle, place, scale and background differ from call to call."""
    category, colour, pattern = (
        values[products.trait(name)[product]]
        for name, values in (("category", CATEGORIES), ("colour", COLOURS), ("pattern", PATTERNS))
    )
    pose = _draw_pose(rng, is_studio=SITES[site] == "harbour")
    canvas = _studio(rng) if SITES[site] == "harbour" else _scenery(rng)
    _draw_product(canvas, pose, category, _lit(rng, _RGB[colour]), pattern, _second_colour(colour, pattern))
    _draw_mark(canvas, pose, MARK_PLACES[category], int(products.trait("brand")[product]))
    return Image.fromarray(_averaged(canvas))


def _draw_pose(rng: np.random.Generator, is_studio: bool) -> Pose:
    """Small turns in the studio, larger ones and other distances outside it."""
    most_tenths, shift, low, high = (60, 6, 2150, 2400) if is_studio else (150, 14, 1650, 2300)
    radians = float(rng.integers(-most_tenths, most_tenths + 1)) / 10 * np.pi / 180
    return Pose(
        x=_CANVAS // 2 + int(rng.integers(-shift, shift + 1)),
        y=_CANVAS // 2 + int(rng.integers(-shift, shift + 1)),
        scale=int(rng.integers(low, high)),
        cos=round(_UNIT * np.cos(radians)),
        sin=round(_UNIT * np.sin(radians)),
        is_mirrored=bool(rng.integers(2)),
    )


def _draw_product(canvas: np.ndarray, pose: Pose, category: str, colour: Colour, pattern: str, second: Colour) -> None:
    """Shadow, outline, patterned cloth, then the plain parts on top."""
    layers = [(role, pose.place(points)) for role, points in SHAPES[category]]
    is_cloth, is_product = np.zeros((2, _CANVAS, _CANVAS), dtype=bool)
    for role, points in layers:
        fill_polygon(is_product, points, True)
        if role == "cloth":
            fill_polygon(is_cloth, points, True)
    _darken(canvas, np.roll(is_product, _SHADOW_SHIFT, axis=(0, 1)))
    edge = _mix(colour, (0, 0, 0), 45)
    canvas[grown(is_product, by=2)] = edge
    canvas[is_cloth] = colour
    canvas[is_cloth & _PATTERN_MASKS[pattern](*pose.units())] = second
    paint = {"trim": _mix(colour, (0, 0, 0), 25), "inside": _mix(colour, (0, 0, 0), 55), "light": _CREAM, "line": edge}
    for role, points in layers:
        if role != "cloth":
            fill_polygon(canvas, points, paint[role])


def _darken(canvas: np.ndarray, mask: np.ndarray) -> None:
    """Take a fifth of the light away, in place."""
    np.copyto(canvas, (canvas.astype(np.uint16) * 4 // 5).astype(np.uint8), where=mask[..., None])


def _second_colour(colour: str, pattern: str) -> Colour:
    """Cream on dark cloth, charcoal on pale cloth; milder where the pattern covers half of it."""
    second = _CREAM if sum(_RGB[colour]) < 550 else _CHARCOAL
    return _mix(_RGB[colour], second, 60) if pattern in ("checked", "two-tone") else second


def _dots(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Discs on a staggered lattice, 14 units apart."""
    row = v // (14 * 16)
    du, dv = (u + row % 2 * 7 * 16) % (14 * 16) - 7 * 16, v % (14 * 16) - 7 * 16
    return du * du + dv * dv < (4 * 16) ** 2


def _flowers(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Four petals around an open centre, on a staggered lattice 20 units apart."""
    row = v // (20 * 16)
    du, dv = abs((u + row % 2 * 10 * 16) % (20 * 16) - 10 * 16), abs(v % (20 * 16) - 10 * 16)
    petal = np.minimum((du - 5 * 16) ** 2 + dv * dv, du * du + (dv - 5 * 16) ** 2) < (4 * 16) ** 2
    return petal & (du * du + dv * dv > 32**2)


_PATTERN_MASKS = {
    "plain": lambda u, v: np.zeros(u.shape, dtype=bool),
    "striped": lambda u, v: v % (14 * 16) < 6 * 16,
    "dotted": _dots,
    "checked": lambda u, v: (u // (9 * 16) + v // (9 * 16)) % 2 == 0,
    "floral": _flowers,
    "zigzag": lambda u, v: (v + abs(u % (20 * 16) - 10 * 16)) % (16 * 16) < 6 * 16,
    "two-tone": lambda u, v: u + v > 0,
}
"""Which pixels take the second colour, from shape units in sixteenths."""


def _draw_mark(canvas: np.ndarray, pose: Pose, place: tuple[int, int], brand: int) -> None:
    """The brand's sign: one of four shapes in one of three colours, on a dark rim."""
    x, y = place
    size = 6
    signs: tuple[Points, ...] = (
        ring((x, y), (size, size), 0, 360),
        [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)],
        [(x, y - size - 1), (x + size + 1, y + size), (x - size - 1, y + size)],
        [(x, y - size - 2), (x + size + 2, y), (x, y + size + 2), (x - size - 2, y)],
    )
    mark = _MARK_COLOURS[brand % len(_MARK_COLOURS)]
    points = pose.place(signs[brand % len(BRANDS) // len(_MARK_COLOURS)])
    is_mark = np.zeros((_CANVAS, _CANVAS), dtype=bool)
    fill_polygon(is_mark, points, True)
    canvas[grown(is_mark, by=2)] = _mix(mark, (128, 128, 128), 80)
    canvas[is_mark] = mark


def _studio(rng: np.random.Generator) -> np.ndarray:
    """A pale backdrop that darkens towards the floor."""
    top = np.array(_STUDIO[int(rng.integers(len(_STUDIO)))])
    shade_Y = np.arange(_CANVAS) * 30 // _CANVAS
    return _rows((top - shade_Y[:, None]).astype(np.uint8))


def _scenery(rng: np.random.Generator) -> np.ndarray:
    """A coloured wall with a pale disc on it, above a floor."""
    wall, floor = _WALLS[int(rng.integers(len(_WALLS)))], _FLOORS[int(rng.integers(len(_FLOORS)))]
    horizon = int(rng.integers(150, 220))
    canvas = _rows(np.where(np.arange(_CANVAS)[:, None] < horizon, _rgb(wall), _rgb(floor)))
    x, y, radius = int(rng.integers(20, 236)), int(rng.integers(20, 120)), int(rng.integers(24, 56))
    disc = [(round(px), round(py)) for px, py in ring((x, y), (radius, radius), 0, 360)]
    fill_polygon(canvas, disc, _mix(wall, (255, 255, 255), 50))
    return canvas


def _rows(row_Y3: np.ndarray) -> np.ndarray:
    """A canvas with one colour per row of pixels."""
    return np.repeat(row_Y3[:, None, :], _CANVAS, axis=1)


def _averaged(canvas: np.ndarray) -> np.ndarray:
    """The canvas at the picture's own size: each pixel the rounded mean of a square."""
    square_YyXx3 = canvas.reshape(PICTURE_SIZE, _ZOOM, PICTURE_SIZE, _ZOOM, 3)
    total_YX3 = square_YyXx3.sum(axis=1, dtype=np.int32).sum(axis=2)
    return ((total_YX3 + _ZOOM**2 // 2) // _ZOOM**2).astype(np.uint8)


def _lit(rng: np.random.Generator, colour: Colour) -> Colour:
    """The colour as that day's light shows it."""
    red, green, blue = (
        int(np.clip(value + shift, 0, 255)) for value, shift in zip(colour, rng.integers(-9, 10, size=3), strict=True)
    )
    return red, green, blue


def _rgb(colour: Colour) -> np.ndarray:
    return np.array(colour, dtype=np.uint8)


def _mix(colour: Colour, other: Colour, percent: int) -> Colour:
    """`percent` of the way from one colour to the other."""
    red, green, blue = (a + (b - a) * percent // 100 for a, b in zip(colour, other, strict=True))
    return red, green, blue
