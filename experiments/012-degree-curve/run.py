"""How an item moves from content to graph as its users arrive: served, content and graph vectors by degree.

python experiments/012-degree-curve/run.py --root DATA [--seeds 0,1,2] [--degrees 0,1,2] writes metrics.json after every
degree, and the picture and tables in README.md here. What is there with the same settings is not run again.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec import Dataset, GraphRecConfig
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.content import Content
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.models.fallback import gate
from graphrec.models.graph_model import GraphModel, fit_graph_model

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import tables  # noqa: E402
from reporting import write_table  # noqa: E402
from resumable import PROJECT, K, Kept, code_digest, digest, means, measured  # noqa: E402
from truncated_items import DEGREES, TruncatedItems  # noqa: E402

DATASET = PROJECT / "configs" / "data" / "ml1m-posters.yaml"
KEPT = Kept(HERE)
SERVED, ARM = "served", "content arm"


def main() -> None:
    arguments = _arguments()
    if not arguments.tables_only:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        train = Dataset.load(DATASET, arguments.root).fixed_split("valid").train
        for seed in map(int, arguments.seeds.split(",")):
            items = TruncatedItems.of(train, seed)
            for degree in map(int, arguments.degrees.split(",")):
                with KEPT.claimed(_values(degree, seed, "all")) as is_mine:
                    if is_mine and not is_done(degree, seed):
                        run_degree(items, degree, seed)
        compare()
    metrics = KEPT.load()
    for name, table in tables.of(metrics).items():
        write_table(HERE / "README.md", name, table)
    if metrics.get("degrees"):
        (HERE / tables.PICTURE).write_text(tables.picture(metrics), encoding="utf-8")


def run_degree(items: TruncatedItems, degree: int, seed: int) -> None:
    """Fit both arms with so many users of each item shown, and rank the items by each kind of vector."""
    split, config = items.split(degree), GraphRecConfig(seed=seed)
    pool, users = items.pool(split), items.users
    is_warm_I = split.train.interactions.item_degree() > 0
    blocks = item_blocks(extract_features(split.train, is_warm_I, config.features, device="cpu"), is_warm_I)
    cpu = time.process_time()
    model = fit_graph_model(split.train, blocks, config.model, seed)
    content = Content().fit(TrainingInput(split.train, blocks, config.model.tuning, seed))
    result: dict[str, Any] = {
        "fingerprint": _fingerprint(seed),
        "code": code_digest(),
        "made": round(time.time()),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "half_degree": model.choices.half_degree,
        "graph_share": gate(np.array([degree]), model.choices.half_degree).item(),
        "pool": f"{pool.description}; {len(users):,} users evaluated",
        "metrics": {},
    }
    seen, items_BI = pool.seen[users], split.train.interactions.user_item_matrix()[users]

    def by_vectors(vectors_ID: Any) -> Any:
        def rank(popularity: bool) -> RankedLists:
            query_BD = model.queries(model.encoded.q_UD[users], items_BI, popularity)
            return rank_by_vectors(query_BD, vectors_ID, pool.items, seen, K)

        return rank

    ways = {name: by_vectors(vectors_ID) for name, vectors_ID in vectors_of(model).items()}
    ways[ARM] = lambda popularity: content.rank(users, pool.items, seen, K, popularity)
    for name, rank in ways.items():
        values = measured(rank, pool, users)
        KEPT.keep_values(_values(degree, seed, name), users, values)
        result["metrics"][name] = means(values)
    KEPT.update(lambda metrics: _add(metrics, degree, seed, result))
    print(f"seed {seed}, degree {degree}: {tables.one_line(result)}", flush=True)


def vectors_of(model: GraphModel) -> dict[str, Any]:
    return {SERVED: model.served_ID, "content": model.content_ID, "graph": model.graph_ID}


def compare() -> None:
    """Served against each other way, by degree, over all seeds that are there."""
    metrics, found = KEPT.load(), {}
    for degree, by_seed in metrics.get("degrees", {}).items():
        for other in [name for name in next(iter(by_seed.values()))["metrics"] if name != SERVED]:
            names = [[_values(degree, seed, name) for seed in by_seed] for name in (SERVED, other)]
            if KEPT.have_values([*names[0], *names[1]]):
                found.setdefault(degree, {})[other] = KEPT.paired(*names)
    if found:
        KEPT.update(lambda metrics: metrics.setdefault("served_minus", {}).update(found))


def is_done(degree: int, seed: int) -> bool:
    one = KEPT.load().get("degrees", {}).get(str(degree), {}).get(str(seed), {})
    return one.get("fingerprint") == _fingerprint(seed)


def _fingerprint(seed: int) -> str:
    return digest(GraphRecConfig(seed=seed).model_dump(mode="json"))


def _values(degree: int | str, seed: int | str, way: str) -> str:
    return f"{degree}-{seed}-{way.replace(' ', '-')}"


def _add(metrics: dict[str, Any], degree: int, seed: int, result: dict[str, Any]) -> None:
    degrees = metrics.setdefault("degrees", {})
    degrees.setdefault(str(degree), {})[str(seed)] = result
    metrics["degrees"] = dict(sorted(degrees.items(), key=lambda one: int(one[0])))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--seeds", default="0", help="separated by commas; every seed truncates other items")
    parser.add_argument("--degrees", default=",".join(map(str, DEGREES)), help="some of them, separated by commas")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if not arguments.tables_only and arguments.root is None:
        parser.error("--root is needed")
    if not {int(degree) for degree in arguments.degrees.split(",")} <= set(DEGREES):
        parser.error(f"--degrees: expected some of {', '.join(map(str, DEGREES))}")
    return arguments


if __name__ == "__main__":
    main()
