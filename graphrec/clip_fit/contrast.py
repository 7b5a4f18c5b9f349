"""The contrastive loss of CLIP (Radford et al. 2021, figure 3), without punishing what is a match."""

import torch
from torch.nn import functional


def contrastive_loss(
    image_BD: torch.Tensor,
    text_BD: torch.Tensor,
    scale: torch.Tensor,
    picture_B: torch.Tensor,
    label_B: torch.Tensor,
) -> torch.Tensor:
    """Mean of the cross entropies picture → text and text → picture over the pairs of a batch.

    `image_BD` and `text_BD` have unit rows, `scale` multiplies their inner products. Pairs with the same number in
    `picture_B` (one picture) or in `label_B` (one text) are no negatives of each other: a catalogue has
    hundreds of items called "Scarf", and to push their pictures away from that word would teach noise.
    """
    logits_BB = scale * image_BD @ text_BD.T
    is_match_BB = (picture_B[:, None] == picture_B) | (label_B[:, None] == label_B)
    is_match_BB = is_match_BB & ~torch.eye(len(logits_BB), dtype=torch.bool, device=logits_BB.device)
    logits_BB = logits_BB.masked_fill(is_match_BB, -torch.inf)
    target_B = torch.arange(len(logits_BB), device=logits_BB.device)
    return (functional.cross_entropy(logits_BB, target_B) + functional.cross_entropy(logits_BB.T, target_B)) / 2
