import numpy as np
import torch
from open_clip.loss import ClipLoss
from torch.nn import functional

from graphrec.clip_fit.contrast import contrastive_loss


def batch(size=7, dim=5):
    generator = torch.Generator().manual_seed(2)
    return (functional.normalize(torch.randn(size, dim, generator=generator), dim=1) for _ in range(2))


def test_without_matches_it_is_open_clips_loss():
    image, text = batch()
    scale, rows = torch.tensor(14.0), torch.arange(7)
    expected = ClipLoss()(image, text, scale)
    torch.testing.assert_close(contrastive_loss(image, text, scale, rows, rows), expected)


def test_a_pair_with_the_same_text_or_picture_is_no_negative():
    image, text = batch()
    scale = torch.tensor(3.0)
    picture, label = torch.tensor([0, 0, 2, 3, 4, 5, 6]), torch.tensor([0, 1, 2, 2, 4, 5, 6])
    logits = (scale * image @ text.T).numpy().astype(float)
    total = 0.0
    for matrix in (logits, logits.T):
        for row in range(7):
            rivals = [c for c in range(7) if c == row or (picture[c] != picture[row] and label[c] != label[row])]
            total -= matrix[row, row] - np.log(np.exp(matrix[row, rivals]).sum())
    expected = total / 14
    assert abs(float(contrastive_loss(image, text, scale, picture, label)) - expected) < 1e-5
