"""Sets of rows as rising int64 arrays: looking some up, adding or taking out a few costs a copy, and no sort."""

import numpy as np


def is_among(rows: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """Which of these rows, in any order and shape, are in the set: bool, as `rows`."""
    if not len(rising):
        return np.zeros(rows.shape, dtype=bool)
    at = np.minimum(np.searchsorted(rising, rows), len(rising) - 1)
    is_in: np.ndarray = rising[at] == rows
    return is_in


def with_rows(rising: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The set with these rows too."""
    new = np.unique(rows)
    new = new[~is_among(new, rising)]
    return np.insert(rising, np.searchsorted(rising, new), new)


def without_rows(rising: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The set without those of these rows that are in it."""
    return np.delete(rising, np.searchsorted(rising, rows[is_among(rows, rising)]))
