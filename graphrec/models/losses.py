"""Sampled softmax with the logQ correction (Bengio and Senécal 2008; Yi et al. 2019, in-batch form)."""

from dataclasses import dataclass

import torch
from torch import Tensor


def sampled_softmax(
    q_BD: Tensor, z_CD: Tensor, user_P: Tensor, class_P: Tensor, weight_P: Tensor, offset_C: Tensor, temperature: float
) -> Tensor:
    """Weighted mean over P positives of -log softmax of their score among the C classes of the batch.

    The score is q·z / temperature + offset. The offset holds -log Q, with Q the probability that the class is in the
    batch: without it, items that are often drawn would be pushed down for being drawn. It may hold a share of the
    item's popularity, which q and z then need not learn (logit adjustment, Menon et al. 2021). `user_P` and `class_P`
    are rows of q_BD and z_CD. A user's other positives stay among the classes, as in a multinomial over all of them.
    """
    logits_BC = q_BD @ z_CD.T / temperature + offset_C
    log_p_P = logits_BC[user_P, class_P] - torch.logsumexp(logits_BC, dim=1)[user_P]
    return -(weight_P * log_p_P).sum() / weight_P.sum()


@dataclass(frozen=True)
class BatchInclusion:
    """How likely an item is to be among a batch's classes; the sums over the catalogue are taken once, not per step."""

    degree_I: Tensor
    num_edges: int
    num_touched: int
    """Items with an edge: the uniform draws are among these."""

    @classmethod
    def of(cls, degree_I: Tensor) -> "BatchInclusion":
        """For items of these degrees."""
        return cls(degree_I, int(degree_I.sum()), int((degree_I > 0).sum()))

    def log_popularity(self, item_C: Tensor) -> Tensor:
        """log of the items' degrees, float32."""
        return self.degree_I[item_C].clamp(min=1).float().log()

    def log_q(self, item_C: Tensor, num_positives: int, num_uniform: int) -> Tensor:
        """log Q of the items `item_C`, float32: that one is among P positives' items or N uniformly drawn ones.

        Positives are taken as drawn by degree, with replacement: Q = 1 - (1 - d/E)^P · (1 - 1/W)^N, with E the sum of
        all degrees and W the number of items with an edge.
        """
        share_C = (self.degree_I[item_C] / self.num_edges).double().clamp(max=1 - 1e-12)
        uniform = torch.tensor(1 / max(2, self.num_touched), dtype=torch.float64)
        log_missed_C = num_positives * torch.log1p(-share_C) + num_uniform * torch.log1p(-uniform)
        return torch.log(-torch.expm1(log_missed_C)).float()
