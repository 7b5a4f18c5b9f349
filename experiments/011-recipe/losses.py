"""Losses in place of `graphrec.models.losses.sampled_softmax`, with its arguments.

BPR and BCE draw one negative per positive, uniformly among the batch's items that the user has no positive of in it, so
every item of the batch counts once and no logQ is due; the popularity share stays in the scores.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, float], Tensor]


def bpr(generator: torch.Generator) -> Loss:
    """-log σ(positive - negative) (Rendle et al. 2009)."""

    def loss(
        q_BD: Tensor,
        z_CD: Tensor,
        user_P: Tensor,
        class_P: Tensor,
        weight_P: Tensor,
        offset_C: Tensor,
        temperature: float,
    ) -> Tensor:
        logits_BC = q_BD @ z_CD.T / temperature + offset_C
        negative_P, is_drawn_P = _negatives(logits_BC.shape, user_P, class_P, generator)
        gap_P = logits_BC[user_P, class_P] - logits_BC[user_P, negative_P]
        kept_P = weight_P * is_drawn_P
        return (kept_P * softplus(-gap_P)).sum() / kept_P.sum()

    return loss


def bce(generator: torch.Generator) -> Loss:
    """Is this pair a positive or a drawn one? Offsets are counted from their mean over the batch's items.

    With as many negatives as positives, drawn uniformly, the true log-odds of an item are its log-degree less that of
    the mean degree, so that the offsets, not the vectors, hold their share of it.
    """

    def loss(
        q_BD: Tensor,
        z_CD: Tensor,
        user_P: Tensor,
        class_P: Tensor,
        weight_P: Tensor,
        offset_C: Tensor,
        temperature: float,
    ) -> Tensor:
        centre = torch.logsumexp(offset_C, 0) - torch.tensor(float(len(offset_C))).log()
        logits_BC = q_BD @ z_CD.T / temperature + offset_C - centre
        negative_P, is_drawn_P = _negatives(logits_BC.shape, user_P, class_P, generator)
        positive = (weight_P * softplus(-logits_BC[user_P, class_P])).sum() / weight_P.sum()
        kept_P = weight_P * is_drawn_P
        return (positive + (kept_P * softplus(logits_BC[user_P, negative_P])).sum() / kept_P.sum()) / 2

    return loss


def hard_softmax(
    q_BD: Tensor,
    z_CD: Tensor,
    user_P: Tensor,
    class_P: Tensor,
    weight_P: Tensor,
    offset_C: Tensor,
    temperature: float,
    hardest: int,
) -> Tensor:
    """Sampled softmax over a user's positives and only the `hardest` others: those of the largest logits."""
    logits_BC = q_BD @ z_CD.T / temperature + offset_C
    is_positive_BC = torch.zeros(logits_BC.shape, dtype=torch.bool)
    is_positive_BC[user_P, class_P] = True
    others_BC = logits_BC.detach().masked_fill(is_positive_BC, -torch.inf)
    floor_B1 = others_BC.topk(min(hardest, others_BC.shape[1]), dim=1).values[:, -1:]
    kept_BC = logits_BC.masked_fill(~is_positive_BC & (others_BC < floor_B1), -torch.inf)
    log_p_P = logits_BC[user_P, class_P] - torch.logsumexp(kept_BC, dim=1)[user_P]
    return -(weight_P * log_p_P).sum() / weight_P.sum()


def _negatives(shape: torch.Size, user_P: Tensor, class_P: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One class per positive, and whether it is one of those that the user has no positive of (a few draws are not)."""
    is_positive_BC = torch.zeros(shape, dtype=torch.bool)
    is_positive_BC[user_P, class_P] = True
    negative_P = torch.randint(shape[1], user_P.shape, generator=generator)
    return negative_P, ~is_positive_BC[user_P, negative_P]
