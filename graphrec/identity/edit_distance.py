"""How many letters two titles differ by, for many pairs at once.

Shapes: p pairs of one part, L letters.
"""

import numpy as np

_PAIRS = 50_000
_LETTERS = 48
"""Longer titles are compared by their beginning; the words of the whole are compared elsewhere."""


def edit_similarity(titles_I: np.ndarray, left_P: np.ndarray, right_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P,) float32 each: 1 - edits / letters of the longer title; and of the shorter against the longer's beginning.

    An edit puts in, takes out or changes a letter, or swaps two neighbours (optimal string alignment, Boytsov 2011).
    nan where a title is empty.
    """
    code_IL, length_I = _letters(titles_I)
    whole_P, head_P = np.empty(len(left_P), dtype=np.float32), np.empty(len(left_P), dtype=np.float32)
    for start in range(0, len(left_P), _PAIRS):
        part = slice(start, start + _PAIRS)
        left_p, right_p = left_P[part], right_P[part]
        is_longer_p = length_I[left_p] > length_I[right_p]
        short_p, long_p = np.where(is_longer_p, right_p, left_p), np.where(is_longer_p, left_p, right_p)
        whole_P[part], head_P[part] = _similarities(
            code_IL[short_p], code_IL[long_p], length_I[short_p], length_I[long_p]
        )
    return whole_P, head_P


def _letters(titles_I: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code points (I, L) int32, 0 beyond the end, and lengths."""
    cut = np.array([title[:_LETTERS] for title in titles_I], dtype=f"<U{_LETTERS}")
    code_IL = cut.view(np.uint32).reshape(len(cut), _LETTERS).astype(np.int32)
    return code_IL, (code_IL > 0).sum(axis=1)


def _similarities(
    short_pL: np.ndarray, long_pL: np.ndarray, short_p: np.ndarray, long_p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Row i of the table of edits from row i - 1: puttings-in, which follow each other within a row, by a running
    minimum of (edits - place)."""
    steps, width = int(short_p.max(initial=0)), int(long_p.max(initial=0))
    place_L = np.arange(width + 1, dtype=np.int16)
    above_pL = np.broadcast_to(place_L, (len(short_p), width + 1)).copy()
    before_pL = above_pL
    final_pL = above_pL.copy()
    long_pL = long_pL[:, :width]
    for row in range(1, steps + 1):
        is_other_pL = short_pL[:, row - 1 : row] != long_pL
        here_pL = np.empty_like(above_pL)
        here_pL[:, 0] = row
        np.minimum(above_pL[:, 1:] + 1, above_pL[:, :-1] + is_other_pL, out=here_pL[:, 1:])
        if row > 1:
            is_swap_pL = (short_pL[:, row - 1 : row] == long_pL[:, :-1]) & (
                short_pL[:, row - 2 : row - 1] == long_pL[:, 1:]
            )
            swapped_pL = np.where(is_swap_pL, before_pL[:, :-2] + 1, here_pL[:, 2:])
            np.minimum(here_pL[:, 2:], swapped_pL, out=here_pL[:, 2:])
        here_pL = np.minimum.accumulate(here_pL - place_L, axis=1) + place_L
        final_pL = np.where((short_p == row)[:, None], here_pL, final_pL)
        before_pL, above_pL = above_pL, here_pL
    whole_p = np.take_along_axis(final_pL, long_p[:, None], axis=1)[:, 0]
    head_p = np.where(place_L <= long_p[:, None], final_pL, np.iinfo(np.int16).max).min(axis=1)
    is_empty_p = short_p == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(is_empty_p, np.nan, 1 - whole_p / long_p), np.where(is_empty_p, np.nan, 1 - head_p / short_p)
