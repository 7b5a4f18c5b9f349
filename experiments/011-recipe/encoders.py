"""Encoders in place of GraphSAGE: two that are trained as it is, and closed forms that nobody trains."""

from collections.abc import Mapping

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from graphrec.baselines.ease import check_size, ease_weights, gram
from graphrec.features.extract import ATTRIBUTE_PREFIX
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.propagation import propagate
from graphrec.models.graphsage import Encoded, GraphSAGE, GraphSAGEConfig
from graphrec.models.raw_block import once

_EASE_PENALTY = 500.0
"""What experiment 010 chose on pairs masked inside the training data of the same films."""


class PerModality(GraphSAGE):
    """One GraphSAGE per modality (image, texts, attributes), each in its own part of the vector, trained as one.

    Every matrix is zero outside its diagonal blocks and stays so, so a score is the sum of the modalities' own scores,
    as in MMGCN (Wei et al. 2019) with late fusion.
    """

    def __init__(
        self, columns: Mapping[str, slice], num_items: int, num_features: int, config: GraphSAGEConfig
    ) -> None:
        super().__init__(num_items, num_features, config)
        part_F = np.empty(num_features, dtype=np.int64)
        for name, where in columns.items():
            part_F[where] = _part(name)
        parts = np.unique(part_F)
        part_D = parts[np.arange(config.dim) * len(parts) // config.dim]
        self._keep(self.content.weight, part_D[:, None] == part_F)
        for parameter in self.layers.parameters():
            if parameter.ndim == 2:
                self._keep(parameter, part_D[:, None] == part_D)

    @torch.no_grad()
    def _keep(self, weight: nn.Parameter, is_kept: np.ndarray) -> None:
        mask = torch.from_numpy(is_kept).to(weight.dtype)
        weight.mul_(mask)
        weight.register_hook(lambda gradient: gradient * mask)


class ResidualsMasked(GraphSAGE):
    """In each training step a random share of the items is content alone (whole-item masking, Volkovs et al. 2017)."""

    def __init__(self, share: float, seed: int, num_items: int, num_features: int, config: GraphSAGEConfig) -> None:
        super().__init__(num_items, num_features, config)
        if self.residual is not None:
            self.residual = _RowsDropped(share, seed, num_items, config.dim)


class _RowsDropped(nn.Embedding):
    def __init__(self, share: float, seed: int, num_rows: int, dim: int) -> None:
        super().__init__(num_rows, dim, sparse=True)
        nn.init.zeros_(self.weight)
        self.share, self.generator = share, torch.Generator().manual_seed(seed)

    def forward(self, rows: Tensor) -> Tensor:
        vectors = super().forward(rows)
        if not self.training:
            return vectors
        return vectors * (torch.rand(len(rows), 1, generator=self.generator) >= self.share)


class Ease:
    """EASE's weights of the last matrix that was asked for."""

    def __init__(self) -> None:
        self._matrix: sp.csr_matrix | None = None

    def of(self, matrix_UI: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """The items with an edge and B between them; dense, so refused with GraphRecError for large catalogues."""
        last = self._matrix
        if last is None or last.nnz != matrix_UI.nnz or (last.indices != matrix_UI.indices).any():
            self.items = np.flatnonzero(np.bincount(matrix_UI.indices, minlength=matrix_UI.shape[1]))
            check_size(len(self.items))
            self.weights_RR = ease_weights(gram(once(matrix_UI)[:, self.items].astype(np.float64)), _EASE_PENALTY)
            self._matrix = matrix_UI
        return self.items, self.weights_RR


def propagated(graph: InteractionGraph, dim: int, seed: int, hops: int) -> Encoded:
    """Ã = D^(-1/2) A D^(-1/2) cut to `dim` directions V; q = Ã V, z = V sent over the edges `hops` times (0: V itself).

    q·z is then what LightGCN without training or layers of its own scores: Ã after `hops` more steps.
    """
    root_U, root_I = (
        np.sqrt(np.maximum(degree_N, 1)).astype(np.float32) for degree_N in (graph.user_degree, graph.item_degree)
    )
    matrix_UI = graph.items_of_user.matrix(weighted=False)
    normalised = sp.diags_array(1 / root_U) @ matrix_UI @ sp.diags_array(1 / root_I)
    _, _, directions_DI = randomized_svd(normalised, min(dim, *normalised.shape), random_state=seed)
    directions_ID = _padded(directions_DI.T, dim)
    return _linear(graph, directions_ID / root_I[:, None], propagate(graph, directions_ID, "item", hops))


def ease(graph: InteractionGraph, dim: int, seed: int) -> Encoded:
    """x B cut to the `dim` directions V in which all users' scores lie: q = x B V, z = V."""
    items, weights_RR = Ease().of(graph.items_of_user.matrix())
    gram_RR = gram(graph.items_of_user.matrix(weighted=False)[:, items].astype(np.float64))
    scores_RR = weights_RR.T @ gram_RR @ weights_RR
    first = max(0, len(items) - dim)
    _, directions_RD = scipy.linalg.eigh(scores_RR, subset_by_index=[first, len(items) - 1])
    message_ID, z_ID = (np.zeros((graph.num_items, dim), dtype=np.float32) for _ in range(2))
    message_ID[items] = _padded(weights_RR @ directions_RD, dim)
    z_ID[items] = _padded(directions_RD, dim)
    return _linear(graph, message_ID, z_ID)


def _linear(graph: InteractionGraph, message_ID: np.ndarray, z_ID: np.ndarray) -> Encoded:
    """A user is the mean of their items' messages, at unit length."""
    mean_UD = graph.items_of_user.matrix(weighted=False) @ message_ID / np.maximum(graph.user_degree, 1)[:, None]
    length_U = np.maximum(np.linalg.norm(mean_UD, axis=1), 1e-12)
    return Encoded(
        z_ID=z_ID.astype(np.float32),
        q_UD=(mean_UD / length_U[:, None]).astype(np.float32),
        states_LID=message_ID[None].astype(np.float32),
        length_U=length_U.astype(np.float32),
    )


def _part(block: str) -> int:
    return 0 if block == "image" else 2 if block.startswith(ATTRIBUTE_PREFIX) else 1


def _padded(vectors_ND: np.ndarray, dim: int) -> np.ndarray:
    return np.pad(vectors_ND, ((0, 0), (0, dim - vectors_ND.shape[1]))).astype(np.float32)
