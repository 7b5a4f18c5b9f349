"""What a shop can know on a visitor's first day: people of three Amazon sites, their history on one of them hidden.

python experiments/017-visitors/run.py --root DATA writes metrics.json beside this file and the tables of README.md
here; rows that are there already are kept.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.content import Content, ContentUntrained
from graphrec.baselines.popularity import Popularity
from graphrec.data.dataset import Split
from graphrec.evaluation.protocol import build_pool
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.unseen_users import meet_users

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import told, write_table  # noqa: E402
from resumable import METRICS, K, Kept, code_digest, means, measured  # noqa: E402

DATASET = HERE.parents[1] / "configs" / "data" / "amazon-three-sites.yaml"
CACHE = HERE.parents[1] / "runs" / "cache"
SITES = ("Beauty", "Sports", "Toys")
HELD = 0.5
CROSS, UNLINKED, OWN = "graph, shared users", "graph, users not linked", "graph, own site"
BASELINES: dict[str, Callable[[], Any]] = {
    "popularity": Popularity,
    "content-untrained": ContentUntrained,
    "content": Content,
}
GRAPHS: dict[str, Callable[[Dataset], Dataset]] = {
    CROSS: lambda train: train,
    UNLINKED: lambda train: without_links(train),
    OWN: lambda train: replace(train, interactions=train.own_interactions),
}
ABOUT = {
    "popularity": "what is bought most on the target site",
    "content-untrained": "mean of the foreign items' features, nothing learned",
    "content": "content ridge fitted on the target's log, read with the foreign items' features",
    OWN: "graph of the target site alone; foreign items enter as features",
    UNLINKED: "graph of all three sites, nobody known to be on two of them",
    CROSS: "graph of all three sites, the other shared users joining them",
}


def without_links(train: Dataset) -> Dataset:
    """A user of several sites is another user on each of them."""
    inter = train.interactions
    site_E = np.unique(train.catalogue.site, return_inverse=True)[1][inter.item_index_E]
    pair_E = inter.user_index_E * len(SITES) + site_E
    first_site_U = np.full(inter.num_users, -1)
    first_site_U[inter.user_index_E[::-1]] = site_E[::-1]
    is_other_E = site_E != first_site_U[inter.user_index_E]
    pairs, place_E = np.unique(pair_E[is_other_E], return_inverse=True)
    user_E = inter.user_index_E.copy()
    user_E[is_other_E] = inter.num_users + place_E
    ids = [f"{train.user_ids[pair // len(SITES)]} (elsewhere {pair % len(SITES)})" for pair in pairs.tolist()]
    return replace(
        train,
        user_ids=np.concatenate([train.user_ids, np.asarray(ids, dtype=object)]),
        interactions=replace(inter, num_users=inter.num_users + len(pairs), user_index_E=user_E),
    )


def same_users(split: Split, train: Dataset) -> Split:
    """The split with another training set, whose further users are nobody's here."""
    visible = split.visible
    assert visible is not None
    return replace(split, train=train, visible=replace(visible, num_users=train.interactions.num_users))


def fitted(name: str, split: Split, seed: int) -> tuple[Arm, dict[str, Any]]:
    config = GraphRecConfig(seed=seed)
    if name in BASELINES:
        inputs = model_inputs(split, config)
        return meet_users(BASELINES[name]().fit(inputs, told), split), {}
    train = GRAPHS[name](split.train)
    model = Recommender(config, device="cpu", cache=CACHE).fit(train, told)
    choices = model.model_.choices.model_dump(mode="json")
    return meet_users(model, same_users(split, train)), {"choices": choices}


def model_inputs(split: Split, config: GraphRecConfig) -> TrainingInput:
    is_warm_I = split.train.own_interactions.item_degree() > 0
    features = extract_features(split.train, is_warm_I, config.features, told, "cpu", CACHE)
    return TrainingInput(split.train, item_blocks(features, is_warm_I), config.model.tuning, config.seed)


def run(root: Path, sites: list[str], names: list[str], seed: int = 0) -> None:
    dataset, kept = Dataset.load(DATASET, root), Kept(HERE)
    for site in sites:
        split = dataset.for_site(site).split_visitors(HELD, seed)
        pool = build_pool(split, "warm")
        for name in names:
            key = f"{site}, {name}, {seed}"
            if key in kept.load().get("rows", {}):
                continue
            with kept.claimed(key.replace(" ", "-")) as is_mine:
                if not is_mine:
                    continue
                start = time.process_time()
                arm, about = fitted(name, split, seed)

                def rank(popularity: bool, arm: Arm = arm, pool: Any = pool) -> Any:
                    lists = [
                        arm.rank(users, pool.items, pool.seen[users], K, popularity)
                        for users in np.array_split(pool.users, 8)
                    ]
                    return replace(
                        lists[0],
                        items_UK=np.concatenate([one.items_UK for one in lists]),
                        scores_UK=np.concatenate([one.scores_UK for one in lists]),
                    )

                personal = rank if name != "popularity" else lambda popularity: rank(True)
                values = measured(personal, pool, pool.users)
                kept.keep_values(key, pool.users, values)
                row = {**means(values), "cpu_seconds": round(time.process_time() - start), "code": code_digest()}
                row |= {"site": site, "row": name, "seed": seed, "pool": pool.description, "coverage": pool.coverage}
                kept.update(lambda metrics, key=key, row=row | about: metrics.setdefault("rows", {}).update({key: row}))
                print(key, {metric: round(row[metric], 4) for metric in METRICS}, row["cpu_seconds"], flush=True)
    kept.update(lambda metrics: metrics.update(pairs=paired(kept, metrics, seed)))


def paired(kept: Kept, metrics: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    answers = []
    for site in SITES:
        for other in ABOUT:
            names = [f"{site}, {name}, {seed}" for name in (CROSS, other)]
            if other != CROSS and all(name in metrics["rows"] for name in names) and kept.have_values(names):
                answers.append({"site": site, "b": other, "intervals": kept.paired(names[:1], names[1:])})
    return answers


def results(metrics: dict[str, Any]) -> str:
    lines = [
        "| target | arm | Recall@20 | NDCG@20 | Recall@20, pop. off | NDCG@20, pop. off |",
        "|---|---|---|---|---|---|",
    ]
    for site in SITES:
        for name, about in ABOUT.items():
            row = metrics["rows"].get(f"{site}, {name}, 0")
            if row:
                cells = [f"{row[metric]:.4f}" for metric in METRICS]
                cells[2:] = ["", ""] if name == "popularity" else cells[2:]
                lines.append(f"| {site} | {name}: {about} | " + " | ".join(cells) + " |")
    pools = [
        f"{site}: pool {row['pool']}; {row['coverage']}."
        for site in SITES
        if (row := metrics["rows"].get(f"{site}, {CROSS}, 0"))
    ]
    differences = [f"| {CROSS} minus | target | " + " | ".join(METRICS[:2]) + " |", "|---|---|---|---|"]
    for pair in metrics.get("pairs", []):
        cells = [
            f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
            for metric, one in pair["intervals"].items()
            if metric in METRICS[:2]
        ]
        differences.append(f"| {pair['b']} | {pair['site']} | " + " | ".join(cells) + " |")
    return "\n\n".join(["\n".join(lines), "\n".join(f"- {one}" for one in pools), "\n".join(differences)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds amazon-three-sites/")
    parser.add_argument("--sites", default=",".join(SITES))
    parser.add_argument("--rows", default=",".join(ABOUT), help="some of the rows, separated by semicolons")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    names = list(ABOUT) if arguments.rows == ",".join(ABOUT) else arguments.rows.split(";")
    if not arguments.tables_only:
        run(arguments.root, arguments.sites.split(","), names)
    write_table(HERE / "README.md", "results", results(Kept(HERE).load()))


if __name__ == "__main__":
    main()
