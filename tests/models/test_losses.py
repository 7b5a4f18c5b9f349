import math

import numpy as np
import pytest
import torch

from graphrec.models.losses import BatchInclusion, sampled_softmax


@pytest.fixture
def scores():
    """7 users × 11 items, 9 weighted positives."""
    generator = torch.Generator().manual_seed(0)
    q, z = torch.randn(7, 4, generator=generator), torch.randn(11, 4, generator=generator)
    user, item = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 6]), torch.tensor([2, 10, 4, 0, 4, 9, 1, 3, 5])
    return q, z, user, item, torch.rand(9, generator=generator) + 0.5


def test_two_classes_by_hand():
    """Scores 2 and 1 at temperature 0.5: logits 4 - log 0.5 and 2 - log 0.25."""
    q, z = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 5.0], [1.0, 7.0]])
    log_q = torch.log(torch.tensor([0.5, 0.25]))
    loss = sampled_softmax(q, z, torch.tensor([0]), torch.tensor([1]), torch.tensor([3.0]), -log_q, 0.5)
    right, wrong = math.exp(2) / 0.25, math.exp(4) / 0.5
    assert loss.item() == pytest.approx(-math.log(right / (right + wrong)), rel=1e-5)


def test_over_all_items_it_is_the_full_cross_entropy(scores):
    q, z, user, item, _ = scores
    loss = sampled_softmax(q, z, user, item, torch.ones(9), torch.zeros(11), 0.2)
    full = torch.nn.functional.cross_entropy((q @ z.T / 0.2)[user], item)
    torch.testing.assert_close(loss, full)


def test_positives_count_by_their_weight(scores):
    q, z, user, item, weight = scores
    loss = sampled_softmax(q, z, user, item, weight, torch.zeros(11), 0.2)
    each = torch.nn.functional.cross_entropy((q @ z.T / 0.2)[user], item, reduction="none")
    torch.testing.assert_close(loss, (each * weight).sum() / weight.sum())
    assert (loss - each.mean()).abs() > 1e-3


def test_with_the_correction_a_samples_partition_is_right_on_average(scores):
    """Horvitz-Thompson: E Σ_{c drawn} exp(s_c) / Q_c = Σ_c exp(s_c); without the correction it is far below."""
    _, z, _, _, _ = scores
    q = torch.tensor([[0.3, -0.2, 0.5, 0.1]])
    full = torch.exp(q @ z.T).sum().item()
    inclusion = torch.linspace(0.2, 0.9, 11)
    inclusion[0] = 1  # the positive is always there
    generator = torch.Generator().manual_seed(1)

    def partition(drawn, log_q):
        nothing = torch.tensor([0])
        loss = sampled_softmax(q, z[drawn], nothing, nothing, torch.ones(1), -log_q[drawn], 1.0)
        return torch.exp(loss + (q @ z[0])[0] - log_q[0]).item()

    samples = [torch.nonzero(torch.rand(11, generator=generator) < inclusion).flatten() for _ in range(3000)]
    corrected = np.mean([partition(drawn, torch.log(inclusion)) for drawn in samples])
    plain = np.mean([partition(drawn, torch.zeros(11)) for drawn in samples])
    assert corrected == pytest.approx(full, rel=0.03)
    assert plain < 0.75 * full


def test_log_inclusion_by_hand():
    """Degrees 6, 3, 1, 0: E = 10, W = 3; two positives and one uniform item."""
    degree = torch.tensor([6, 3, 1, 0])
    answer = BatchInclusion.of(degree).log_q(torch.tensor([0, 2, 1]), num_positives=2, num_uniform=1)
    expected = [math.log(1 - (1 - share) ** 2 * (1 - 1 / 3)) for share in (0.6, 0.1, 0.3)]
    np.testing.assert_allclose(answer.numpy(), expected, rtol=1e-6)
    assert answer.dtype == torch.float32


def test_log_inclusion_is_how_often_an_item_is_in_a_batch():
    degree = np.array([40, 10, 5, 3, 1, 1, 0])
    rng = np.random.default_rng(2)
    positives = rng.choice(7, size=(20000, 4), p=degree / degree.sum())
    uniform = rng.integers(6, size=(20000, 3))
    drawn = np.hstack([positives, uniform])
    frequency = [(drawn == item).any(axis=1).mean() for item in range(6)]
    answer = BatchInclusion.of(torch.from_numpy(degree)).log_q(torch.arange(6), num_positives=4, num_uniform=3)
    np.testing.assert_allclose(np.exp(answer.numpy()), frequency, atol=0.012)


def test_log_inclusion_of_the_only_item_is_finite():
    assert BatchInclusion.of(torch.tensor([5, 0])).log_q(torch.tensor([0]), 4, 0).item() == pytest.approx(0, abs=1e-6)


def test_a_rare_item_in_a_large_catalogue_keeps_its_precision():
    degree = torch.ones(10_000_000, dtype=torch.int64)
    assert BatchInclusion.of(degree).log_q(torch.tensor([1]), 100, 0).item() == pytest.approx(math.log(1e-5), rel=1e-4)
