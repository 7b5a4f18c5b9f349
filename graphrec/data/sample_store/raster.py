"""Filling polygons in whole numbers, so that a picture has the same pixels on every platform and with every library."""

import numpy as np


def fill_polygon(canvas: np.ndarray, points: list[tuple[int, int]], value: object) -> None:
    """Set the pixels of `canvas` (rows × columns, or × channels) whose centre lies inside the polygon (even-odd rule).

    Corners are (x, y) in pixels from the top left corner and may lie outside the canvas.
    """
    corner_N2 = np.array(points, dtype=np.int64)
    left, top = np.maximum(corner_N2.min(axis=0), 0)
    right, bottom = np.minimum(corner_N2.max(axis=0), [canvas.shape[1], canvas.shape[0]])
    if left >= right or top >= bottom:
        return
    toggles = np.zeros((bottom - top, right - left + 1), dtype=bool)
    row, column = _crossings(corner_N2, np.arange(top, bottom))
    np.logical_xor.at(toggles, (row, np.clip(column, left, right) - left), True)
    is_inside = np.logical_xor.accumulate(toggles, axis=1)[:, :-1]
    canvas[top:bottom, left:right][is_inside] = value


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask with every pixel spread to a square that reaches `by` pixels in each direction."""
    tall = mask.copy()
    for step in range(1, by + 1):
        tall[step:] |= mask[:-step]
        tall[:-step] |= mask[step:]
    wide = tall.copy()
    for step in range(1, by + 1):
        wide[:, step:] |= tall[:, :-step]
        wide[:, :-step] |= tall[:, step:]
    return wide


def _crossings(corner_N2: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where edges cross the rows' centre lines: positions in `rows`, and the first column with its centre past it."""
    start, stop = corner_N2, np.roll(corner_N2, -1, axis=0)
    upward = start[:, 1] > stop[:, 1]
    (x1, y1), (x2, y2) = np.where(upward[:, None], stop, start).T, np.where(upward[:, None], start, stop).T
    centre = 2 * rows[:, None] + 1  # in half pixels: odd, and therefore never at a corner
    row, edge = np.nonzero((2 * y1 < centre) & (centre < 2 * y2))
    x1, y1, width, height = x1[edge], y1[edge], (x2 - x1)[edge], (y2 - y1)[edge]
    # x = x1 + (centre / 2 - y1) * width / height, and the column is ceil(x - 1/2)
    numerator = (2 * x1 - 1) * height + (centre[row, 0] - 2 * y1) * width
    return row, -(-numerator // (2 * height))
