"""What another site's log is worth for films that are new to a site, part by part.

python experiments/016-cross-site/run.py --root DATA writes metrics.json beside this file and the tables of README.md
here; rows that are there already are kept.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.content_cross_site import ContentCrossSite
from graphrec.data.catalogue import Attributes
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.dataset import Split
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.graph.site_view import SiteView
from graphrec.models.graph_model import fit_graph_model

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import told, write_table  # noqa: E402
from resumable import METRICS, K, Kept, code_digest, means, measured  # noqa: E402

PROJECT = HERE.parents[1]
DATASET = PROJECT / "configs" / "data" / "ml1m-cross-site.yaml"
OTHER = "movielens-small"
BARS = {"recall@20": 0.560, "ndcg@20": 0.600}
SIMPLE = {"recall@20": 0.546, "ndcg@20": 0.585}
"""Closed form with two teachers, from an earlier measurement on the same pool."""
COUNTS_BARS = {"recall@20": 0.52, "ndcg@20": 0.55}

Rank = Callable[[bool], RankedLists]


@dataclass(frozen=True)
class Row:
    about: str
    of: Callable[[Split, Pool, int], tuple[Rank, dict[str, Any]]]
    seeds: tuple[int, ...] = (0, 1, 2)


def graph(change: Callable[[Dataset], Dataset]) -> Callable[[Split, Pool, int], tuple[Rank, dict[str, Any]]]:
    """The graph arm on the training data, changed before it is fitted."""

    def fitted(split: Split, pool: Pool, seed: int) -> tuple[Rank, dict[str, Any]]:
        train, config = change(split.train), GraphRecConfig(seed=seed)
        view, blocks = inputs(train, config)
        model = fit_graph_model(train, blocks, config.model, seed, progress=told)
        q_UD = model.encoded.q_UD[pool.users]

        def rank(popularity: bool) -> RankedLists:
            query_UD = model.queries(q_UD, view.matrix_UI[pool.users], popularity)
            return rank_by_vectors(query_UD, model.served_ID, pool.items, pool.seen[pool.users], K)

        return rank, {"choices": model.choices.model_dump(mode="json", exclude={"ndcg_by_epoch"})}

    return fitted


def content(split: Split, pool: Pool, seed: int) -> tuple[Rank, dict[str, Any]]:
    """The content arm on the same blocks, other sites' among them: no graph anywhere."""
    config = GraphRecConfig(seed=seed)
    _, blocks = inputs(split.train, config)
    arm = ContentCrossSite().fit(TrainingInput(split.train, blocks, config.model.tuning, seed), told)
    return lambda popularity: arm.rank(pool.users, pool.items, pool.seen[pool.users], K, popularity), {}


def elsewhere_alone(split: Split, pool: Pool, seed: int) -> tuple[Rank, dict[str, Any]]:
    """Everybody gets what most people elsewhere touched."""
    view = SiteView.of(split.train)
    degree_I1 = view.degree_elsewhere_I[:, None].astype(np.float32)
    ones = np.ones((len(pool.users), 1), np.float32)
    return lambda popularity: rank_by_vectors(
        ones if popularity else 0 * ones, degree_I1, pool.items, pool.seen[pool.users], K
    ), {}


def inputs(train: Dataset, config: GraphRecConfig) -> tuple[SiteView, Any]:
    view = SiteView.of(train)
    is_warm_I = view.degree_I > 0
    return view, item_blocks(extract_features(train, is_warm_I, config.features, device="cpu"), is_warm_I)


def own_alone(train: Dataset) -> Dataset:
    """The other site's events and links leave; its items stay in the catalogue, and nobody touches them."""
    nothing = type(train.same_as).none()
    return replace(train, interactions=train.own_interactions, same_as=nothing).for_site(train.target_site)


def with_their_content(train: Dataset) -> Dataset:
    """Whether the film is sold there, its genres there as an attribute here, and its title there among the words."""
    genres, titles = [()] * len(train.catalogue), train.catalogue.text.copy()
    for ours, theirs in links(train):
        genres[ours] = train.catalogue.attributes.multi_valued["genres"][theirs]
        titles[ours] = f"{titles[ours]}. {train.catalogue.title[theirs]}"
    attributes = train.catalogue.attributes
    attributes = replace(attributes, multi_valued={**attributes.multi_valued, "genres elsewhere": genres})
    catalogue = replace(train.catalogue, text=titles, attributes=attributes)
    return replace(train, catalogue=catalogue, interactions=train.own_interactions, same_as=type(train.same_as).none())


def with_their_popularity(train: Dataset) -> Dataset:
    """How many people there touched the film, as one more number about it."""
    degree_I = SiteView.of(train).degree_elsewhere_I
    attributes: Attributes = train.catalogue.attributes
    number_I = np.where(degree_I > 0, np.log1p(degree_I), np.nan)
    attributes = replace(attributes, numeric={**attributes.numeric, "log users elsewhere": number_I})
    return own_alone(replace(train, catalogue=replace(train.catalogue, attributes=attributes)))


def counts_alone(minimum: int) -> Callable[[Dataset], Dataset]:
    """What the other site would write with `graphrec sites counts`, in place of its log."""

    def changed(train: Dataset) -> Dataset:
        theirs = train.interactions.take(~train.is_served_I[train.interactions.item_index_E])
        counts = CooccurrenceCounts.of(theirs, minimum)
        return replace(train, interactions=train.own_interactions, counts={OTHER: counts})

    return changed


def links(train: Dataset) -> list[tuple[int, int]]:
    """(own item, the other site's) of every pair."""
    same_as = train.same_as
    pairs = zip(same_as.left_P.tolist(), same_as.right_P.tolist(), strict=True)
    return [(a, b) if train.is_served_I[a] else (b, a) for a, b in pairs]


ROWS = {
    "popularity elsewhere": Row("ranked by users elsewhere, alike for everybody", elsewhere_alone, (0,)),
    "own site": Row("graph, nothing from elsewhere", graph(own_alone)),
    "+ their content": Row(
        "graph, with whether the film is sold there, and its genres and title there", graph(with_their_content), (0,)
    ),
    "+ their popularity": Row("graph, with the number of users there as an attribute", graph(with_their_popularity)),
    "+ their counts": Row("graph, with counts of at least 5 people in place of their log", graph(counts_alone(5))),
    "+ all their counts": Row("graph, with counts of at least 1 person", graph(counts_alone(1)), (0,)),
    "+ their interactions": Row(
        "graph, with their log: the default where sites are linked", graph(lambda train: train)
    ),
    "content + their interactions": Row("content arm with the same blocks", content),
}
PAIRS = (
    ("+ their interactions", "own site"),
    ("+ their interactions", "+ their popularity"),
    ("+ their interactions", "+ their counts"),
    ("+ their interactions", "content + their interactions"),
    ("+ their counts", "own site"),
    ("+ their content", "own site"),
    ("+ their popularity", "own site"),
)


def run(root: Path, names: list[str], seeds: list[int], masked: bool) -> None:
    dataset = Dataset.load(DATASET, root)
    kept = Kept(HERE)
    for seed in seeds:
        split = dataset.fixed_split("valid")
        world = "cold_valid"
        if masked:
            world = f"masked {seed}"
            split = split.train.split_cold_items(1 / 6, 100 + seed)
        pool = build_pool(split, "cold")
        for name in names:
            key = f"{world}, {name}, {seed}"
            if seed not in ROWS[name].seeds or key in kept.load().get("rows", {}):
                continue
            with kept.claimed(key.replace(" ", "-")) as is_mine:
                if not is_mine:
                    continue
                start = time.process_time()
                rank, about = ROWS[name].of(split, pool, seed)
                values = measured(rank, pool, pool.users)
                kept.keep_values(key, pool.users, values)
                row = {**means(values), "cpu_seconds": round(time.process_time() - start), "code": code_digest()}
                row |= {"world": world, "row": name, "seed": seed, "pool": pool.description, **about}
                row |= {"coverage": pool.coverage, "linked": int(linked(split)[pool.items].sum())}
                kept.update(lambda metrics, key=key, row=row: metrics.setdefault("rows", {}).update({key: row}))
                print(key, {metric: round(row[metric], 4) for metric in METRICS}, row["cpu_seconds"], flush=True)
    kept.update(lambda metrics: metrics.update(pairs=paired(kept, metrics)))


def linked(split: Split) -> np.ndarray:
    return SiteView.of(split.train).degree_elsewhere_I > 0


def paired(kept: Kept, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Intervals over users of the seeds that both have, in cold_valid."""
    answers = []
    for a, b in PAIRS:
        seeds = [s for s in (0, 1, 2) if all(f"cold_valid, {name}, {s}" in metrics["rows"] for name in (a, b))]
        names = [[f"cold_valid, {name}, {seed}" for seed in seeds] for name in (a, b)]
        if seeds and kept.have_values([*names[0], *names[1]]):
            answers.append({"a": a, "b": b, "seeds": seeds, "intervals": kept.paired(*names)})
    return answers


def results(metrics: dict[str, Any]) -> str:
    rows = cold_valid(metrics)
    first = rows[0]
    pool = f"Pool: {first['pool']}; {first['linked']} of them are sold elsewhere too; {first['coverage']}."
    return "\n\n".join([arms_table(rows), pool, verdicts(rows), differences(metrics), masked_table(metrics)])


def cold_valid(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in metrics["rows"].values() if row["world"] == "cold_valid"]


def arms_table(rows: list[dict[str, Any]], times: str = "seeds") -> str:
    lines = [
        f"| what is known from elsewhere | {times} | Recall@20 | NDCG@20 | Recall@20, pop. off | NDCG@20, pop. off |",
        "|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        of = [row for row in rows if row["row"] == name]
        if of:
            cells = [spread([row[metric] for row in of]) for metric in METRICS]
            cells[2:] = ["", ""] if name == "popularity elsewhere" else cells[2:]
            lines.append(f"| {name}: {ROWS[name].about} | {len(of)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdicts(rows: list[dict[str, Any]]) -> str:
    lines = []
    for name, bars, what in (
        ("+ their interactions", BARS, "bar"),
        ("+ their interactions", SIMPLE, "strongest simple arm"),
        ("+ their counts", COUNTS_BARS, "bar of counts alone"),
    ):
        of = [row for row in rows if row["row"] == name]
        for metric, bar in bars.items():
            if of:
                mean = float(np.mean([row[metric] for row in of]))
                word = "reached" if mean >= bar else f"missed by {bar - mean:.3f}"
                lines.append(f"- {name}, {metric}: {mean:.3f}, {what} {bar:.3f}: {word}")
    return "\n".join(lines)


def differences(metrics: dict[str, Any]) -> str:
    lines = ["| difference | seeds | " + " | ".join(METRICS) + " |", "|---|---|---|---|---|---|"]
    for pair in metrics.get("pairs", []):
        cells = [
            f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]" for one in pair["intervals"].values()
        ]
        lines.append(f"| {pair['a']} − {pair['b']} | {len(pair['seeds'])} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def masked_table(metrics: dict[str, Any]) -> str:
    rows = [row for row in metrics["rows"].values() if row["world"] != "cold_valid"]
    if not rows:
        return ""
    return f"Items masked inside the training data, where the recipe was chosen:\n\n{arms_table(rows, 'draws')}"


def spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f}" + (f" ({np.std(values):.4f})" if len(values) > 1 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/, movielens-small/ and vectors/")
    parser.add_argument("--rows", default=",".join(ROWS), help="some of the rows, separated by commas")
    parser.add_argument("--seeds", default="0,1,2", help="some of the seeds, separated by commas")
    parser.add_argument("--masked", action="store_true", help="on items masked inside the training data")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if not arguments.tables_only:
        run(
            arguments.root,
            arguments.rows.split(","),
            [int(one) for one in arguments.seeds.split(",")],
            arguments.masked,
        )
    metrics = Kept(HERE).load()
    write_table(HERE / "README.md", "results", results(metrics))
    write_table(PROJECT / "README.md", "cross-site", arms_table(cold_valid(metrics)))


if __name__ == "__main__":
    main()
