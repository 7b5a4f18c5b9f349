"""Losses of the two-tower arms by hand, what a step draws, and a planted world of features."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from test_ease import planted

from graphrec.baselines import towers
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.item_knn import ones
from graphrec.baselines.two_tower import TwoTower, TwoTowerSettings, in_batch_softmax, log_share
from graphrec.baselines.two_tower_bce import TwoTowerBCE, binary_loss
from graphrec.models.tuning import TuningConfig


def test_the_binary_loss_is_the_mean_log_loss_of_all_pairs():
    """By hand: scores 0 and ln 3 of observed pairs, -ln 3, 0, ln 3 and 0 of drawn ones."""
    three = np.log(3.0)
    positive, negative = torch.tensor([0.0, three]), torch.tensor([[-three, 0.0], [three, 0.0]])
    likelihoods = [1 / 2, 3 / 4, 3 / 4, 1 / 2, 1 / 4, 1 / 2]
    assert binary_loss(positive, negative).item() == pytest.approx(-np.mean(np.log(likelihoods)), rel=1e-6)


def test_the_softmax_divides_by_how_often_an_item_is_drawn():
    """By hand: item b is drawn three times as often as a, so e^(s_b) counts a third."""
    logits = torch.log(torch.tensor([[2.0, 3.0], [1.0, 6.0]]))
    log_q = torch.log(torch.tensor([0.1, 0.3]))
    likelihoods = [20 / (20 + 10), 20 / (10 + 20)]
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    assert in_batch_softmax(logits, log_q, nothing).item() == pytest.approx(-np.mean(np.log(likelihoods)), rel=1e-6)


def test_an_item_that_the_user_has_touched_is_no_negative():
    logits = torch.tensor([[0.0, 5.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    touched = torch.tensor([[False, True, False], [False, False, False], [True, True, False]])
    likelihoods = [1 / (1 + np.e), 1 / (2 + np.e**2), 1.0]
    found = in_batch_softmax(logits, torch.zeros(3), touched)
    assert found.item() == pytest.approx(-np.mean(np.log(likelihoods)), rel=1e-6)


def test_shares_are_those_that_the_batches_draw(inputs):
    once_UI = ones(inputs.train.interactions.user_item_matrix()).astype(np.float32)
    x_IF = np.eye(30, dtype=np.float32)
    training = TwoTower().training(once_UI, x_IF, TwoTowerSettings(targets_per_user=2), seed=0)
    drawn = np.zeros(30)
    for _ in range(600):
        _, item_P = training._targets(once_UI[training.learners])
        np.add.at(drawn, item_P, 1)
    share_I = np.exp(log_share(once_UI, training.learners, 2))
    np.testing.assert_allclose(drawn / drawn.sum(), share_I, atol=0.005)
    assert share_I.sum() == pytest.approx(1, rel=1e-5)


def test_the_predicted_item_is_not_among_those_that_the_user_is_made_from():
    """Two users with two items each: a user less the target is exactly the other item's vector, so in a batch of these
    pairs the query of each pair is the partner's output."""
    once_UI = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=np.float32))
    training = TwoTower().training(once_UI, np.eye(4, dtype=np.float32), TwoTowerSettings(dropout=0.0), seed=0)
    seen = []

    def spy(logits_PP, log_q_P, is_other_positive_PP):
        seen.append((logits_PP.detach() * training.settings.temperature, is_other_positive_PP))
        return in_batch_softmax(logits_PP, log_q_P, is_other_positive_PP)

    _, item_ID = training.vectors()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphrec.baselines.two_tower.in_batch_softmax", spy)
        training._step(np.array([0, 1]))
    cosine_PP, masked_PP = seen[0]
    partner = [1, 0, 3, 2]
    np.testing.assert_allclose(cosine_PP, item_ID[partner] @ item_ID.T, atol=1e-5)
    assert masked_PP.tolist() == [[False, True, False, False], [True, False, False, False],
                                  [False, False, False, True], [False, False, True, False]]  # fmt: skip


@pytest.mark.parametrize("arm", [TwoTower, TwoTowerBCE])
def test_cold_items_of_a_users_style_come_first(train, arm, monkeypatch):
    monkeypatch.setattr(towers, "_MAX_EPOCHS", 25)
    world, blocks, style_I, style_U, cold = planted(train)
    small = {"users_per_batch": 32} if arm is TwoTower else {"batch_size": 64}
    monkeypatch.setattr(arm, "start", arm.start.model_copy(update={"learning_rate": 0.02, **small}))
    fitted = arm().fit(TrainingInput(world, blocks, TuningConfig(tries=0)))
    for popularity in (True, False):
        lists = fitted.rank(np.arange(len(style_U)), cold, None, 2, popularity)
        assert (style_I[lists.items_UK] == style_U[:, None]).mean() > 0.95


def test_training_leaves_torchs_global_generator_alone(inputs):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    TwoTower().fit(inputs_with_few_tries(inputs))
    torch.testing.assert_close(torch.rand(3), expected)


def inputs_with_few_tries(inputs):
    return TrainingInput(inputs.train, inputs.blocks, inputs.tuning.model_copy(update={"tries": 0}), inputs.seed)
