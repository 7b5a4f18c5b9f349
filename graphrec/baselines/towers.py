"""What the two-tower arms share: a content tower for items, and the way they are tuned and trained."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.early_stopping import train_to_best
from graphrec.baselines.judge import Judge
from graphrec.baselines.modalities import compressed
from graphrec.baselines.popularity_term import best_popularity_weight, popularity_terms
from graphrec.baselines.search import random_search
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.progress import Progress

INPUT_DIM = 512
"""Features are compressed to at most so many numbers before the tower."""
MOST_TRIES = 6
"""Of the tuning budget: one try is a whole training."""
_MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE = 100, 1, 5


class TowerSettings(BaseModel, extra="forbid", frozen=True):
    """Shape and training of the item tower."""

    dim: PositiveInt = 64
    hidden: PositiveInt = 256
    dropout: NonNegativeFloat = 0.2
    """Share of the inputs, and of the hidden units, that a step leaves out."""
    learning_rate: PositiveFloat = 3e-3
    weight_decay: NonNegativeFloat = 1e-2
    """AdamW's."""


class ItemTower(nn.Module):
    """x ↦ W₂·dropout(relu(W₁·dropout(x))) with biases: the item's features and nothing else, so cold items have one."""

    def __init__(self, num_features: int, settings: TowerSettings) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(num_features, settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, settings.dim),
        )

    def forward(self, x_IF: Tensor) -> Tensor:
        """(I, F) → (I, D)."""
        return self.layers(x_IF)


class TowerTraining(Protocol):
    """A pair of towers while it is trained."""

    def epoch(self) -> None:
        """One pass over what is trained on."""
        ...

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all users (U, D) and all items (I, D), float32, without dropout."""
        ...


class TwoTowers(VectorBaseline):
    """Settings, and for each of them the number of epochs, are chosen by NDCG@20 on the masked items.

    The final training takes all edges and that many epochs. Runs on the CPU.
    """

    has_personal_part = True
    space: ClassVar[Mapping[str, Sequence[Any]]]
    start: ClassVar[TowerSettings]
    may_use_popularity: ClassVar[bool]
    """Whether the predicted-popularity term may be added, with a weight chosen on the masked items."""

    @abstractmethod
    def training(self, matrix_UI: sp.csr_matrix, x_IF: np.ndarray, settings: Any, seed: int) -> TowerTraining:
        """Untrained towers for these interactions and features."""

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        judge = Judge.of(inputs, "cold")
        x_IF = compressed(inputs.blocks, judge.masked.warm_items, INPUT_DIM, inputs.seed)
        epochs: dict[TowerSettings, int] = {}
        best_score, best_vectors = -np.inf, (np.zeros((0, 0)), np.zeros((0, 0)))

        def score(settings: TowerSettings) -> float:
            def masked_ndcg() -> float:
                nonlocal best_score, best_vectors
                user_UD, item_ID = training.vectors()
                value = judge.by_vectors(user_UD[judge.users], item_ID)
                if value > best_score:
                    best_score, best_vectors = value, (user_UD[judge.users], item_ID)
                return value

            with seeded(inputs.seed):
                training = self.training(judge.matrix_UI, x_IF, settings, inputs.seed)
                stopped = train_to_best(training.epoch, masked_ndcg, _MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE)
            epochs[settings] = stopped.epoch
            return stopped.score

        tries = min(inputs.tuning.tries, MOST_TRIES)
        self.search_ = random_search(self.start, self.space, score, tries, inputs.seed, progress, "Tuning two towers")
        self.settings_ = self.search_.best.settings
        self.epochs_ = epochs[self.settings_]
        self.popularity_weight_ = (
            best_popularity_weight(judge, inputs.blocks, *best_vectors) if self.may_use_popularity else 0.0
        )
        self._train(inputs, progress)

    def _train(self, inputs: TrainingInput, progress: Progress) -> None:
        matrix_UI = inputs.train.interactions.user_item_matrix()
        degree_I = inputs.train.interactions.item_degree()
        warm = np.flatnonzero(degree_I)
        x_IF = compressed(inputs.blocks, warm, INPUT_DIM, inputs.seed)
        with seeded(inputs.seed):
            training = self.training(matrix_UI, x_IF, self.settings_, inputs.seed)
            for _ in progress(range(self.epochs_), "Training two towers"):
                training.epoch()
        self.user_UD_, item_ID = training.vectors()
        term_I = np.zeros(len(degree_I), dtype=np.float32)
        if self.may_use_popularity:
            term_I = popularity_terms(inputs.blocks, degree_I, inputs.seed).observed_I
        self.vectors_ = with_popularity(item_ID, term_I)
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(matrix_UI, inputs.seed)), item_ID[warm])

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): the user tower's vectors."""
        return self.user_UD_[users]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generator starts from the seed inside, and is as it was afterwards: dropout draws from it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
