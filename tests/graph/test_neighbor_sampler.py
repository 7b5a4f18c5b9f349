from typing import Any

import numpy as np
import pytest
import torch
import torch_geometric.typing
from scipy.stats import chisquare
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.nn import HeteroConv, SAGEConv
from torch_geometric.sampler import NegativeSampling

from graphrec.errors import GraphRecError
from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS
from graphrec.graph.sampler import NeighborSampler

EVERYTHING = 10**6


def sampler_of(graph, fanouts, seed=0, **settings: Any):
    return NeighborSampler(graph, fanouts, np.random.default_rng(seed), **settings)


def link_loader(graph, sampler, pairs, **settings: Any):
    seeds = (INTERACTS, torch.as_tensor(pairs))
    return LinkLoader(graph.to_hetero_data(), sampler, edge_label_index=seeds, **settings)


def shuffled(seed=0):
    return {"shuffle": True, "generator": torch.Generator().manual_seed(seed)}


def sampled_pairs(batch, edge_type):
    """The batch's edges of one type as a list of global (user, item)."""
    source, _, destination = edge_type
    rows, columns = batch[edge_type].edge_index
    ends = {source: batch[source].n_id[rows], destination: batch[destination].n_id[columns]}
    return list(zip(ends["user"].tolist(), ends["item"].tolist(), strict=True))


def assert_is_a_sample(batch, graph, fanouts):
    """Edges exist, e_id names them, none twice, nodes are distinct, and no hop exceeds its fanout."""
    data = graph.to_hetero_data()
    for edge_type in (INTERACTS, INTERACTED_BY):
        drawn = sampled_pairs(batch, edge_type)
        e_id = batch[edge_type].e_id
        ends = data[edge_type].edge_index[:, e_id]
        assert drawn == list(zip(*(ends if edge_type == INTERACTS else ends.flip(0)).tolist(), strict=True))
        assert torch.equal(batch[edge_type].edge_weight, data[edge_type].edge_weight[e_id])
        assert len(set(drawn)) == len(drawn)
        per_hop = batch[edge_type].num_sampled_edges
        frontiers = batch[edge_type[2]].num_sampled_nodes
        assert sum(per_hop) == len(drawn)
        assert len(per_hop) == len(fanouts)
        assert all(edges <= fanout * nodes for edges, fanout, nodes in zip(per_hop, fanouts, frontiers, strict=False))
        in_degree = torch.bincount(batch[edge_type].edge_index[1], minlength=1)
        assert in_degree.max() <= max(fanouts)
    for kind in ("user", "item"):
        n_id = batch[kind].n_id
        assert len(n_id.unique()) == len(n_id) == sum(batch[kind].num_sampled_nodes) == batch[kind].num_nodes


class TwoLayers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList(
            HeteroConv({INTERACTS: SAGEConv((width, width), 5), INTERACTED_BY: SAGEConv((width, width), 5)})
            for width in (6, 5)
        )

    @torch.no_grad()
    def forward(self, data):
        x = {"user": data["user"].x, "item": data["item"].x}
        for layer in self.layers:
            x = {kind: out.relu() for kind, out in layer(x, data.edge_index_dict).items()}
        return x


@pytest.fixture
def featured(graph):
    generator = torch.Generator().manual_seed(1)
    data = graph.to_hetero_data(item_x=torch.randn(30, 6, generator=generator))
    data["user"].x = torch.randn(45, 6, generator=generator)
    return data


@pytest.mark.parametrize(("kind", "count"), [("item", 30), ("user", 45)])
def test_node_loader_yields_every_seed_first_within_its_fanouts(graph, kind, count):
    loader = NodeLoader(
        graph.to_hetero_data(),
        sampler_of(graph, (3, 2)),
        input_nodes=(kind, torch.arange(count)),
        batch_size=7,
        **shuffled(),
    )
    seeds = []
    for batch in loader:
        seeds += batch[kind].n_id[: batch[kind].batch_size].tolist()
        assert torch.equal(batch[kind].n_id[: batch[kind].batch_size], batch[kind].input_id)
        assert_is_a_sample(batch, graph, (3, 2))
    assert seeds != sorted(seeds)
    assert sorted(seeds) == list(range(count))


def test_link_loader_points_at_the_right_pairs_within_its_fanouts(graph, pairs):
    seen = []
    for batch in link_loader(graph, sampler_of(graph, (3, 2)), pairs, batch_size=16, **shuffled()):
        users, items = batch[INTERACTS].edge_label_index
        labelled = torch.stack([batch["user"].n_id[users], batch["item"].n_id[items]])
        assert torch.equal(labelled, torch.as_tensor(pairs)[:, batch[INTERACTS].input_id])
        assert_is_a_sample(batch, graph, (3, 2))
        seen += list(zip(*labelled.tolist(), strict=True))
    assert sorted(seen) == list(zip(*pairs.tolist(), strict=True))


def test_link_loader_takes_a_batch_sampler(graph, pairs):
    batches = [[0, 3, 5], [7]]
    loader = link_loader(graph, sampler_of(graph, (3,)), pairs, batch_sampler=batches)
    assert [batch[INTERACTS].input_id.tolist() for batch in loader] == batches


@pytest.mark.parametrize("fanouts", [(EVERYTHING, EVERYTHING), (4, 3), (2, 2, 2)])
def test_a_predicted_edge_is_not_in_its_own_neighborhood(graph, pairs, fanouts):
    leaks = {True: 0, False: 0}
    for is_excluded in leaks:
        sampler = sampler_of(graph, fanouts, exclude_target_edges=is_excluded)
        for batch in link_loader(graph, sampler, pairs, batch_size=16, **shuffled()):
            targets = set(zip(*pairs[:, batch[INTERACTS].input_id.numpy()].tolist(), strict=True))
            for edge_type in (INTERACTS, INTERACTED_BY):
                leaks[is_excluded] += len(targets & set(sampled_pairs(batch, edge_type)))
    assert leaks[True] == 0
    assert leaks[False] > 0


def test_excluding_targets_leaves_every_other_neighbour(graph, pairs):
    for batch in link_loader(graph, sampler_of(graph, (EVERYTHING,)), pairs, batch_size=16, **shuffled()):
        targets = set(zip(*pairs[:, batch[INTERACTS].input_id.numpy()].tolist(), strict=True))
        everything = set(zip(*pairs.tolist(), strict=True)) - targets
        users, items = ({end[side] for end in targets} for side in (0, 1))
        assert set(sampled_pairs(batch, INTERACTED_BY)) == {pair for pair in everything if pair[0] in users}
        assert set(sampled_pairs(batch, INTERACTS)) == {pair for pair in everything if pair[1] in items}


@pytest.mark.parametrize("kind", ["user", "item"])
@pytest.mark.parametrize("num_hops", [1, 2, 3])
def test_where_users_start_alike_none_is_drawn_for_items_at_the_last_hop(graph, kind, num_hops):
    """All else is the same, items for users at that hop too: everything is drawn, so nothing hangs on chance."""
    fanouts, seeds = (EVERYTHING,) * num_hops, torch.tensor([3, 0, 17])
    plain, alike = (
        next(
            iter(
                NodeLoader(
                    graph.to_hetero_data(), sampler_of(graph, fanouts, users_start_alike=is_alike),
                    input_nodes=(kind, seeds), batch_size=3,
                )
            )
        )
        for is_alike in (False, True)
    )  # fmt: skip
    assert alike[INTERACTED_BY].num_sampled_edges == plain[INTERACTED_BY].num_sampled_edges
    assert sampled_pairs(alike, INTERACTED_BY) == sampled_pairs(plain, INTERACTED_BY)
    into_items = list(plain[INTERACTS].num_sampled_edges)
    assert alike[INTERACTS].num_sampled_edges == [*into_items[:-1], 0]
    assert sampled_pairs(alike, INTERACTS) == sampled_pairs(plain, INTERACTS)[: sum(into_items[:-1])]
    assert alike["user"].num_sampled_nodes[-1] == 0
    assert alike["item"].num_sampled_nodes == plain["item"].num_sampled_nodes


def test_sampled_neighbours_are_uniform_without_replacement(graph):
    """The hub item's users, 5 at a time; a neighbour's count over B draws has variance B·p(1-p), p = 5 / degree."""
    users, fanout, draws = graph.users_of_item.neighbors(0), 5, 4000
    sampler = sampler_of(graph, (fanout,), seed=3)
    loader = NodeLoader(
        graph.to_hetero_data(), sampler, input_nodes=("item", torch.zeros(draws, dtype=torch.int64)), batch_size=1
    )
    drawn = np.concatenate([batch["user"].n_id.numpy() for batch in loader])
    assert len(drawn) == fanout * draws
    counts = np.bincount(drawn, minlength=45)[users]
    assert counts.sum() == len(drawn)
    # Drawn without replacement, the counts vary less than chi-square expects, by (n - k) / (n - 1).
    n = len(users)
    statistic_scale = (n - 1) / (n - fanout)
    mean = len(drawn) / n
    assert chisquare(mean + (counts - mean) * np.sqrt(statistic_scale)).pvalue > 0.001


def test_neighbours_stay_uniform_where_targets_are_excluded(graph, pairs):
    """Two of the hub item's users are targets: the others share its draws evenly."""
    users = graph.users_of_item.neighbors(0)
    targets = np.flatnonzero((pairs[1] == 0) & np.isin(pairs[0], users[[3, 20]]))
    loader = link_loader(graph, sampler_of(graph, (5,), seed=3), pairs, batch_sampler=[targets.tolist()] * 3000)
    drawn = np.concatenate([[user for user, item in sampled_pairs(batch, INTERACTS) if item == 0] for batch in loader])
    counts = np.bincount(drawn, minlength=45)
    assert counts[users[[3, 20]]].tolist() == [0, 0]
    assert counts.sum() == 5 * 3000
    assert chisquare(counts[np.delete(users, [3, 20])]).pvalue > 0.001


def test_a_fanout_above_the_degree_gives_all_neighbours_once(graph):
    loader = NodeLoader(
        graph.to_hetero_data(), sampler_of(graph, (graph.user_degree.max(),)), input_nodes=("user", None), batch_size=45
    )
    (batch,) = loader
    assert sorted(sampled_pairs(batch, INTERACTED_BY)) == list(
        zip(graph.items_of_user.rows.tolist(), graph.items_of_user.indices_E.tolist(), strict=True)
    )
    assert batch[INTERACTS].edge_index.shape == (2, 0)


def test_untouched_nodes_come_alone(graph):
    for kind, nodes in (("item", [28, 29]), ("user", [43, 44])):
        loader = NodeLoader(
            graph.to_hetero_data(), sampler_of(graph, (3, 2)), (kind, torch.tensor(nodes)), batch_size=2
        )
        (batch,) = loader
        assert batch[kind].n_id.tolist() == nodes
        assert batch.num_nodes == 2
        assert batch.num_edges == 0


@pytest.mark.parametrize(("kind", "count"), [("item", 30), ("user", 45)])
def test_large_fanouts_give_the_seeds_the_full_graphs_vectors(graph, featured, kind, count):
    model = TwoLayers()
    expected = model(featured)[kind]
    loader = NodeLoader(
        featured, sampler_of(graph, (EVERYTHING, EVERYTHING)), (kind, torch.arange(count)), batch_size=7, **shuffled()
    )
    for batch in loader:
        seeds = batch[kind].n_id[: batch[kind].batch_size]
        torch.testing.assert_close(model(batch)[kind][: len(seeds)], expected[seeds])


def test_large_fanouts_give_link_ends_the_vectors_of_the_graph_without_the_targets(graph, featured, pairs):
    model = TwoLayers()
    seeds = (INTERACTS, torch.as_tensor(pairs))
    for batch in LinkLoader(
        featured, sampler_of(graph, (EVERYTHING,) * 2), edge_label_index=seeds, batch_size=32, **shuffled()
    ):
        is_target = np.zeros(graph.num_edges, dtype=bool)
        is_target[batch[INTERACTS].input_id] = True
        rest = featured.clone()
        rest[INTERACTED_BY].edge_index = torch.as_tensor(pairs[::-1, ~is_target].copy())
        rest[INTERACTS].edge_index = torch.as_tensor(pairs[:, ~is_target])
        expected, got = model(rest), model(batch)
        for kind, local in zip(("user", "item"), batch[INTERACTS].edge_label_index, strict=True):
            torch.testing.assert_close(got[kind][local], expected[kind][batch[kind].n_id[local]])


def test_trimming_to_the_layers_gives_the_same_vectors_as_the_whole_subgraph(graph, featured):
    from torch_geometric.utils import trim_to_layer

    model = TwoLayers()
    loader = NodeLoader(featured, sampler_of(graph, (4, 3)), ("item", torch.arange(30)), batch_size=7)
    for batch in loader:
        x, edge_index = {"user": batch["user"].x, "item": batch["item"].x}, batch.edge_index_dict
        nodes = {kind: batch[kind].num_sampled_nodes for kind in ("user", "item")}
        edges = {edge_type: batch[edge_type].num_sampled_edges for edge_type in (INTERACTS, INTERACTED_BY)}
        for depth, layer in enumerate(model.layers):
            x, edge_index, _ = trim_to_layer(depth, nodes, edges, x, edge_index)
            x = {kind: out.relu().detach() for kind, out in layer(x, edge_index).items()}
        seeds = batch["item"].batch_size
        torch.testing.assert_close(x["item"][:seeds], model(batch)["item"][:seeds])


def test_duplicate_seeds_keep_their_places(graph):
    loader = NodeLoader(
        graph.to_hetero_data(), sampler_of(graph, (2, 2)), ("item", torch.tensor([4, 4, 9])), batch_size=3
    )
    (batch,) = loader
    assert batch["item"].n_id[:3].tolist() == [4, 4, 9]


def ids_of(loader):
    return [[batch[kind].n_id.tolist() for kind in ("user", "item")] for batch in loader]


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(graph, pairs):
    sampler = sampler_of(graph, (3, 2), seed=5)
    negatives = NegativeSampling("triplet", amount=2)
    loader = link_loader(graph, sampler, pairs, batch_size=16, neg_sampling=negatives)
    first, second = ids_of(loader), ids_of(loader)
    sampler.rng = np.random.default_rng(5)
    assert ids_of(loader) == first
    assert second != first


def test_workers_draw_anew_each_epoch_and_repeat_with_the_loaders_generator(graph, pairs):
    loader = link_loader(graph, sampler_of(graph, (2, 2)), pairs[:, :48], batch_size=16, num_workers=1)
    loader.generator = torch.Generator().manual_seed(0)
    first, second = ids_of(loader), ids_of(loader)
    loader.generator.manual_seed(0)
    assert ids_of(loader) == first
    assert second != first


def test_triplet_negatives_are_warm_items_beside_their_positives(graph, pairs):
    negatives = NegativeSampling("triplet", amount=3)
    seen = set()
    for batch in link_loader(graph, sampler_of(graph, (3, 2)), pairs, batch_size=16, neg_sampling=negatives):
        expected = torch.as_tensor(pairs)[:, batch[INTERACTS].input_id]
        assert torch.equal(batch["user"].n_id[batch["user"].src_index], expected[0])
        assert torch.equal(batch["item"].n_id[batch["item"].dst_pos_index], expected[1])
        assert batch["item"].dst_neg_index.shape == (expected.shape[1], 3)
        seen |= set(batch["item"].n_id[batch["item"].dst_neg_index].flatten().tolist())
        assert_is_a_sample(batch, graph, (3, 2))
    assert seen == set(np.flatnonzero(graph.item_degree).tolist())


def test_binary_negatives_follow_the_positives_with_label_zero(graph, pairs):
    negatives = NegativeSampling("binary", amount=2)
    batch = next(iter(link_loader(graph, sampler_of(graph, (3,)), pairs, batch_size=16, neg_sampling=negatives)))
    assert batch[INTERACTS].edge_label.tolist() == [1] * 16 + [0] * 32
    users, items = batch[INTERACTS].edge_label_index
    assert torch.equal(batch["user"].n_id[users[:16]], torch.as_tensor(pairs[0, :16]))
    assert (graph.item_degree[batch["item"].n_id[items].numpy()] > 0).all()


def test_what_cannot_be_sampled_is_refused_in_one_line(graph, pairs):
    data, sampler = graph.to_hetero_data(), sampler_of(graph, (3,))
    weighted = NegativeSampling("triplet", dst_weight=torch.ones(30))
    reverse = LinkLoader(data, sampler, edge_label_index=(INTERACTED_BY, torch.as_tensor(pairs[::-1].copy())))
    for loader in (link_loader(graph, sampler, pairs, neg_sampling=weighted), reverse):
        with pytest.raises(GraphRecError) as error:
            next(iter(loader))
        assert "\n" not in str(error.value)
    with pytest.raises(GraphRecError, match="fanout"):
        sampler_of(graph, (3, 0))


@pytest.mark.parametrize("missing", [-1, 30])
def test_an_index_that_is_no_item_is_refused(graph, missing):
    loader = NodeLoader(
        graph.to_hetero_data(), sampler_of(graph, (3,)), ("item", torch.tensor([2, missing])), batch_size=2
    )
    with pytest.raises(ValueError, match=r"item indices in \[0, 30\)"):
        next(iter(loader))


@pytest.mark.skipif(not torch_geometric.typing.WITH_PYG_LIB, reason="pyg-lib is not installed")
def test_the_compiled_sampler_draws_from_the_same_distribution(graph):
    """Both samplers' counts of the hub item's users against the same expectation."""
    from torch_geometric.sampler import NeighborSampler as CompiledSampler

    torch.manual_seed(0)
    data, users, draws = graph.to_hetero_data(), graph.users_of_item.neighbors(0), 4000
    seeds = ("item", torch.zeros(draws, dtype=torch.int64))
    for sampler in (CompiledSampler(data, num_neighbors=[5]), sampler_of(graph, (5,))):
        drawn = torch.cat([batch["user"].n_id for batch in NodeLoader(data, sampler, seeds, batch_size=1)])
        counts = np.bincount(drawn.numpy(), minlength=45)[users]
        assert counts.sum() == 5 * draws
        assert chisquare(counts).pvalue > 0.001
