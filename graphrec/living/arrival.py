"""Items as they came: what is known of them and their vectors, encoded but not placed."""

from dataclasses import dataclass, field

import numpy as np

from graphrec.data.catalogue import Catalogue
from graphrec.features.modality import Modality


@dataclass(frozen=True)
class Arrival:
    """N items that are new, changed or back."""

    cards: Catalogue
    vectors: dict[str, Modality]
    """Of pictures and texts, and own ones: what cannot be made again from the cards."""
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    """image and text → quality signals (N, S), where the run has a gate."""

    def __len__(self) -> int:
        return len(self.cards)


@dataclass(frozen=True)
class Pairs:
    """E events of known items, by ids."""

    user_ids: np.ndarray
    item_ids: np.ndarray
    weight_E: np.ndarray

    def __len__(self) -> int:
        return len(self.user_ids)
