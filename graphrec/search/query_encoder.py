"""Texts and pictures of a query as vectors; a CLIP is loaded when the first of them is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.content_encoder import ContentEncoder
from graphrec.retrieval.pair_weights import KINDS

_NOUN = {"image": "picture", "text": "text"}


class QueryEncoder:
    """Encodes with the CLIP that made the catalogue's vectors, loaded once per model and only when needed."""

    def __init__(
        self,
        clip: Mapping[str, ClipConfig],
        dims: Mapping[str, int],
        device: str = "cpu",
        cache: Path | None = None,
        made_by: Mapping[str, str] | None = None,
    ) -> None:
        """`cache` remembers what is encoded: for queries that come again, as those of a training do.

        `made_by`: kind → fingerprint of the CLIP that made the catalogue's vectors; another one is refused.
        """
        self._clip = clip
        self._dims = dims
        """Kind → width that its vectors must have."""
        self._device = device
        self._cache = cache
        self._made_by = made_by or {}
        self._loaded: dict[str, ContentEncoder] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """Of what can be encoded: "image", "text", both or none."""
        return frozenset(self._clip)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """N × D, unit rows. Raises GraphRecError where no CLIP can encode texts."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return self._encoder("text").encode_texts(list(texts)).take()[0]

    def pictures(self, paths: Sequence[Path]) -> np.ndarray:
        """N × D, unit rows. Raises GraphRecError for a picture that cannot be used, or where no CLIP can encode one."""
        if not paths:
            return np.zeros((0, 0), dtype=np.float32)
        found = self._encoder("image").encode_images(list(paths))
        for row, reason in found.problems.items():
            raise GraphRecError(f"Picture {paths[row]}: {reason}; give another one.")
        return found.take()[0]

    def fingerprints(self) -> dict[str, str]:
        """Kind → fingerprint of its CLIP. Raises GraphRecError where one cannot be had."""
        return {kind: getattr(self._encoder(kind).facts, kind) for kind in KINDS if kind in self._clip}

    def _encoder(self, kind: str) -> ContentEncoder:
        if kind not in self._clip:
            raise GraphRecError(
                f"No CLIP is known for the catalogue's vectors, so a {_NOUN[kind]} cannot be looked for: search with "
                f"items, or name the CLIP that made them (clip under vectors in dataset.yaml) and train again."
            )
        clip = self._clip[kind]
        # One model serves both kinds where they share a space.
        same = next((k for k in KINDS if k in self._loaded and self._clip.get(k) == clip), None)
        encoder = self._loaded[same] if same else self._open(clip)
        if encoder.dim != self._dims[kind]:
            raise GraphRecError(
                f"CLIP {clip} makes vectors of {encoder.dim} numbers, the catalogue's have {self._dims[kind]}: "
                "correct clip under vectors in dataset.yaml and train again."
            )
        if self._made_by.get(kind, getattr(encoder.facts, kind)) != getattr(encoder.facts, kind):
            raise GraphRecError(
                f"CLIP {clip} is not the one that made this run's vectors (other weights or preprocessing under the "
                "same name): train again, or put the old one back."
            )
        self._loaded[kind] = encoder
        return encoder

    def _open(self, clip: ClipConfig) -> ContentEncoder:
        if self._cache is not None:
            return ContentEncoder(clip, self._device, self._cache)
        return ContentEncoder(clip, self._device, clip=ClipEncoder(clip, self._device))
