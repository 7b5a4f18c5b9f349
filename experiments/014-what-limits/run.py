"""What limits recall of new films: the graph, the number of items that a head learns from, or popularity?

python experiments/014-what-limits/run.py --root DATA writes metrics.json beside this file, and the picture and the
tables of README.md here.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.content import Content
from graphrec.data.dataset import Split
from graphrec.evaluation.metrics import ndcg, recall
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.graph.site_view import SiteView
from graphrec.models.fold_in import fold_in
from graphrec.models.graph_model import fit_graph_model
from graphrec.models.mixture_search import POPULARITY_WEIGHTS
from graphrec.models.parts import Mixture, Parts, Placer
from graphrec.models.ridge import HeadSettings

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from curves import LinePanel, line_panels  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402

DATASET = HERE.parents[1] / "configs" / "data" / "ml1m-posters.yaml"
PICTURE = "items.svg"
K = 20
SEED = 0
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
DRAWS = 3
WHOLE = 1_000_000
"""Wider than any raw block: it is not cut."""


class World:
    """One fitted graph arm and one content arm; their heads are fitted again on fewer items."""

    def __init__(self, train: Dataset) -> None:
        self.split: Split = train.split_cold_items(1 / 6, 100 + SEED)
        self.pool: Pool = build_pool(self.split, "cold")
        self.view, config = SiteView.of(self.split.train), GraphRecConfig(seed=SEED)
        self.degree_I = self.view.degree_I
        self.warm, is_warm_I = np.flatnonzero(self.degree_I), self.degree_I > 0
        features = extract_features(self.split.train, is_warm_I, config.features, device="cpu")
        self.blocks: FeatureBlocks = item_blocks(features, is_warm_I)
        self.model = fit_graph_model(self.split.train, self.blocks, config.model, SEED)
        self.content = Content().fit(TrainingInput(self.split.train, self.blocks, config.model.tuning, SEED))
        self.folded_ID = fold_in(self.model.encoded.q_UD, self.view.own_UI)

    def parts(self, head: HeadSettings, rows: np.ndarray, raw_dim: int) -> Parts:
        """All that a head says of the pool, learned from these warm items alone; the graph is the whole one."""
        degree_I = np.where(np.isin(np.arange(len(self.degree_I)), rows), self.degree_I, 0)
        placer = Placer.of(self.blocks, degree_I, head, self.model.choices.popularity_head, SEED)
        return Parts.fit(placer, None, self.model.encoded, self.folded_ID, self.view, raw_dim, SEED)

    def arms(self, rows: np.ndarray) -> dict[str, tuple[Parts, Mixture]]:
        alone = Mixture(raw_share=1.0, popularity_weight=self.content.popularity_weight_)
        return {
            "graph": (self.parts(self.model.choices.head, rows, GraphRecConfig().model.raw_dim), self.mixture),
            "content": (self.parts(self.content.settings_, rows, WHOLE), alone),
        }

    @property
    def mixture(self) -> Mixture:
        return self.model.choices.mixture

    def measured(self, parts: Parts, mixture: Mixture) -> dict[str, float]:
        pool, found = self.pool, {}
        scale, seen, truth = parts.scale(mixture), pool.seen[pool.users], pool.truth[pool.users]
        vectors_ID = parts.without_edges(mixture)
        for name, popularity in (("", True), (" off", False)):
            query_BD = parts.queries(pool.users, mixture, scale, popularity)
            hit = hits(rank_by_vectors(query_BD, vectors_ID, pool.items, seen, K), truth)
            for metric, value in (("recall@20", recall), ("ndcg@20", ndcg)):
                found[metric + name] = float(np.nanmean(value(*hit, K)))
        return found


def fewer_items(world: World) -> list[dict[str, Any]]:
    rows = []
    for share in SHARES:
        draws = 1 if share == 1 else DRAWS
        count = round(share * len(world.warm))
        drawn: dict[str, list[dict[str, float]]] = {"graph": [], "content": []}
        for draw in range(draws):
            kept = np.sort(np.random.default_rng(draw).choice(world.warm, count, replace=False))
            for name, (parts, mixture) in world.arms(kept).items():
                drawn[name].append(world.measured(parts, mixture))
        means = {
            name: {key: float(np.mean([one[key] for one in values])) for key in values[0]}
            for name, values in drawn.items()
        }
        rows.append({"share": share, "items": count, "draws": draws, **means})
        print(f"{count} items: {means}", flush=True)
    return rows


def known_popularity(world: World) -> dict[str, Any]:
    """The pool's log-degrees as they are, in place of what is predicted of them; the weight that is best then."""
    pool = world.pool
    true_P = np.log1p(np.bincount(pool.truth.indices, minlength=len(world.degree_I))[pool.items])
    found: dict[str, Any] = {}
    for name, (parts, mixture) in world.arms(world.warm).items():
        predicted_P = parts.unseen.popularity_I[pool.items]
        spread = true_P.std() / max(1e-9, predicted_P.std())
        term_I = parts.unseen.popularity_I.copy()
        term_I[pool.items] = (true_P - true_P.mean()) / max(1e-9, spread)
        known = replace(parts, unseen=replace(parts.unseen, popularity_I=term_I))
        tries = {
            weight: world.measured(known, mixture.model_copy(update={"popularity_weight": weight}))
            for weight in (*POPULARITY_WEIGHTS, 2.4, 3.2)
        }
        weight = max(tries, key=lambda one: tries[one]["ndcg@20"])
        found[name] = {"weight": weight, **tries[weight]}
        found["correlation"] = float(np.corrcoef(predicted_P, true_P)[0, 1])
    return found


def results(metrics: dict[str, Any]) -> str:
    lines = [
        "| items a head learns from | draws | content | graph | graph / content | content, off | graph, off "
        "| graph / content, off |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in metrics["fewer_items"]:
        cells = [f"{row['items']:,} ({row['share']:.0%})", str(row["draws"])]
        for off in ("", " off"):
            cells += [_both(row["content"], off), _both(row["graph"], off), _lift(row["graph"], row["content"], off)]
        lines.append("| " + " | ".join(cells) + " |")
    known = metrics["known_popularity"]
    lines += ["", "| popularity of the pool's items | content | graph | graph / content |", "|---|---|---|---|"]
    last = metrics["fewer_items"][-1]
    for name, one in (("predicted", last), ("known (an oracle)", known)):
        graph, content = one["graph"], one["content"]
        lines.append(f"| {name} | {_both(content, '')} | {_both(graph, '')} | {_lift(graph, content, '')} |")
    lines += [
        "",
        f"Recall@20 / NDCG@20. {metrics['pool']}. Correlation of predicted and true log-popularity in the pool: "
        f"{known['correlation']:.2f}; weights with known popularity: {known['content']['weight']:g} (content), "
        f"{known['graph']['weight']:g} (graph). {metrics['machine']}, torch {metrics['torch']}.",
    ]
    return "\n".join(lines)


def picture(metrics: dict[str, Any]) -> str:
    rows = metrics["fewer_items"]
    labels = tuple(f"{row['items']:,}" for row in rows)
    panels = [
        LinePanel(
            f"NDCG@20, popularity {'off' if off else 'on'}",
            labels,
            {name: [row[name][f"ndcg@20{off}"] for row in rows] for name in ("graph", "content")},
        )
        for off in ("", " off")
    ]
    return line_panels(panels, "warm items that the heads learn from")


def _both(one: dict[str, float], off: str) -> str:
    return f"{one['recall@20' + off]:.4f} / {one['ndcg@20' + off]:.4f}"


def _lift(graph: dict[str, float], content: dict[str, float], off: str) -> str:
    return " / ".join(f"{graph[metric + off] / content[metric + off] - 1:+.1%}" for metric in ("recall@20", "ndcg@20"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        world = World(Dataset.load(DATASET, arguments.root).fixed_split("valid").train)
        pool = f"Pool: {world.pool.description}; {world.pool.coverage}"
        metrics = {
            "pool": pool,
            "fewer_items": fewer_items(world),
            "known_popularity": known_popularity(world),
            **machine(),
        }
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))
    (HERE / PICTURE).write_text(picture(metrics), encoding="utf-8")


if __name__ == "__main__":
    main()
