"""The two-tower model as it is usually taught: binary cross-entropy with random negatives."""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from graphrec.baselines.negatives import NegativeSampler
from graphrec.baselines.towers import ItemTower, TowerSettings, TowerTraining, TwoTowers

_INITIAL_DEVIATION = 0.1


class TwoTowerBCESettings(TowerSettings, extra="forbid", frozen=True):
    """Training by pairs."""

    negatives: PositiveInt = 4
    """Items that the user has not touched, for each observed pair."""
    batch_size: PositiveInt = 8192
    """Observed pairs per step."""


class TwoTowerBCE(TwoTowers):
    """User tower: an embedding per user id. Item tower: an MLP on the features. Score: their inner product.

    Each observed pair is told from pairs with uniformly drawn warm items that the user has not touched. No popularity
    term: what it knows of popularity it learned.
    """

    start = TwoTowerBCESettings()
    space = {"learning_rate": (1e-3, 3e-3), "dropout": (0.0, 0.2, 0.5), "weight_decay": (1e-2, 1e-1)}  # noqa: RUF012
    may_use_popularity = False

    def training(
        self, matrix_UI: sp.csr_matrix, x_IF: np.ndarray, settings: TwoTowerBCESettings, seed: int
    ) -> TowerTraining:
        """See `TwoTowers.training`."""
        return _Training(matrix_UI, x_IF, settings, seed)


def binary_loss(positive_B: Tensor, negative_BN: Tensor) -> Tensor:
    """Mean of -log σ(s) over observed pairs and -log(1 - σ(s)) over drawn ones, every pair counting once."""
    losses = [functional.softplus(-positive_B), functional.softplus(negative_BN).flatten()]
    return torch.cat(losses).mean()


class _Training:
    def __init__(self, matrix_UI: sp.csr_matrix, x_IF: np.ndarray, settings: TwoTowerBCESettings, seed: int) -> None:
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        self.user_P = np.repeat(np.arange(matrix_UI.shape[0]), np.diff(matrix_UI.indptr))
        self.item_P = matrix_UI.indices.astype(np.int64)
        self.negatives = NegativeSampler(matrix_UI, np.unique(self.item_P), self.rng)
        self.x_IF = torch.from_numpy(x_IF)
        self.tower = ItemTower(x_IF.shape[1], settings)
        self.users = nn.Embedding(matrix_UI.shape[0], settings.dim)
        nn.init.normal_(self.users.weight, std=_INITIAL_DEVIATION)
        self.optimiser = torch.optim.AdamW(
            [*self.tower.parameters(), *self.users.parameters()],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def epoch(self) -> None:
        order_P = self.rng.permutation(len(self.user_P))
        for start in range(0, len(order_P), self.settings.batch_size):
            batch = order_P[start : start + self.settings.batch_size]
            self._step(self.user_P[batch], self.item_P[batch])

    def _step(self, user_B: np.ndarray, item_B: np.ndarray) -> None:
        negative_M = self.negatives.draw(np.repeat(user_B, self.settings.negatives))
        items, place_N = np.unique(np.concatenate([item_B, negative_M]), return_inverse=True)
        item_ID = self.tower(self.x_IF[torch.from_numpy(items)])[torch.from_numpy(place_N)]
        user_BD = self.users(torch.from_numpy(user_B))
        positive_B = (user_BD * item_ID[: len(user_B)]).sum(dim=1)
        negative_BND = item_ID[len(user_B) :].view(len(user_B), self.settings.negatives, -1)
        loss = binary_loss(positive_B, torch.einsum("bd,bnd->bn", user_BD, negative_BND))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        self.tower.eval()
        with torch.no_grad():
            item_ID = self.tower(self.x_IF).numpy()
        self.tower.train()
        return self.users.weight.detach().numpy().copy(), item_ID
