"""Vectors that leave the model: one row per user or item, with its id, its degree and where the vector comes from."""

from dataclasses import dataclass

import numpy as np

SOURCES = ("content", "cross-site", "blend", "graph", "none")
"""Items: content (no edge anywhere), cross-site (no edge on this site), blend or graph. Users: graph, or none (no item
to encode them from)."""


@dataclass(frozen=True)
class Embeddings:
    """N vectors of dimension D; row number = index.

    Raises ValueError where lengths differ, an id stands twice, a source is unknown or a number is not finite.
    """

    ids: np.ndarray
    """The user's own strings, object array (N,), all different."""
    vectors: np.ndarray
    """float32 (N, D); items: the served vectors v, users: the queries q. Their inner product is the score."""
    degree: np.ndarray
    """Edges of the row in the training graph, int64 (N,)."""
    source: np.ndarray
    """One of `SOURCES` per row, object array (N,)."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise ValueError(f"Expected float32 vectors (N, D), got {self.vectors.dtype} {self.vectors.shape}.")
        shapes = {name: getattr(self, name).shape for name in ("ids", "degree", "source")}
        if any(shape != (len(self.vectors),) for shape in shapes.values()):
            raise ValueError(
                f"Expected one id, degree and source for each of {len(self.vectors)} vectors, got {shapes}."
            )
        if not all(isinstance(one, str) for one in self.ids) or len(set(self.ids)) != len(self.ids):
            raise ValueError("Expected ids to be strings, every one once.")
        unknown = set(self.source) - set(SOURCES)
        if unknown:
            raise ValueError(f"Expected sources among {SOURCES}, got {sorted(map(str, unknown))}.")
        if not np.issubdtype(self.degree.dtype, np.integer) or (self.degree < 0).any():
            raise ValueError("Expected degrees to be integers of at least 0.")
        if not np.isfinite(self.vectors).all():
            raise ValueError("Expected finite vectors, got nan or infinity.")

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """D, the length of a vector."""
        return int(self.vectors.shape[1])
