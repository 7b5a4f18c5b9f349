"""Tuning a kernel head by gradient: every warm item in turn is predicted from all the others, in closed form.

With M = K + λI, the ridge that never saw item i predicts y_i - [M⁻¹Y]_i / [M⁻¹]_ii for it (Wahba 1990, section 4.2).
So one inverse gives every item as if it were cold, and the ranking loss over these predictions has a gradient in the
terms' weights, in λ, and in whatever else the score is made of. What an item itself put into its user's query is taken
out too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.fold_in import alike_scaled
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.kernel import CONSTANT, Term, term_values, terms_of
from graphrec.models.ridge import HeadSettings
from graphrec.progress import Progress, silent

MOST_ITEMS = 1536
"""Items that are left out in turn: a step costs their cube, and this many say enough about a few dozen weights."""
_MOST_BYTES = 2**29
"""Of the kernel terms between them: of a kernel with many terms fewer items are left out."""
_USERS_PER_STEP = 1000
_LEARNING_RATE = 0.15
_START_PENALTY = 2.7
_START_CONSTANT = 0.14
_FEWEST_SCHEDULED = 6
"""With fewer the schedule would have no step to warm up in."""
_TINY = 1e-9


@dataclass(frozen=True)
class TuningItems:
    """The warm items that are left out in turn, with every kernel term between them."""

    rows: np.ndarray
    terms: tuple[Term, ...]
    values_TRR: Tensor

    @classmethod
    def of(cls, blocks: FeatureBlocks, warm: np.ndarray, seed: int) -> "TuningItems":
        """All of the sorted warm items, or some drawn by the seed: 1,536, or as many as 512 MiB hold the terms of."""
        rows, terms = warm, terms_of(blocks)
        most = min(MOST_ITEMS, isqrt(_MOST_BYTES // (4 * len(terms))))
        if len(warm) > most:
            rows = np.sort(np.random.default_rng(seed).choice(warm, most, replace=False))
        return cls(rows, terms, term_values(terms, blocks.columns, blocks.x_IF[rows]))


class TunedKernel(nn.Module):
    """A kernel's weights and penalty, as logarithms, that gradients move."""

    def __init__(self, items: TuningItems) -> None:
        super().__init__()
        self.items = items
        start_T = torch.full((len(items.terms),), 1 / max(1, len(items.terms) - 1))
        start_T[[term.name == CONSTANT for term in items.terms]] = _START_CONSTANT
        self.log_weight_T = nn.Parameter(start_T.log())
        self.log_penalty = nn.Parameter(torch.tensor(_START_PENALTY).log())

    def inverse(self) -> Tensor:
        """M⁻¹ (R, R)."""
        kernel_RR = torch.einsum("t,tij->ij", self.log_weight_T.exp(), self.items.values_TRR)
        return torch.linalg.inv(kernel_RR + self.log_penalty.exp() * torch.eye(len(kernel_RR)))

    def settings(self) -> HeadSettings:
        """As plain numbers."""
        weight_T = self.log_weight_T.detach().exp().tolist()
        names = [term.name for term in self.items.terms]
        return HeadSettings(weights=dict(zip(names, weight_T, strict=True)), penalty=self.log_penalty.exp().item())


@dataclass(frozen=True)
class LearnedTeacher:
    """Where a graph encoder puts users and items, and what each item contributes to its users.

    A user's query is (mean of their items' messages + something of their own) / length, so that it can be told what it
    would be without one of the items.
    """

    q_UD: np.ndarray
    length_U: np.ndarray
    degree_U: np.ndarray
    """Items of each user, as nodes of the graph."""
    message_ID: np.ndarray
    mean_UD: np.ndarray
    """Of the messages of each user's items."""
    z_ID: np.ndarray
    folded_ID: np.ndarray
    """The fold-in, scaled so that its scores vary as z's do; z too."""

    @classmethod
    def of(cls, encoder: GraphSAGE, encoded: Encoded, folded_ID: np.ndarray, view: SiteView) -> "LearnedTeacher":
        """From an encoding of this very view's graph, and a fold-in over the users of the site."""
        warm, known_users = np.flatnonzero(view.degree_I), np.flatnonzero(np.diff(view.own_UI.indptr))
        z_ID, folded_ID = alike_scaled(encoded.z_ID, folded_ID, encoded.q_UD[known_users], warm)
        message_ID = encoder.messages(encoded)
        adjacency = view.graph.items_of_user.matrix(weighted=False)  # as GraphSAGE's mean
        mean_UD = (adjacency @ message_ID) / np.maximum(np.diff(adjacency.indptr), 1)[:, None]
        assert encoded.length_U is not None  # an encoding that was read from a run has none
        degree_U = np.diff(adjacency.indptr)
        return cls(encoded.q_UD, encoded.length_U, degree_U, message_ID, mean_UD.astype(np.float32), z_ID, folded_ID)


class _Mixture(nn.Module):
    """How much each part of the score counts while the kernel is tuned; shares as logits.

    The encoder has seen the items that are left out here, which flatters what it taught: what is served is mixed on
    items that it has not seen (`models.mixture_search`).
    """

    def __init__(self, has_learned: bool, may_have_raw: bool) -> None:
        super().__init__()
        self.has_learned, self.may_have_raw = has_learned, may_have_raw
        self.fold_in = nn.Parameter(torch.tensor(0.0))
        self.raw = nn.Parameter(torch.tensor(-1.0))
        self.popularity = nn.Parameter(torch.tensor(0.3))
        self.log_sharpness = nn.Parameter(torch.tensor(0.0))

    @property
    def raw_share(self) -> Tensor:
        if not self.has_learned:
            return torch.ones(())
        return torch.sigmoid(self.raw) if self.may_have_raw else torch.zeros(())


def tune_kernel_head(
    items: TuningItems,
    matrix_UI: sp.csr_matrix,
    left_out_popularity_R: np.ndarray,
    teacher: LearnedTeacher | None,
    steps: int,
    seed: int,
    may_have_raw: bool = True,
    progress: Progress = silent,
    description: str = "Tuning the content head",
) -> HeadSettings:
    """Gradient steps on how well users' items are ranked among all left-out items: -log softmax, mean over users.

    Half of the loss is taken with popularity off (the average user subtracted), so that a personal ranking is not given
    up for a popular one. How the parts are mixed moves along and is forgotten. Without a teacher the score is the ridge
    on raw interactions alone: the content arm. The same steps are spent on every arm. Interactions count once.
    `matrix_UI` is the site's own log (users × items); `left_out_popularity_R` are left-out predictions aligned with
    `items.rows`.
    """
    kernel, mixture = TunedKernel(items), _Mixture(teacher is not None, may_have_raw)
    parameters = [*kernel.parameters(), *mixture.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=_LEARNING_RATE, betas=(0.95, 0.95))  # the schedule moves the first
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=max(steps, _FEWEST_SCHEDULED), pct_start=0.2
    )
    popularity_R = torch.from_numpy(left_out_popularity_R)
    batches = _UserBatches(matrix_UI, items.rows, steps, seed)
    for users, seen_BR in progress(batches, description):
        score_BR = _left_out_scores(kernel, mixture, teacher, users, seen_BR)
        sharpness = mixture.log_sharpness.exp()
        on = _ranking_loss(sharpness * (score_BR + mixture.popularity * popularity_R), seen_BR)
        personal_BR = score_BR - score_BR.mean(dim=0)
        off = _ranking_loss(sharpness * personal_BR / personal_BR.std().clamp(min=_TINY), seen_BR)
        optimizer.zero_grad()
        ((on + off) / 2).backward()
        optimizer.step()
        schedule.step()
    return kernel.settings()


class _UserBatches:
    """Users with at least two items, one of them left out here: their indices, and what they touched (B, R)."""

    def __init__(self, matrix_UI: sp.csr_matrix, rows: np.ndarray, steps: int, seed: int) -> None:
        self.touched_UR = sp.csr_matrix(matrix_UI[:, rows])
        self.users = np.flatnonzero((np.diff(matrix_UI.indptr) > 1) & (np.diff(self.touched_UR.indptr) > 0))
        self.steps = steps if len(self.users) > 1 else 0
        self.seed = seed

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[np.ndarray, Tensor]]:
        rng = np.random.default_rng(self.seed)
        for _ in range(self.steps):
            users = rng.choice(self.users, min(_USERS_PER_STEP, len(self.users)), replace=False)
            yield users, torch.from_numpy((self.touched_UR[users].toarray() > 0).astype(np.float32))


def _left_out_scores(
    kernel: TunedKernel,
    mixture: _Mixture,
    teacher: LearnedTeacher | None,
    users: np.ndarray,
    seen_BR: Tensor,
) -> Tensor:
    """(B, R): every item's score as if it had no user; parts of unit deviation, weighted by their shares."""
    inverse_RR = kernel.inverse()
    diagonal_R = inverse_RR.diagonal()
    raw_share = mixture.raw_share
    parts = []
    if mixture.may_have_raw or teacher is None:
        ratio_RR = inverse_RR / diagonal_R
        # [M⁻¹Y]_i / [M⁻¹]_ii - y_i for raw columns: the diagonal, an item predicting itself, drops out.
        parts.append(raw_share * _unit(-(seen_BR @ (ratio_RR - torch.diag(ratio_RR.diagonal())))))
    if teacher is not None:
        learned_BR = _learned(kernel, mixture, teacher, users, seen_BR, inverse_RR)
        parts.append((1 - raw_share) * _unit(learned_BR))
    return torch.stack(parts).sum(dim=0)


def _learned(
    kernel: TunedKernel,
    mixture: _Mixture,
    teacher: LearnedTeacher,
    users: np.ndarray,
    seen_BR: Tensor,
    inverse_RR: Tensor,
) -> Tensor:
    rows = kernel.items.rows
    y_RD = _taught(mixture, teacher, rows)
    left_out_RD = y_RD - inverse_RR @ y_RD / inverse_RR.diagonal()[:, None]
    q_BD = torch.from_numpy(teacher.q_UD[users])
    message_RD = torch.from_numpy(teacher.message_ID[rows])
    length_B1 = torch.from_numpy(teacher.length_U[users])[:, None]
    own_R = (message_RD * left_out_RD).sum(dim=1)
    mean_BD = torch.from_numpy(teacher.mean_UD[users])
    degree_B1 = torch.from_numpy(teacher.degree_U[users].astype(np.float32))[:, None]
    # Without item i the mean over n messages becomes (n·mean - message_i) / (n - 1).
    change_BR = (mean_BD @ left_out_RD.T - own_R) / (degree_B1 - 1) / length_B1
    return q_BD @ left_out_RD.T + seen_BR * change_BR


def _taught(mixture: _Mixture, teacher: LearnedTeacher, rows: np.ndarray) -> Tensor:
    share = torch.sigmoid(mixture.fold_in)
    return (1 - share) * torch.from_numpy(teacher.z_ID[rows]) + share * torch.from_numpy(teacher.folded_ID[rows])


def _unit(score_BR: Tensor) -> Tensor:
    return score_BR / score_BR.std(dim=1, keepdim=True).clamp(min=_TINY)


def _ranking_loss(logit_BR: Tensor, seen_BR: Tensor) -> Tensor:
    log_p_BR = torch.log_softmax(logit_BR, dim=1)
    return -((seen_BR * log_p_BR).sum(dim=1) / seen_BR.sum(dim=1)).mean()
