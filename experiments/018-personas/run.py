"""What visitors with a short history elsewhere are offered: a handful of personas, to be read rather than counted.

python experiments/018-personas/run.py --root DATA writes metrics.json beside this file and the lists in README.md here.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from graphrec import Dataset, GraphRecConfig, Recommender

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, told, write_metrics, write_table  # noqa: E402

DATASET = HERE.parents[1] / "configs" / "data" / "ml1m-cross-site.yaml"
ELSEWHERE = "movielens-small:"
PERSONAS = {
    "space and robots, nothing older than 1977": ("260", "1196", "1210", "1240", "589"),
    "animated films for small children": ("1", "588", "594", "595", "596"),
    "Hitchcock": ("904", "908", "903", "1219", "928"),
    "romance with a laugh": ("539", "1307", "597", "357", "2671"),
    "only seen on the other site, films that are not sold here": ("60069", "68954", "78499", "134853", "50872"),
}
"""By the other site's own numbers."""


def one(model: Recommender, ids: tuple[str, ...]) -> dict[str, Any]:
    catalogue = model.train_.catalogue
    basket = [ELSEWHERE + number for number in ids]
    title = dict(zip(catalogue.item_ids.tolist(), catalogue.title.tolist(), strict=True))
    nodes = model.view.node_I[catalogue.id_index.get_indexer(pd.Index(basket))]
    lists = {name: model.recommend_from_items(basket, 8, only_new=new) for name, new in (("all", False), ("new", True))}
    return {
        "liked": [title[item] for item in basket],
        "sold here": int(model.train_.is_served_I[nodes].sum()),
        **{name: table[["title", "source", "degree"]].to_dict("records") for name, table in lists.items()},
    }


def results(metrics: dict[str, Any]) -> str:
    parts = []
    for name, case in metrics["personas"].items():
        parts.append(f"**{name}** ({case['sold here']} of {len(case['liked'])} are sold here)")
        parts.append(f"- liked elsewhere: {'; '.join(case['liked'])}")
        parts.append(f"- offered: {'; '.join(film['title'] for film in case['all'])}")
        new = "; ".join(f"{film['title']} ({film['source']})" for film in case["new"])
        parts.append(f"- offered of the films that nobody here has seen: {new}")
        parts.append("")
    return "\n".join(parts).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/, movielens-small/ and vectors/")
    parser.add_argument("--tables-only", action="store_true", help="write the lists again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        dataset = Dataset.load(DATASET, arguments.root)
        model = Recommender(GraphRecConfig(), device="cpu").fit(dataset, told)
        metrics = {"personas": {name: one(model, ids) for name, ids in PERSONAS.items()}, **machine()}
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))


if __name__ == "__main__":
    main()
