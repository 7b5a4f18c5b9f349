"""The vectors of items as they came in, before any learning, of a catalogue that grows."""

from dataclasses import dataclass

import numpy as np

from graphrec.data.patched import Patched
from graphrec.features.extract import ItemFeatures
from graphrec.living.arrival import Arrival


@dataclass(frozen=True)
class KnownVectors:
    """By modality: those that are not read from an item's card. Immutable."""

    x: dict[str, Patched]
    """(I, F) each."""
    present: dict[str, Patched]
    signal: dict[str, Patched]

    @classmethod
    def of(cls, features: ItemFeatures) -> "KnownVectors":
        """As the training had them; a modality that no item had is absent throughout."""
        names = [*features.encoders.clip_kinds, *features.encoders.own]
        known = {name: features.modalities[name] for name in names if name in features.modalities}
        return cls(
            {name: Patched(modality.x_IF) for name, modality in known.items()},
            {name: Patched(modality.present_I) for name, modality in known.items()},
            {name: Patched(signal_IS) for name, signal_IS in features.signals.items()},
        )

    def take(self, name: str, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, F) and (N,): these items' vectors, and which have one."""
        if name not in self.x:
            return np.zeros((len(items), 1), dtype=np.float32), np.zeros(len(items), dtype=bool)
        return self.x[name][items], self.present[name][items]

    def signals(self, name: str, items: np.ndarray) -> np.ndarray:
        """(N, S)."""
        return self.signal[name][items]

    def with_rows(self, items: np.ndarray, arrival: Arrival) -> "KnownVectors":
        """With those of these items, N of them as in `arrival`."""
        given = arrival.vectors
        return KnownVectors(
            {name: known.with_rows(items, given[name].x_IF) for name, known in self.x.items()},
            {name: known.with_rows(items, given[name].present_I) for name, known in self.present.items()},
            {name: known.with_rows(items, arrival.signals[name]) for name, known in self.signal.items()},
        )
