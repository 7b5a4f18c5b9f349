"""From the cards of items that arrive to their rows of features, by what was fitted on the training data."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.blocks import Standardiser
from graphrec.features.content_encoder import ContentEncoder
from graphrec.features.extract import ItemFeatures
from graphrec.features.gate import GATED, FeatureGate
from graphrec.features.quality import quality_signals
from graphrec.living.arrival import Arrival
from graphrec.progress import Progress, silent

_SITE = "site"


class ArrivalEncoder:
    """Encodes items one way, however they arrive. Models are loaded when the first item needs them, and kept."""

    def __init__(
        self,
        features: ItemFeatures,
        is_warm_I: np.ndarray,
        made_by: Mapping[str, str],
        device: str = "cpu",
        cache: Path | None = None,
    ) -> None:
        """`features` are those of the training; `made_by`: image and text → fingerprint of the CLIP of the run."""
        self._features = features
        self._is_warm_I = is_warm_I
        self._made_by = made_by
        self._device = device
        self._cache = cache
        self._is_checked = False

    def encode(
        self,
        cards: Catalogue,
        own_vectors: Mapping[str, OwnVectors],
        progress: Progress = silent,
        with_contents: bool = True,
    ) -> tuple[Arrival, dict[str, str]]:
        """What the items' pictures and texts, or the vectors that come with them, say; by kind, where they came from.

        Without contents CLIP is not asked, and what it makes is not among the vectors. Raises GraphRecError where CLIP
        cannot be had or is not the run's, or a vector has another width.
        """
        encoders = self._features.encoders
        for name in own_vectors:
            if name not in encoders.own:
                known = ", ".join(encoders.own) or "none"
                raise GraphRecError(f"The run was not trained with vectors {name!r} (it has: {known}).")
            _check_vectors(name, own_vectors[name])
        contents = self._contents if encoders.clip_kinds and with_contents else None
        vectors, notes = encoders.encode_vectors(cards, own_vectors, contents, progress)
        return Arrival(cards, vectors, quality_signals(cards) if self._features.signals else {}), notes

    def rows(self, arrival: Arrival) -> np.ndarray:
        """Their rows of features as the model reads them, (N, F) float32."""
        cards = arrival.cards
        if _SITE in self._features.encoders.attributes.names and _SITE not in cards.attributes.names:
            attributes = replace(cards.attributes, categorical={**cards.attributes.categorical, _SITE: cards.site})
            cards = replace(cards, attributes=attributes)
        features = self._features.encoders.with_cards(cards, arrival.vectors)
        blocks = self._standardiser.apply(features)
        if self._gate is not None:
            blocks = self._gate.apply(blocks, arrival.signals)
        return blocks.x_IF

    def check_clip(self) -> None:
        """Raise GraphRecError where the CLIP of that name is not the one that made the run's vectors."""
        if self._is_checked or not self._features.encoders.clip_kinds:
            return
        facts = self._contents.facts
        for kind in self._features.encoders.clip_kinds:
            if self._made_by.get(kind, getattr(facts, kind)) != getattr(facts, kind):
                raise GraphRecError(
                    f"CLIP {self._contents.config} is not the one that made this run's vectors (other weights or "
                    "preprocessing under the same name): train again, or put the old one back."
                )
        self._is_checked = True

    def prepare(self) -> None:
        """Fit now what is fitted on the training's features, which takes as long as they are many; it is kept."""
        _ = self._standardiser, self._gate

    @cached_property
    def _contents(self) -> ContentEncoder:
        return ContentEncoder(self._features.encoders.clip, self._device, self._cache)

    @cached_property
    def _standardiser(self) -> Standardiser:
        return Standardiser.fit(self._features, self._is_warm_I)

    @cached_property
    def _gate(self) -> FeatureGate | None:
        if not self._features.signals:
            return None
        blocks = self._standardiser.apply(self._features)
        return FeatureGate.fit(blocks, np.flatnonzero(self._is_warm_I), self._features.signals, GATED)


def _check_vectors(name: str, vectors: OwnVectors) -> None:
    """Raise GraphRecError for what a reader of files would not have let through."""
    if not isinstance(vectors, OwnVectors):
        raise GraphRecError(f"Vectors {name!r}: expected OwnVectors(ids, x_RF), got {type(vectors).__name__}.")
    if vectors.x_RF.ndim != 2 or len(vectors.x_RF) != len(vectors.ids) or not len(vectors.ids):
        raise GraphRecError(
            f"Vectors {name!r}: expected one row for each of their ids, got {len(vectors.ids)} ids and numbers of "
            f"shape {vectors.x_RF.shape}."
        )
    again = pd.Index(vectors.ids, dtype=object).duplicated()
    if again.any():
        raise GraphRecError(f"Vectors {name!r}: the id {vectors.ids[int(np.argmax(again))]!r} stands twice.")
    is_wrong_R = ~np.isfinite(vectors.x_RF.astype(np.float32)).all(axis=1)
    if is_wrong_R.any():
        item_id = vectors.ids[int(np.argmax(is_wrong_R))]
        raise GraphRecError(f"Vectors {name!r}: that of {item_id!r} holds what is no finite number: leave it out.")
