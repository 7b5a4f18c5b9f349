import numpy as np
import pytest
import torch
from torch_geometric.loader import NodeLoader

from graphrec.data.interactions import Interactions
from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, InteractionGraph
from graphrec.graph.sampler import NeighborSampler
from graphrec.models import graphsage
from graphrec.models.graphsage import GraphSAGE, GraphSAGEConfig


def naive_forward(encoder, graph, x_IF):
    """The same network node by node: loops, dense arrays, float64."""

    def linear(layer, vector):
        bias = 0 if layer.bias is None else layer.bias.detach().double().numpy()
        return layer.weight.detach().double().numpy() @ vector + bias

    def mean(vectors):
        return np.mean(vectors, axis=0) if vectors else np.zeros(len(user[0]))

    is_edge_UI = graph.items_of_user.matrix().toarray() > 0
    item = [linear(encoder.content, x_F) for x_F in x_IF.astype(np.float64)]
    if encoder.residual is not None:
        item = [h + own for h, own in zip(item, encoder.residual.weight.detach().double().numpy(), strict=True)]
    user = [encoder.user_start.detach().double().numpy()] * graph.num_users
    for number, layer in enumerate(encoder.layers):
        of_user = [[item[i] for i in np.flatnonzero(row)] for row in is_edge_UI]
        of_item = [[user[u] for u in np.flatnonzero(row)] for row in is_edge_UI.T]
        to_user, to_item = layer["user"], layer["item"]
        new_user = [
            linear(to_user.lin_l, mean(n)) + linear(to_user.lin_r, h) for n, h in zip(of_user, user, strict=True)
        ]
        new_item = [
            linear(to_item.lin_l, mean(n)) + linear(to_item.lin_r, h) if number else linear(to_item, h)
            for n, h in zip(of_item, item, strict=True)
        ]
        last = number == len(encoder.layers) - 1
        user, item = ([h if last else np.maximum(h, 0) for h in nodes] for nodes in (new_user, new_item))
    return tuple(np.array([h / np.linalg.norm(h) for h in nodes]) for nodes in (user, item))


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_encode_equals_a_loop_over_nodes_and_neighbours(graph, x_IF, make_encoder, num_layers, residual):
    encoder = make_encoder(num_layers, residual)
    q_UD, z_ID = naive_forward(encoder, graph, x_IF)
    encoded = encoder.encode(graph, x_IF)
    np.testing.assert_allclose(encoded.q_UD, q_UD, atol=1e-5)
    np.testing.assert_allclose(encoded.z_ID, z_ID, atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_encoding_in_blocks_is_encoding_at_once(graph, x_IF, make_encoder, num_layers, monkeypatch):
    encoder = make_encoder(num_layers)
    at_once = encoder.encode(graph, x_IF)
    cut = graphsage.neighbor_blocks
    monkeypatch.setattr(graphsage, "neighbor_blocks", lambda graph, kind: cut(graph, kind, max_edges=17))
    in_blocks = encoder.encode(graph, x_IF, block_rows=7)
    np.testing.assert_allclose(in_blocks.q_UD, at_once.q_UD, atol=1e-6)
    np.testing.assert_allclose(in_blocks.z_ID, at_once.z_ID, atol=1e-6)
    np.testing.assert_allclose(in_blocks.states_LID, at_once.states_LID, atol=1e-5)


@pytest.mark.parametrize("users_start_alike", [False, True])
@pytest.mark.parametrize("kind", ["user", "item"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_seeds_of_a_subgraph_with_all_neighbours_get_the_vectors_of_the_full_graph(
    graph, x_IF, make_encoder, num_layers, kind, users_start_alike
):
    encoder = make_encoder(num_layers)
    encoded = encoder.encode(graph, x_IF)
    everything = (max(graph.user_degree.max(), graph.item_degree.max()),) * num_layers
    seeds = torch.tensor([29, 4, 0, 28, 11])
    sampler = NeighborSampler(graph, everything, np.random.default_rng(0), users_start_alike=users_start_alike)
    (batch,) = NodeLoader(graph.to_hetero_data(), sampler, input_nodes=(kind, seeds), batch_size=len(seeds))
    item_m = batch["item"].n_id
    edge_index = {one: batch[one].edge_index for one in (INTERACTS, INTERACTED_BY)}
    with torch.no_grad():
        q_nD, z_mD = encoder(item_m, torch.from_numpy(x_IF)[item_m], batch["user"].num_nodes, edge_index)
    sampled, full = (q_nD, encoded.q_UD) if kind == "user" else (z_mD, encoded.z_ID)
    np.testing.assert_allclose(sampled[: len(seeds)].numpy(), full[seeds], atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_visitor_with_a_users_items_gets_that_users_vector(graph, x_IF, make_encoder, num_layers):
    encoder = make_encoder(num_layers)
    encoded = encoder.encode(graph, x_IF)
    users = np.flatnonzero(graph.user_degree)[::-1]
    baskets = [graph.items_of_user.neighbors(user) for user in users]
    np.testing.assert_allclose(encoder.encode_users(encoded.states_LID, baskets), encoded.q_UD[users], atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_visitors_vector_does_not_depend_on_who_else_asks(graph, x_IF, make_encoder, num_layers):
    encoder = make_encoder(num_layers)
    states_LID = encoder.encode(graph, x_IF).states_LID
    baskets = [np.array([3]), np.array([5, 0, 29]), np.arange(20), np.array([0, 5])]
    together = encoder.encode_users(states_LID, baskets)
    alone = np.concatenate([encoder.encode_users(states_LID, [basket]) for basket in baskets])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_user_vector_does_not_depend_on_users_they_are_not_connected_to(x_IF, make_encoder, num_layers):
    encoder = make_encoder(num_layers)
    user, item = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
    alone = InteractionGraph.from_interactions(Interactions.from_pairs(user, item, 2, 30))
    others, theirs = np.repeat(np.arange(2, 9), 6), np.arange(42) % 25 + 3
    crowd = Interactions.from_pairs(np.append(user, others), np.append(item, theirs), 9, 30)
    in_crowd = encoder.encode(InteractionGraph.from_interactions(crowd), x_IF)
    np.testing.assert_allclose(in_crowd.q_UD[:2], encoder.encode(alone, x_IF).q_UD, atol=1e-6)


@pytest.mark.parametrize(("num_layers", "reaches"), [(1, False), (2, False), (3, True)])
def test_what_else_a_neighbours_neighbour_has_reaches_a_user_through_three_layers(
    graph, x_IF, make_encoder, num_layers, reaches
):
    """User → item → other user → their items; the other users all start from one vector, so two layers see no more."""
    user, shared = 41, 3  # all that user 41 has
    other = graph.users_of_item.neighbors(shared)[0]
    edge_U, edge_I = graph.items_of_user.rows, graph.items_of_user.indices_E
    is_kept = (edge_U != other) | (edge_I == shared)
    less = InteractionGraph.from_interactions(Interactions.from_pairs(edge_U[is_kept], edge_I[is_kept], 45, 30))
    encoder = make_encoder(num_layers)
    before, after = (encoder.encode(one, x_IF).q_UD[user] for one in (graph, less))
    assert (np.abs(before - after).max() > 1e-3) == reaches


def pass_through(encoder):
    """Make the layers hand on the mean of the neighbours' content, untouched."""
    with torch.no_grad():
        convolution = encoder.user_layer(0)
        convolution.lin_l.weight.copy_(torch.eye(len(convolution.lin_l.weight)))
        convolution.lin_l.bias.zero_()
        convolution.lin_r.weight.zero_()


def test_queries_are_the_layers_output_and_not_the_mean_of_the_content(taste_world, taste_model):
    """With the identity for layers a query *is* the mean content, as it was at the start; trained, it is not."""
    graph = InteractionGraph.from_interactions(taste_world.split.train.interactions)
    x_IF, encoder = taste_world.blocks.x_IF, taste_model.encoder
    trained = encoder.encode(graph, x_IF)
    np.testing.assert_array_equal(trained.q_UD, taste_model.encoded.q_UD)

    bare = GraphSAGE(len(x_IF), x_IF.shape[1], GraphSAGEConfig(dim=8, fanouts=(8,)))
    bare.load_state_dict(encoder.state_dict())
    pass_through(bare)
    average_UI = graph.items_of_user.matrix(weighted=False) / graph.user_degree[:, None]
    mean_UD = average_UI @ trained.states_LID[0]
    mean_UD /= np.linalg.norm(mean_UD, axis=1, keepdims=True)
    np.testing.assert_allclose(bare.encode(graph, x_IF).q_UD, mean_UD, atol=1e-5)
    cosine_U = np.einsum("ud,ud->u", trained.q_UD, mean_UD)
    assert cosine_U.mean() < 0.99, cosine_U.mean()


def test_without_residual_an_item_of_equal_features_and_neighbours_is_its_twin(make_encoder, x_IF):
    twin_IF = x_IF.copy()
    twin_IF[1] = twin_IF[0]
    user = np.repeat(np.arange(12), 2)
    graph = InteractionGraph.from_interactions(Interactions.from_pairs(user, np.arange(24) % 2, 12, 30))
    z_ID = make_encoder(2, residual=False).encode(graph, twin_IF).z_ID
    np.testing.assert_allclose(z_ID[0], z_ID[1], atol=1e-6)
    z_ID = make_encoder(2, residual=True).encode(graph, twin_IF).z_ID
    assert np.abs(z_ID[0] - z_ID[1]).max() > 0.01


def test_a_new_encoder_starts_without_residuals():
    encoder = GraphSAGE(30, 6, GraphSAGEConfig(dim=5))
    assert not encoder.residual.weight.any()
    assert GraphSAGE(30, 6, GraphSAGEConfig(dim=5, residual=False)).residual is None


def test_a_user_starts_as_the_mean_of_their_items_with_nothing_in_common(graph, x_IF):
    """By hand: residuals are small, and zero for items without an edge; features count less their mean over edges."""
    shifted_IF = x_IF + 3
    encoder = GraphSAGE(graph.num_items, x_IF.shape[1], GraphSAGEConfig(dim=5))
    encoder.start_from(shifted_IF, graph.item_degree, seed=0)
    residual_ID = encoder.residual.weight.detach().numpy()
    assert not residual_ID[graph.item_degree == 0].any()
    assert 0.03 < residual_ID[graph.item_degree > 0].std() < 0.07
    mean_F = graph.item_degree @ shifted_IF / graph.item_degree.sum()
    start_ID = (shifted_IF - mean_F) @ encoder.content.weight.detach().numpy().T + residual_ID
    encoded = encoder.encode(graph, shifted_IF)
    np.testing.assert_allclose(encoded.states_LID[0], start_ID, atol=1e-4)
    known_U = graph.user_degree > 0
    mean_UD = (graph.items_of_user.matrix(weighted=False) @ start_ID)[known_U]
    mean_UD /= np.linalg.norm(mean_UD, axis=1, keepdims=True)
    np.testing.assert_allclose(encoded.q_UD[known_U], mean_UD, atol=1e-4)
