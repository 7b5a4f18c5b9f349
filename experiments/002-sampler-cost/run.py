"""Does the cost of a sampled batch depend on the batch alone, or on the size of the graph?

python experiments/002-sampler-cost/run.py writes metrics.json beside this file and the table in README.md.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from torch_geometric.loader import LinkLoader

from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, InteractionGraph
from graphrec.graph.sampler import NeighborSampler

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, write_metrics, write_table  # noqa: E402

NUM_EDGES = (1_000_000, 10_000_000)
BATCH_SIZE = 512
FANOUTS = (10, 5)
WARM_UP, MEASURED = 10, 100


def long_tailed_graph(num_edges: int, rng: np.random.Generator) -> InteractionGraph:
    """Exactly `num_edges` distinct pairs; 20 edges per user and 50 per item on average, most of them on a few."""
    num_users, num_items = num_edges // 20, num_edges // 50
    drawn = round(1.5 * num_edges)
    user = (num_users * rng.random(drawn) ** 2).astype(np.int64)
    item = (num_items * rng.random(drawn) ** 2).astype(np.int64)
    pair = rng.permutation(np.unique(user * num_items + item))[:num_edges]
    ones = np.ones(len(pair), dtype=np.float32)
    return InteractionGraph.from_matrix(sp.coo_matrix((ones, divmod(pair, num_items)), (num_users, num_items)))


def endless_batches(graph: InteractionGraph, rng: np.random.Generator) -> Iterator[object]:
    """Mini-batches of random edges, drawn batch by batch: a shuffle of every edge would hide the sampler's own cost."""
    data = graph.to_hetero_data()
    batches = (rng.integers(0, graph.num_edges, BATCH_SIZE).tolist() for _ in range(WARM_UP + MEASURED))
    sampler = NeighborSampler(graph, FANOUTS, rng)
    return iter(LinkLoader(data, sampler, edge_label_index=INTERACTS, batch_sampler=batches))


def measure() -> list[dict[str, float]]:
    """Both graphs in one process, one batch of each in turn, so that a noisy moment hits both."""
    graphs = [long_tailed_graph(num_edges, np.random.default_rng(0)) for num_edges in NUM_EDGES]
    loaders = [endless_batches(graph, np.random.default_rng(1)) for graph in graphs]
    seconds = np.zeros((len(graphs), WARM_UP + MEASURED))
    edges, nodes = np.zeros_like(seconds), np.zeros_like(seconds)
    for step in range(WARM_UP + MEASURED):
        for g, loader in enumerate(loaders):
            start = time.perf_counter()
            batch = next(loader)
            seconds[g, step] = time.perf_counter() - start
            edges[g, step] = sum(batch[edge_type].edge_index.shape[1] for edge_type in (INTERACTS, INTERACTED_BY))
            nodes[g, step] = batch.num_nodes
    return [
        {
            "edges": graph.num_edges,
            "users": graph.num_users,
            "items": graph.num_items,
            "largest_user_degree": int(graph.user_degree.max()),
            "largest_item_degree": int(graph.item_degree.max()),
            "median_batch_ms": round(1000 * float(np.median(seconds[g, WARM_UP:])), 2),
            "batch_ms_p10": round(1000 * float(np.quantile(seconds[g, WARM_UP:], 0.1)), 2),
            "batch_ms_p90": round(1000 * float(np.quantile(seconds[g, WARM_UP:], 0.9)), 2),
            "mean_sampled_edges": round(float(edges[g, WARM_UP:].mean())),
            "mean_sampled_nodes": round(float(nodes[g, WARM_UP:].mean())),
        }
        for g, graph in enumerate(graphs)
    ]


def table(metrics: dict) -> str:
    """The README's table, from metrics.json alone."""
    rows = [
        f"| {graph['edges']:,} | {graph['users']:,} | {graph['items']:,} | {graph['largest_item_degree']:,} "
        f"| {graph['mean_sampled_nodes']:,} | {graph['mean_sampled_edges']:,} "
        f"| {graph['median_batch_ms']} ({graph['batch_ms_p10']} – {graph['batch_ms_p90']}) |"
        for graph in metrics["graphs"]
    ]
    return "\n".join(
        [
            "| edges | users | items | largest item degree | nodes / batch | edges / batch "
            "| ms / batch: median (p10 – p90) |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Ten times the edges cost **{metrics['ratio_of_medians']} times** the median batch time. "
            f"Batch size {metrics['batch_size']}, fanouts {tuple(metrics['fanouts'])}, "
            f"{metrics['measured_batches']} batches each, {metrics['threads']} thread(s) of {metrics['machine']}; "
            f"torch {metrics['torch']}, PyG {metrics['torch-geometric']}.",
        ]
    )


def write_results(metrics: dict) -> None:
    write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", table(metrics))


def main() -> None:
    torch.set_num_threads(1)
    graphs = measure()
    metrics = {
        "graphs": graphs,
        "ratio_of_medians": round(graphs[-1]["median_batch_ms"] / graphs[0]["median_batch_ms"], 2),
        "batch_size": BATCH_SIZE,
        "fanouts": FANOUTS,
        "measured_batches": MEASURED,
        "threads": torch.get_num_threads(),
        **machine(),
    }
    write_results(metrics)
    print(table(metrics))


if __name__ == "__main__":
    main()
