import numpy as np
import pytest
import torch
from torch_geometric.nn import SAGEConv

from graphrec.graph.blocks import neighbor_blocks
from graphrec.graph.interaction_graph import edge_type_into


@pytest.mark.parametrize(("kind", "source", "count"), [("item", "user", 30), ("user", "item", 45)])
@pytest.mark.parametrize("max_edges", [1, 17, 10**6])
def test_a_layer_over_blocks_equals_the_layer_over_the_whole_graph(graph, kind, source, count, max_edges):
    torch.manual_seed(0)
    data = graph.to_hetero_data()
    x = {"user": torch.randn(45, 4), "item": torch.randn(30, 4)}
    conv = SAGEConv((4, 4), 3)
    with torch.no_grad():
        expected = conv((x[source], x[kind]), data[edge_type_into(kind)].edge_index)
        for form in ("edge_index", "adjacency"):
            blocks = list(neighbor_blocks(graph, kind, max_edges))
            ends = [(x[source], x[kind][block.rows]) for block in blocks]
            got = torch.cat([conv(end, getattr(block, form)) for end, block in zip(ends, blocks, strict=True)])
            assert got.shape == (count, 3)
            torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("kind", ["user", "item"])
def test_blocks_cover_every_row_once_and_stay_within_the_bound(graph, kind):
    blocks = list(neighbor_blocks(graph, kind, max_edges=17))
    rows = np.concatenate([np.arange(block.rows.start, block.rows.stop) for block in blocks])
    assert rows.tolist() == list(range(graph.adjacency(kind).num_rows))
    assert sum(len(block.source_E) for block in blocks) == graph.num_edges
    for block in blocks:
        assert len(block.source_E) <= 17 or block.rows.stop - block.rows.start == 1
