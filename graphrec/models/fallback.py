"""The served vector: pure content while an item is new, the graph's as its edges arrive."""

from enum import StrEnum

import numpy as np


class Source(StrEnum):
    """What a served vector is made of."""

    CONTENT = "content"
    """No edge anywhere: the content vector itself."""
    CROSS_SITE = "cross-site"
    """No edge on this site, but edges of the same product on others."""
    BLEND = "blend"
    GRAPH = "graph"
    """The graph's part is at least `GRAPH_SHARE`."""


GRAPH_SHARE = 0.9
_SOURCES = np.array([source.value for source in Source], dtype=object)
_BLEND = list(Source).index(Source.BLEND)


def gate(degree_I: np.ndarray, half_degree: float) -> np.ndarray:
    """g(d) = d / (d + half_degree), float32: 0 without an edge, one half at `half_degree`, towards 1 with many.

    With half_degree = 0 an item with any edge is the graph's alone.
    """
    degree_I = degree_I.astype(np.float64)
    return np.where(degree_I > 0, degree_I / np.maximum(degree_I + half_degree, 1e-300), 0.0).astype(np.float32)


def serve(graph_ID: np.ndarray, content_ID: np.ndarray, degree_I: np.ndarray, half_degree: float) -> np.ndarray:
    """v = g(d)·z + (1 - g(d))·c, and c itself, bit for bit, where d = 0. All float32 (I, D)."""
    g_I1 = gate(degree_I, half_degree)[:, None]
    served_ID = g_I1 * graph_ID + (1 - g_I1) * content_ID
    is_new_I = degree_I == 0
    served_ID[is_new_I] = content_ID[
        is_new_I
    ]  # selected, not computed: 0·z + 1·c is not c where z is infinite or c is -0
    return served_ID


def sources(degree_I: np.ndarray, half_degree: float, degree_elsewhere_I: np.ndarray) -> np.ndarray:
    """The `Source` of each item as a string, (I,) object; degrees on the site and elsewhere."""
    touched_I = _BLEND + (gate(degree_I, half_degree) >= GRAPH_SHARE)
    return _SOURCES[np.where(degree_I == 0, degree_elsewhere_I > 0, touched_I)]
