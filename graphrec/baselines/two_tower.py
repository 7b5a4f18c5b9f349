"""The two-tower model trained by in-batch sampled softmax with the logQ correction (Yi et al. 2019)."""

from copy import copy
from typing import Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from graphrec.baselines.item_knn import ones
from graphrec.baselines.towers import ItemTower, TowerSettings, TowerTraining, TwoTowers


class TwoTowerSettings(TowerSettings, extra="forbid", frozen=True):
    """Training by users."""

    temperature: PositiveFloat = 0.2
    """Divides the cosine of the two towers."""
    users_per_batch: PositiveInt = 256
    targets_per_user: PositiveInt = 4
    """Items of a user that a step predicts from the others, at most."""


class TwoTower(TwoTowers):
    """Item tower: an MLP on the features, unit length. User tower: the mean of the tower's outputs over the user's
    items, unit length, the item to be predicted left out; so a user needs no id, and one item is enough.

    May add the same predicted-popularity term as the content arm, with a weight of its own.
    """

    start = TwoTowerSettings()
    space = {  # noqa: RUF012
        "temperature": (0.05, 0.1, 0.2, 0.4),
        "learning_rate": (1e-3, 3e-3),
        "dropout": (0.0, 0.2, 0.5),
        "weight_decay": (1e-2, 1e-1),
    }
    may_use_popularity = True

    def knowing(self, known_UI: sp.csr_matrix) -> Self:
        """See `Baseline.knowing`."""
        other = copy(self)
        other.user_UD_ = user_vectors(ones(known_UI), self.vectors_[:, :-1])
        return other

    def training(
        self, matrix_UI: sp.csr_matrix, x_IF: np.ndarray, settings: TwoTowerSettings, seed: int
    ) -> TowerTraining:
        """See `TwoTowers.training`."""
        return _Training(matrix_UI, x_IF, settings, seed)


def in_batch_softmax(logits_PP: Tensor, log_q_P: Tensor, is_other_positive_PP: Tensor) -> Tensor:
    """Mean over the P pairs of a batch of -log softmax of the pair's own item among the batch's items.

    Row p scores the user of pair p against the items of all pairs; log Q, the probability that an item is drawn, is
    subtracted from its column, or often drawn items would be pushed down for being drawn. Other items that the user
    has touched (also a second copy of the pair's own) are no negatives and are left out of the row.
    """
    corrected_PP = (logits_PP - log_q_P).masked_fill(is_other_positive_PP, -torch.inf)
    return functional.cross_entropy(corrected_PP, torch.arange(len(corrected_PP)))


class _Training:
    def __init__(self, matrix_UI: sp.csr_matrix, x_IF: np.ndarray, settings: TwoTowerSettings, seed: int) -> None:
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        self.once_UI = ones(matrix_UI).astype(np.float32)
        self.degree_U = np.diff(matrix_UI.indptr)
        self.learners = np.flatnonzero(self.degree_U >= 2)  # a target needs another item to be predicted from
        self.log_q_I = torch.from_numpy(log_share(self.once_UI, self.learners, settings.targets_per_user))
        self.x_IF = torch.from_numpy(x_IF)
        self.tower = ItemTower(x_IF.shape[1], settings)
        self.optimiser = torch.optim.AdamW(
            self.tower.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self) -> None:
        order = self.rng.permutation(self.learners)
        for start in range(0, len(order), self.settings.users_per_batch):
            self._step(order[start : start + self.settings.users_per_batch])

    def _step(self, user_B: np.ndarray) -> None:
        history_BI = self.once_UI[user_B]
        row_P, item_P = self._targets(history_BI)
        items, place_N = np.unique(history_BI.indices, return_inverse=True)
        output_ID = functional.normalize(self.tower(self.x_IF[torch.from_numpy(items)]), dim=1)
        offsets_B = torch.from_numpy(history_BI.indptr[:-1].astype(np.int64))
        sum_BD = functional.embedding_bag(torch.from_numpy(place_N), output_ID, offsets_B, mode="sum")
        target_PD = output_ID[torch.from_numpy(np.searchsorted(items, item_P))]
        user_PD = functional.normalize(sum_BD[torch.from_numpy(row_P)] - target_PD, dim=1)
        is_positive_PP = history_BI[:, item_P].toarray()[row_P] > 0
        np.fill_diagonal(is_positive_PP, False)
        logits_PP = user_PD @ target_PD.T / self.settings.temperature
        loss = in_batch_softmax(logits_PP, self.log_q_I[torch.from_numpy(item_P)], torch.from_numpy(is_positive_PP))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def _targets(self, history_BI: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Rows and items of the pairs to be predicted: up to `targets_per_user` of each row, drawn without regard."""
        row_N = np.repeat(np.arange(history_BI.shape[0]), np.diff(history_BI.indptr))
        order_N = np.lexsort((self.rng.random(len(row_N)), row_N))
        rank_N = np.arange(len(row_N)) - np.searchsorted(row_N, row_N)
        chosen_P = np.sort(order_N[rank_N < self.settings.targets_per_user])
        return row_N[chosen_P], history_BI.indices[chosen_P].astype(np.int64)

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        self.tower.eval()
        with torch.no_grad():
            item_ID = functional.normalize(self.tower(self.x_IF), dim=1).numpy()
        self.tower.train()
        return user_vectors(self.once_UI, item_ID), item_ID


def user_vectors(once_UI: sp.csr_matrix, item_ID: np.ndarray) -> np.ndarray:
    """(U, D): the sum of each user's items' vectors, of unit length; zero without items."""
    sum_UD = once_UI @ item_ID
    norm_U1 = np.linalg.norm(sum_UD, axis=1, keepdims=True)
    return sum_UD / np.where(norm_U1 > 0, norm_U1, 1.0)


def log_share(once_UI: sp.csr_matrix, learners: np.ndarray, targets_per_user: int) -> np.ndarray:
    """log of each item's share of the targets of an epoch, float32 (I,); -inf, never asked for, where it has none.

    A user with d items has min(d, targets_per_user) targets, and each of their items is as likely to be one.
    """
    history = once_UI[learners]
    degree = np.diff(history.indptr)
    chance = np.minimum(degree, targets_per_user) / degree
    expected_I = np.asarray(history.T @ chance).ravel()
    with np.errstate(divide="ignore"):
        return np.log(expected_I / max(expected_I.sum(), 1e-12)).astype(np.float32)
