"""LightGCN's propagation against dense matrices, its loss by hand, and a planted world that it has to find."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn.models import LightGCN as PyGLightGCN

from graphrec.baselines import lightgcn
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.lightgcn import (
    LightGCN,
    LightGCNSettings,
    LightGCNTraining,
    SelfAdjoint,
    bpr_loss,
    layer_mean,
    normalised_adjacency,
)
from graphrec.data.interactions import Interactions
from graphrec.models.tuning import TuningConfig


def dense_layer_mean(touched_UI, x_ND, num_layers):
    num_users, num_items = touched_UI.shape
    adjacency = np.zeros((num_users + num_items, num_users + num_items))
    adjacency[:num_users, num_users:] = touched_UI
    adjacency[num_users:, :num_users] = touched_UI.T
    root = 1 / np.sqrt(np.maximum(adjacency.sum(axis=1), 1))
    normalised = root[:, None] * adjacency * root
    layers = [x_ND]
    for _ in range(num_layers):
        layers.append(normalised @ layers[-1])
    return np.mean(layers, axis=0)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_propagation_is_the_mean_of_the_layers_and_so_is_its_gradient(inputs, num_layers):
    matrix_UI = inputs.train.interactions.user_item_matrix()
    touched_UI = (matrix_UI.toarray() > 0).astype(float)
    x_ND = torch.randn(75, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = SelfAdjoint.apply(x_ND, layer_mean(normalised_adjacency(matrix_UI), num_layers))
    np.testing.assert_allclose(
        found.detach().numpy(), dense_layer_mean(touched_UI, x_ND.detach().numpy(), num_layers), atol=1e-5
    )
    target = torch.randn(75, 6, generator=torch.Generator().manual_seed(1))
    (found * target).sum().backward()
    np.testing.assert_allclose(x_ND.grad, dense_layer_mean(touched_UI, target.numpy(), num_layers), atol=1e-5)


def test_propagation_is_that_of_pygs_own_model(inputs):
    matrix_UI = inputs.train.interactions.user_item_matrix()
    user_P, item_P = (torch.from_numpy(part.astype(np.int64)) for part in matrix_UI.nonzero())
    edges = torch.stack([torch.cat([user_P, item_P + 45]), torch.cat([item_P + 45, user_P])])
    model = PyGLightGCN(75, 6, 2)
    with torch.no_grad():
        expected = model.get_embedding(edges)
        found = layer_mean(normalised_adjacency(matrix_UI), 2)(model.embedding.weight)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_bpr_is_the_mean_log_loss_of_the_score_differences():
    """By hand: differences 1·2 - 1·1 = 1 and 0."""
    user, item = torch.tensor([[1.0, 0], [0, 2.0]]), torch.tensor([[2.0, 5], [3, 1.0]])
    negative = torch.tensor([[1.0, 0], [9, 1.0]])
    expected = (np.log1p(np.exp(-1)) + np.log(2)) / 2
    assert bpr_loss(user, item, negative).item() == pytest.approx(expected, rel=1e-6)


def block_world(train):
    """60 users × 48 items in four blocks; everybody touches six of the twelve items of their own block."""
    rng = np.random.default_rng(0)
    pairs = [(user, item) for user in range(60) for item in rng.choice(12, 6, replace=False) + 12 * (user % 4)]
    user, item = np.array(pairs).T
    return replace(train, interactions=Interactions.from_pairs(user, item, 60, 48))


def test_a_planted_block_world_is_found(train, monkeypatch):
    monkeypatch.setattr(lightgcn, "_MAX_EPOCHS", 60)
    world = block_world(train)
    monkeypatch.setattr(LightGCN, "start", LightGCNSettings(dim=8, learning_rate=0.05, batch_size=128))
    arm = LightGCN().fit(TrainingInput(world, None, TuningConfig(tries=0)))
    lists = arm.rank(np.arange(60), np.arange(48), world.interactions.user_item_matrix(), 6)
    assert (lists.items_UK // 12 == np.arange(60)[:, None] % 4).mean() > 0.97


def test_training_lowers_the_loss_and_leaves_cold_items_as_they_were_drawn(inputs, cold):
    matrix_UI = inputs.train.interactions.user_item_matrix()
    training = LightGCNTraining(matrix_UI, LightGCNSettings(dim=8, learning_rate=0.02, batch_size=64), seed=0)
    before = training.embedding_ND.detach().clone()

    def positive_minus_negative():
        user_UD, item_ID = training.embeddings()
        score_UI = user_UD @ item_ID.T
        touched_UI = matrix_UI.toarray() > 0
        warm = np.setdiff1d(np.arange(30), cold)
        return score_UI[touched_UI].mean() - score_UI[:, warm][~touched_UI[:, warm]].mean()

    start = positive_minus_negative()
    for _ in range(10):
        training.epoch()
    assert positive_minus_negative() > start + 0.5
    torch.testing.assert_close(training.embedding_ND.detach()[45 + cold], before[45 + cold], atol=0, rtol=0)
    assert (training.embeddings()[1][cold] == before[45 + cold].numpy() / 3).all()
