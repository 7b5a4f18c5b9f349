"""The clip index with what changed since it was built."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from graphrec.data.patched import Patched
from graphrec.features.modality import Modality
from graphrec.retrieval.live_index import LiveIndex
from graphrec.search.clip_index import ClipIndex


@dataclass(frozen=True)
class LiveClip:
    """Pictures and texts of a living catalogue; means, spreads and weights stay as they were fitted."""

    clip: ClipIndex
    """With patched rows in its space."""
    index: LiveIndex

    @classmethod
    def of(cls, clip: ClipIndex) -> Self:
        """With nothing changed."""
        space = clip.space
        blocks = {kind: replace(block, has_I=Patched(np.asarray(block.has_I))) for kind, block in space.blocks.items()}
        patched = replace(space, vectors_IE=Patched(np.asarray(space.vectors_IE)), blocks=blocks)
        return cls(replace(clip, space=patched), LiveIndex.of(clip.index))

    def with_rows(self, items: np.ndarray, vectors: dict[str, Modality]) -> Self:
        """With the pictures and texts of these items replaced or added; a kind that is not given is absent."""
        space = self.clip.space
        rows_NE, has = space.rows_of(vectors, len(items))
        index = self.index.with_rows(items, rows_NE)
        blocks = {
            kind: replace(block, has_I=block.has_I.with_rows(items, has[kind]))  # type: ignore[union-attr]
            for kind, block in space.blocks.items()
        }
        return type(self)(replace(self.clip, space=replace(space, vectors_IE=index.vectors_ID, blocks=blocks)), index)

    def without(self, removed: np.ndarray) -> Self:
        """With exactly these items removed."""
        return type(self)(self.clip, self.index.without(removed))
