from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.data.interactions import Interactions
from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, InteractionGraph
from graphrec.models import training
from graphrec.models.graphsage import GraphSAGE, GraphSAGEConfig
from graphrec.models.losses import BatchInclusion, sampled_softmax
from graphrec.models.training import TrainingConfig, train_encoder

SHAPE = GraphSAGEConfig(dim=5, fanouts=(6, 4))
QUICK = TrainingConfig(max_epochs=3, users_per_batch=8, learning_rate=0.02)


def parameters(encoder):
    return {name: value.numpy() for name, value in encoder.state_dict().items()}


def train(graph, x_IF, shape=SHAPE, config=QUICK, num_epochs=3, seed=0, after_epoch=None):
    return train_encoder(graph, x_IF, shape, config, num_epochs, seed, after_epoch=after_epoch)


def assert_equal(one, other):
    for name, value in parameters(one).items():
        np.testing.assert_array_equal(value, parameters(other)[name], err_msg=name)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_seed_gives_the_same_encoder_whatever_torch_drew_before(graph, x_IF, workers):
    config = QUICK.model_copy(update={"workers": workers})
    torch.manual_seed(1)
    one = train(graph, x_IF, config=config, num_epochs=2)
    torch.manual_seed(2)
    assert_equal(one, train(graph, x_IF, config=config, num_epochs=2))
    other = train(graph, x_IF, config=config, num_epochs=2, seed=1)
    assert not np.array_equal(one.content.weight.detach(), other.content.weight.detach())


def test_training_leaves_torchs_own_randomness_alone(graph, x_IF):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(graph, x_IF, num_epochs=1)
    torch.testing.assert_close(torch.rand(3), expected)


@pytest.mark.parametrize("uniform_negatives", [0, 2])
def test_residuals_of_items_without_an_edge_stay_exactly_zero(graph, x_IF, uniform_negatives):
    encoder = train(graph, x_IF, config=QUICK.model_copy(update={"uniform_negatives": uniform_negatives}))
    moved_I = encoder.residual.weight.detach().numpy().any(axis=1)
    np.testing.assert_array_equal(moved_I, graph.item_degree > 0)


@pytest.mark.parametrize("uniform_negatives", [0, 2])
def test_features_of_items_without_an_edge_change_nothing(graph, x_IF, uniform_negatives):
    config = QUICK.model_copy(update={"uniform_negatives": uniform_negatives})
    changed_IF = x_IF.copy()
    changed_IF[graph.item_degree == 0] = 9
    assert_equal(train(graph, x_IF, config=config), train(graph, changed_IF, config=config))
    changed_IF[0] = 9  # the check can fail
    other = train(graph, changed_IF, config=config)
    assert not np.array_equal(train(graph, x_IF, config=config).content.weight.detach(), other.content.weight.detach())


def test_a_step_touches_as_many_residuals_in_a_larger_catalogue(graph, x_IF, monkeypatch):
    touched = []

    class Spy(torch.optim.SparseAdam):
        def step(self, closure=None):
            (grad,) = (p.grad for group in self.param_groups for p in group["params"])
            assert grad.is_sparse
            touched[-1].append(grad.coalesce().indices().shape[1])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "SparseAdam", Spy)
    edges = graph.items_of_user
    for num_items in (30, 3030):
        touched.append([])
        larger = Interactions.from_pairs(edges.rows, edges.indices_E, 45, num_items)
        larger_IF = np.ones((num_items, 6), dtype=np.float32)
        larger_IF[:30] = x_IF
        train(InteractionGraph.from_interactions(larger), larger_IF)
    assert touched[0] == touched[1]
    assert max(touched[0]) <= 28  # items with an edge


def test_the_loss_falls_on_a_planted_world(taste_world, monkeypatch):
    losses = []

    def spy(*arguments: Any):
        losses.append(sampled_softmax(*arguments))
        return losses[-1]

    monkeypatch.setattr(training, "sampled_softmax", spy)
    graph = InteractionGraph.from_interactions(taste_world.split.train.interactions)
    config = TrainingConfig(users_per_batch=200, learning_rate=0.02)
    train(graph, taste_world.blocks.x_IF, GraphSAGEConfig(dim=8, fanouts=(8,)), config, num_epochs=12)
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 0.2


@pytest.mark.parametrize("uniform_negatives", [0, 3])
def test_a_step_predicts_edges_of_the_graph_with_their_weight_from_the_users_other_items(
    interactions, x_IF, monkeypatch, uniform_negatives
):
    """Every edge has a weight of its own, so the weight says which edge a positive was taken for."""
    num_pairs = interactions.user_item_matrix().nnz
    matrix = interactions.user_item_matrix().tocoo()
    events = Interactions.from_pairs(matrix.row, matrix.col, 45, 30)
    graph = InteractionGraph.from_interactions(replace(events, weight_E=np.arange(1, num_pairs + 1, dtype=np.float32)))
    edge_of = {
        float(weight): edge
        for weight, *edge in zip(
            graph.items_of_user.weight_E, graph.items_of_user.rows, graph.items_of_user.indices_E, strict=True
        )
    }
    seen = {}
    forward = GraphSAGE.forward

    def spy_forward(self, item_m, x_mF, num_users, edge_index):
        torch.testing.assert_close(x_mF, torch.from_numpy(x_IF)[item_m])
        assert all(parameter.grad is None for parameter in self.parameters())  # nothing left of the step before
        seen.update(item_m=item_m, edge_index=edge_index)
        return forward(self, item_m, x_mF, num_users, edge_index)

    log_q = BatchInclusion.log_q

    def spy_inclusion(self, item_C, num_positives, num_uniform):
        assert num_uniform == uniform_negatives * num_positives
        np.testing.assert_array_equal(self.degree_I, graph.item_degree)
        seen.update(item_C=item_C, num_positives=num_positives)
        return log_q(self, item_C, num_positives, num_uniform)

    steps = []

    def spy_loss(q_BD, z_CD, user_P, class_P, weight_P, log_q_C, temperature):
        edges = [edge_of[weight] for weight in weight_P.tolist()]
        assert len(edges) == seen["num_positives"] == len(set(map(tuple, edges)))
        assert [item for _, item in edges] == seen["item_C"][class_P].tolist()
        assert len({(row, user) for row, (user, _) in zip(user_P.tolist(), edges, strict=True)}) == len(q_BD)
        assert len(seen["item_C"].unique()) == len(z_CD) == len(log_q_C)
        # The seed users come first in the subgraph, in the order of the rows: none reads an item it has to predict.
        item_L, user_L = seen["edge_index"][INTERACTED_BY]
        read = set(zip(user_L.tolist(), seen["item_m"][item_L].tolist(), strict=True))
        user_K, item_K = seen["edge_index"][INTERACTS]
        read |= set(zip(user_K.tolist(), seen["item_m"][item_K].tolist(), strict=True))
        assert not read & set(zip(user_P.tolist(), (item for _, item in edges), strict=True))
        assert set(user_P.tolist()) <= {user for user, _ in read}
        steps.append(temperature)
        return sampled_softmax(q_BD, z_CD, user_P, class_P, weight_P, log_q_C, temperature)

    monkeypatch.setattr(GraphSAGE, "forward", spy_forward)
    monkeypatch.setattr(BatchInclusion, "log_q", spy_inclusion)
    monkeypatch.setattr(training, "sampled_softmax", spy_loss)
    train(graph, x_IF, config=QUICK.model_copy(update={"uniform_negatives": uniform_negatives, "temperature": 0.3}))
    assert steps == [0.3] * 18  # 3 epochs of 41 users with two items or more, 8 a batch


def test_training_stops_when_told_to_and_hands_over_an_encoder_in_evaluation_mode(graph, x_IF):
    told = []

    def stop_after_two(epoch, encoder):
        told.append((epoch, encoder.training))
        return epoch == 2

    encoder = train(graph, x_IF, num_epochs=9, after_epoch=stop_after_two)
    assert told == [(1, False), (2, False)]
    assert not encoder.training
    assert_equal(encoder, train(graph, x_IF, num_epochs=2))


def test_looking_at_the_encoder_between_epochs_does_not_change_it(graph, x_IF):
    def look(epoch, encoder):
        encoder.encode(graph, x_IF)
        return False

    assert_equal(train(graph, x_IF, after_epoch=look), train(graph, x_IF))


def test_training_without_residuals_works(graph, x_IF):
    encoder = train(graph, x_IF, shape=GraphSAGEConfig(dim=5, residual=False), num_epochs=1)
    assert encoder.residual is None


def test_the_learning_rate_falls_to_zero_along_half_a_cosine(graph, x_IF, monkeypatch):
    rates, step = [], torch.optim.Adam.step

    def spy(self, closure=None):
        rates.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    train(graph, x_IF, num_epochs=2)  # of the three that the schedule is made for
    done_S = np.arange(len(rates)) / (len(rates) / 2 * 3)
    np.testing.assert_allclose(rates, 0.02 * (1 + np.cos(np.pi * done_S)) / 2)


def test_a_share_of_log_popularity_stands_in_the_scores(graph, x_IF, monkeypatch):
    """The same seed draws the same batches: only the offsets differ, by the share of the items' log-degrees."""
    offsets = {}
    for share in (0.0, 0.7):
        seen = offsets[share] = []

        def spy(q_BD, z_CD, user_P, class_P, weight_P, offset_C, temperature, seen=seen):
            seen.append(offset_C.clone())
            return sampled_softmax(q_BD, z_CD, user_P, class_P, weight_P, offset_C, temperature)

        monkeypatch.setattr(training, "sampled_softmax", spy)
        train(graph, x_IF, config=QUICK.model_copy(update={"popularity_share": share}), num_epochs=1)
    log_degree_W = np.log(graph.item_degree[graph.item_degree > 0])
    for plain_C, shifted_C in zip(offsets[0.0], offsets[0.7], strict=True):
        popularity_C = ((shifted_C - plain_C) / 0.7).numpy()
        assert np.abs(popularity_C[:, None] - log_degree_W).min(axis=1).max() < 1e-4
        assert (shifted_C - plain_C).std() > 0.1
