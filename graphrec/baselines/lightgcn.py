"""LightGCN (He et al. 2020): user and item embeddings averaged over the layers of a linear graph convolution, BPR."""

import warnings
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional
from torch_geometric.nn import LGConv

from graphrec.baselines.arm import TrainingInput, VectorBaseline
from graphrec.baselines.early_stopping import train_to_best
from graphrec.baselines.judge import Judge
from graphrec.baselines.negatives import NegativeSampler
from graphrec.baselines.search import Search, random_search
from graphrec.models.scoring import QueryScale, sample_users, with_popularity
from graphrec.progress import Progress

MOST_TRIES = 4
"""Of the tuning budget: one try is a whole training, hundreds of times a closed form's cost."""
_INITIAL_DEVIATION = 0.1
_MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE = 400, 4, 4


class LightGCNSettings(BaseModel, extra="forbid", frozen=True):
    """What LightGCN is trained with."""

    dim: PositiveInt = 64
    num_layers: PositiveInt = 2
    learning_rate: PositiveFloat = 0.02
    penalty: NonNegativeFloat = 2e-3
    """Of the squared initial embeddings of a batch, as in BPR."""
    batch_size: PositiveInt = 16384
    """Observed pairs per step, each with one negative."""


SPACE = {"num_layers": (1, 2, 3), "learning_rate": (0.01, 0.02, 0.04), "penalty": (1e-4, 5e-4, 2e-3, 5e-3)}


class LightGCN(VectorBaseline):
    """PyG's `LGConv` layers over the normalised interaction graph, trained by BPR on uniform negatives.

    Settings, and for each of them the number of epochs, are chosen by NDCG@20 on masked pairs of warm items; the final
    training takes all edges and that many epochs. A cold item has no edge: it keeps its random initial embedding, which
    says nothing, so cold items are ranked at random among themselves and far below what a user likes.
    """

    has_personal_part = True
    start: ClassVar = LightGCNSettings()

    def _fit(self, inputs: TrainingInput, progress: Progress) -> None:
        judge = Judge.of(inputs, "warm")
        epochs: dict[LightGCNSettings, int] = {}

        def score(settings: LightGCNSettings) -> float:
            training = LightGCNTraining(judge.matrix_UI, settings, inputs.seed)
            stopped = train_to_best(
                training.epoch, lambda: _score(training, judge), _MAX_EPOCHS, _EPOCHS_PER_SCORE, _PATIENCE
            )
            epochs[settings] = stopped.epoch
            return stopped.score

        tries = min(inputs.tuning.tries, MOST_TRIES)
        self.search_: Search[LightGCNSettings] = random_search(
            self.start, SPACE, score, tries, inputs.seed, progress, "Tuning LightGCN"
        )
        self.settings_ = self.search_.best.settings
        self.epochs_ = epochs[self.settings_]
        matrix_UI = inputs.train.interactions.user_item_matrix()
        training = LightGCNTraining(matrix_UI, self.settings_, inputs.seed)
        for _ in progress(range(self.epochs_), "Training LightGCN"):
            training.epoch()
        self.user_UD_, item_ID = training.embeddings()
        self.vectors_ = with_popularity(item_ID, np.zeros(len(item_ID), dtype=np.float32))
        self.popularity_weight_ = 0.0
        warm = np.flatnonzero(inputs.train.interactions.item_degree())
        self.scale_ = QueryScale.fit(self.user_vectors(sample_users(matrix_UI, inputs.seed)), item_ID[warm])

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        """(B, D): the users' final embeddings."""
        return self.user_UD_[users]


class LightGCNTraining:
    """Embeddings of U users and I items, N = U + I, that are trained epoch by epoch."""

    def __init__(self, matrix_UI: sp.csr_matrix, settings: LightGCNSettings, seed: int) -> None:
        self.num_users, self.num_items = matrix_UI.shape
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        self.user_P = np.repeat(np.arange(self.num_users), np.diff(matrix_UI.indptr))
        self.item_P = matrix_UI.indices.astype(np.int64)
        self.negatives = NegativeSampler(matrix_UI, np.unique(self.item_P), self.rng)
        self.propagate = layer_mean(normalised_adjacency(matrix_UI), settings.num_layers)
        generator = torch.Generator().manual_seed(seed)
        initial_ND = torch.randn(self.num_users + self.num_items, settings.dim, generator=generator)
        self.embedding_ND = (_INITIAL_DEVIATION * initial_ND).requires_grad_()
        self.optimiser = torch.optim.Adam([self.embedding_ND], lr=settings.learning_rate)

    def epoch(self) -> None:
        """One pass over the observed pairs in random order."""
        order_P = self.rng.permutation(len(self.user_P))
        for start in range(0, len(order_P), self.settings.batch_size):
            batch = order_P[start : start + self.settings.batch_size]
            user_B, item_B = self.user_P[batch], self.item_P[batch]
            self._step(user_B, item_B, self.negatives.draw(user_B))

    def _step(self, user_B: np.ndarray, item_B: np.ndarray, negative_B: np.ndarray) -> None:
        nodes = [torch.from_numpy(at) for at in (user_B, item_B + self.num_users, negative_B + self.num_users)]
        final_ND = SelfAdjoint.apply(self.embedding_ND, self.propagate)
        loss = bpr_loss(*(final_ND[at] for at in nodes))
        squares = sum(self.embedding_ND[at].square().sum() for at in nodes)
        self.optimiser.zero_grad()
        (loss + self.settings.penalty * squares / (2 * len(user_B))).backward()
        self.optimiser.step()

    def embeddings(self) -> tuple[np.ndarray, np.ndarray]:
        """Final embeddings of users (U, D) and items (I, D), float32."""
        with torch.no_grad():
            final_ND = self.propagate(self.embedding_ND).numpy()
        return final_ND[: self.num_users], final_ND[self.num_users :]


def bpr_loss(user_BD: Tensor, item_BD: Tensor, negative_BD: Tensor) -> Tensor:
    """Mean of -log σ(u·i - u·n) (Rendle et al. 2009)."""
    return functional.softplus((user_BD * (negative_BD - item_BD)).sum(dim=1)).mean()


def normalised_adjacency(matrix_UI: sp.csr_matrix) -> Tensor:
    """D^(-1/2) A D^(-1/2) of the undirected graph, users first: sparse CSR (N, N), float32; every edge counts once."""
    once_UI = sp.csr_matrix((np.ones(matrix_UI.nnz), matrix_UI.indices, matrix_UI.indptr), matrix_UI.shape)
    adjacency = sp.block_array([[None, once_UI], [once_UI.T, None]], format="csr")
    scale = sp.diags_array(1 / np.sqrt(np.maximum(np.diff(adjacency.indptr), 1)))
    normalised = sp.csr_array(scale @ adjacency @ scale)
    normalised.sort_indices()
    start_N, node_E, weight_E = (
        torch.from_numpy(part) for part in (normalised.indptr, normalised.indices, normalised.data)
    )
    with warnings.catch_warnings():  # torch says that its CSR tensors are in beta
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            start_N.long(), node_E.long(), weight_E.float(), normalised.shape, check_invariants=False
        )


def layer_mean(adjacency_NN: Tensor, num_layers: int) -> Callable[[Tensor], Tensor]:
    """x ↦ (x + Ax + … + A^L x) / (L + 1), by `LGConv` layers whose normalisation stands in the adjacency already."""
    convolution = LGConv(normalize=False)

    def propagate(x_ND: Tensor) -> Tensor:
        total_ND = x_ND
        for _ in range(num_layers):
            x_ND = convolution(x_ND, adjacency_NN)
            total_ND = total_ND + x_ND
        return total_ND / (num_layers + 1)

    return propagate


class SelfAdjoint(torch.autograd.Function):
    """A linear map that is its own transpose: the gradient passes through the same map.

    The adjacency is symmetric, so its transpose, which autograd would make anew in every step, is not needed.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, linear: Callable[[Tensor], Tensor]) -> Tensor:
        """linear(x)."""
        ctx.linear = linear  # type: ignore[attr-defined]
        return linear(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        """linear(gradient)."""
        return ctx.linear(gradient), None  # type: ignore[attr-defined]


def _score(training: LightGCNTraining, judge: Judge) -> float:
    user_UD, item_ID = training.embeddings()
    return judge.by_vectors(user_UD[judge.users], item_ID)
