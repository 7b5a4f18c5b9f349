"""Matrix factorisation with a content mapping that is trained with input dropout (DropoutNet, Volkovs et al. 2017).

Shapes: I items, F features after compression, D factors.
"""

from copy import copy
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.early_stopping import train_to_best
from graphrec.baselines.implicit_als import ALSSettings, als_factors, require_implicit, with_new_users
from graphrec.baselines.judge import Judge
from graphrec.baselines.modalities import compressed
from graphrec.baselines.popularity_term import best_popularity_weight, popularity_terms
from graphrec.baselines.search import random_search
from graphrec.baselines.towers import INPUT_DIM, seeded
from graphrec.data.dataset import Dataset
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.progress import Progress

MOST_TRIES = 20
"""Of the tuning budget: one try is a factorisation and the training of a network."""
_MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE = 300, 5, 6


class MFContentSettings(ALSSettings, extra="forbid", frozen=True):
    """Factorisation and network."""

    hidden: PositiveInt = 256
    factor_dropout: float = Field(default=0.5, gt=0, lt=1)
    """Share of the items whose factors are hidden from the network in a step, so that it learns to do without."""
    dropout: NonNegativeFloat = 0.2
    """Share of the features, and of the hidden units, that a step leaves out."""
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    """AdamW's."""
    batch_size: PositiveInt = 256
    """Items per step."""


SPACE = {
    "factors": (32, 64, 128),
    "penalty": (0.1, 1.0, 3.0, 10.0, 30.0, 100.0),
    "confidence": (2.0, 5.0),
    "factor_dropout": (0.3, 0.5, 0.8),
    "dropout": (0.0, 0.2, 0.5),
    "learning_rate": (1e-3, 3e-3),
}


class MFContent(VectorBaseline):
    """ALS factors, then a network from [features, factors or zeros] to the space of the factors.

    A cold item is served by the network from its features and zeros. A warm item's factors pass through a residual
    connection, so what the factorisation knows of it is not lost. Settings and the number of epochs are chosen by
    NDCG@20 on the masked items, then the weight of the predicted-popularity term. Users keep their ALS factors.
    Needs the extra `graphrec[baselines]`; runs on the CPU.
    """

    has_personal_part = True
    start: ClassVar = MFContentSettings()

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """See `Baseline.check`."""
        super().check(train, has_unseen_users)
        require_implicit(type(self).__name__)

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        judge = Judge.of(inputs, "cold")
        warm = judge.masked.warm_items
        x_IF = compressed(inputs.blocks, warm, INPUT_DIM, inputs.seed)
        epochs: dict[MFContentSettings, int] = {}
        best_score, best_vectors = -np.inf, (np.zeros((0, 0)), np.zeros((0, 0)))

        def score(settings: MFContentSettings) -> float:
            user_UD, item_ID = als_factors(judge.matrix_UI, settings, inputs.seed)

            def masked_ndcg() -> float:
                nonlocal best_score, best_vectors
                vectors_ID = training.vectors()
                value = judge.by_vectors(user_UD[judge.users], vectors_ID)
                if value > best_score:
                    best_score, best_vectors = value, (user_UD[judge.users], vectors_ID)
                return value

            with seeded(inputs.seed):
                training = MappingTraining(x_IF, user_UD, item_ID, warm, settings, inputs.seed)
                stopped = train_to_best(training.epoch, masked_ndcg, _MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE)
            epochs[settings] = stopped.epoch
            return stopped.score

        tries = min(inputs.tuning.tries, MOST_TRIES)
        self.search_ = random_search(
            self.start, SPACE, score, tries, inputs.seed, progress, "Tuning the content mapping"
        )
        self.settings_ = self.search_.best.settings
        self.epochs_ = epochs[self.settings_]
        self.popularity_weight_ = best_popularity_weight(judge, inputs.blocks, *best_vectors)
        self._train(inputs)

    def _train(self, inputs: TrainingInput) -> None:
        matrix_UI = inputs.train.interactions.user_item_matrix()
        degree_I = inputs.train.interactions.item_degree()
        warm = np.flatnonzero(degree_I)
        x_IF = compressed(inputs.blocks, warm, INPUT_DIM, inputs.seed)
        self.user_UD_, self.item_ID_ = als_factors(matrix_UI, self.settings_, inputs.seed)
        with seeded(inputs.seed):
            training = MappingTraining(x_IF, self.user_UD_, self.item_ID_, warm, self.settings_, inputs.seed)
            for _ in range(self.epochs_):
                training.epoch()
        vectors_ID = training.vectors()
        self.vectors_ = with_popularity(vectors_ID, popularity_terms(inputs.blocks, degree_I, inputs.seed).observed_I)
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(matrix_UI, inputs.seed)), vectors_ID[warm])

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`: users whom training never saw get the factors that least squares gives them."""
        other = copy(self)
        other.user_UD_ = with_new_users(self.user_UD_, known_UI, self.item_ID_, self.settings_)
        return other

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): the users' factors."""
        return self.user_UD_[users]


class ContentMapping(nn.Module):
    """[x, v] ↦ v + MLP([x, v]); v is zero for an item without factors, or where they are dropped."""

    def __init__(self, num_features: int, settings: MFContentSettings) -> None:
        super().__init__()
        self.dropped = nn.Dropout(settings.dropout)
        self.layers = nn.Sequential(
            nn.Linear(num_features + settings.factors, settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, settings.factors),
        )

    def forward(self, x_IF: Tensor, v_ID: Tensor) -> Tensor:
        """(I, F) and (I, D) → (I, D)."""
        return v_ID + self.layers(torch.cat([self.dropped(x_IF), v_ID], dim=1))


class MappingTraining:
    """The network over warm items while it is trained; a cold item's factors are zero."""

    def __init__(
        self,
        x_IF: np.ndarray,
        user_UD: np.ndarray,
        item_ID: np.ndarray,
        warm: np.ndarray,
        settings: MFContentSettings,
        seed: int,
    ) -> None:
        self.settings = settings
        self.warm = warm
        self.rng = np.random.default_rng(seed)
        self.length = float(np.sqrt(np.mean(item_ID[warm] ** 2))) or 1.0  # factors of unit deviation inside
        self.x_IF, self.v_ID = torch.from_numpy(x_IF), torch.from_numpy(item_ID / self.length)
        self.root_DD = relevance_root(user_UD, self.v_ID[torch.from_numpy(warm)].numpy())
        self.network = ContentMapping(x_IF.shape[1], settings)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self) -> None:
        """One pass over the warm items in random order."""
        order = self.rng.permutation(self.warm)
        for start in range(0, len(order), self.settings.batch_size):
            batch = order[start : start + self.settings.batch_size]
            is_kept_B = torch.from_numpy(self.rng.random(len(batch)) >= self.settings.factor_dropout)
            at = torch.from_numpy(batch)
            found_BD = self.network(self.x_IF[at], self.v_ID[at] * is_kept_B[:, None])
            loss = ((found_BD - self.v_ID[at]) @ self.root_DD).square().sum(dim=1).mean()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def vectors(self) -> np.ndarray:
        """(I, D) of all items in the scale of the factors, float32."""
        self.network.eval()
        with torch.no_grad():
            vectors_ID = self.network(self.x_IF, self.v_ID).numpy()
        self.network.train()
        return vectors_ID * np.float32(self.length)


def relevance_root(user_UD: np.ndarray, item_RD: np.ndarray) -> Tensor:
    """L (D, D) such that ‖eᵀL‖² is the mean over users of (u·e)², relative to that of the items' own vectors.

    DropoutNet's objective, the squared error of u·v over user-item pairs, summed over all users in closed form instead
    of over drawn pairs. A tenth of a plain squared error is added, so that no direction is left without a say.
    """
    moment_DD = (user_UD.T @ user_UD).astype(np.float64) / max(1, len(user_UD))
    moment_DD += 0.1 * np.trace(moment_DD) / len(moment_DD) * np.eye(len(moment_DD))
    own = np.einsum("rd,de,re->r", item_RD, moment_DD, item_RD, optimize=True).mean()
    return torch.from_numpy(np.linalg.cholesky(moment_DD / max(own, 1e-12))).float()
