"""New items among all others: what showing more of them costs on MovieLens-1M.

python experiments/013-calibration/run.py --root DATA writes metrics.json beside this file, and the picture and tables
of README.md here.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphrec import Dataset, GraphRecConfig
from graphrec.data.dataset import Split
from graphrec.evaluation.metrics import recall
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.evaluation.ranking import RankedLists, hits, rank_by_vectors
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.models.fallback import serve
from graphrec.models.graph_model import GraphModel, fit_graph_model

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from curves import LinePanel, line_panels  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402

DATASET = HERE.parents[1] / "configs" / "data" / "ml1m-posters.yaml"
PICTURE = "stretch.svg"
K = 20
SEEDS = (0, 1, 2)
FACTORS = (1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)
SHIFTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6)
MOST_LOSS = 0.03


def one_seed(train: Dataset, seed: int) -> dict[str, Any]:
    """Fit once; stretch the content vectors, or shift new items' scores, afterwards."""
    split, config = masked(train, seed), GraphRecConfig(seed=seed)
    is_warm_I = split.train.interactions.item_degree() > 0
    blocks = item_blocks(extract_features(split.train, is_warm_I, config.features, device="cpu"), is_warm_I)
    model = fit_graph_model(split.train, blocks, config.model, seed)
    full, matrix_UI = build_pool(split, "full"), split.train.interactions.user_item_matrix()
    query_UD = model.queries(model.encoded.q_UD[full.users], matrix_UI[full.users])
    is_new_I = model.degree_I == 0

    def stretched(factor: float) -> RankedLists:
        content_ID = model.content_ID * np.float32(factor / model.choices.stretch)
        served_ID = serve(model.graph_ID, content_ID, model.degree_I, model.choices.half_degree)
        return rank_by_vectors(query_UD, served_ID, full.items, full.seen[full.users], K)

    def shifted(shift: float) -> RankedLists:
        content_ID = model.content_ID / np.float32(model.choices.stretch)
        served_ID = serve(model.graph_ID, content_ID, model.degree_I, model.choices.half_degree)
        query_UE = np.hstack([query_UD, np.full((len(query_UD), 1), shift, np.float32)])
        served_IE = np.hstack([served_ID, is_new_I[:, None].astype(np.float32)])
        return rank_by_vectors(query_UE, served_IE, full.items, full.seen[full.users], K)

    def curve(rank: Callable[[float], RankedLists], values: tuple[float, ...]) -> list[dict[str, float]]:
        return [{"value": value, **measured(rank(value), full, is_new_I)} for value in values]

    print(f"seed {seed}: {about(model)}", flush=True)
    return {
        "seed": seed,
        "new": int(is_new_I[full.items].sum()),
        "items": len(full.items),
        "users": len(full.users),
        "chosen": {"value": model.choices.stretch, **measured(stretched(model.choices.stretch), full, is_new_I)},
        "stretch": curve(stretched, FACTORS),
        "shift": curve(shifted, SHIFTS),
    }


def masked(train: Dataset, seed: int) -> Split:
    """A sixth of the items masked whole and a tenth of the other pairs; whoever has interactions at all competes."""
    split = train.split_cold_items(1 / 6, 100 + seed, 0.1)
    touched = np.flatnonzero(train.interactions.item_degree())
    return replace(split, truth=replace(split.truth, candidates=touched))


def about(model: GraphModel) -> str:
    return f"stretch {model.choices.stretch}, half graph at degree {model.choices.half_degree}"


def measured(lists: RankedLists, full: Pool, is_new_I: np.ndarray) -> dict[str, float]:
    """Recall of warm, of new and of all items, all of them competing, and the share of places that new items get."""
    truth = full.truth[full.users]
    shown = lists.items_UK[lists.items_UK >= 0]
    parts = {"warm": only(truth, ~is_new_I), "new": only(truth, is_new_I), "all": truth}
    return {
        **{name: float(np.nanmean(recall(*hits(lists, part), K))) for name, part in parts.items()},
        "share": float(is_new_I[shown].mean()),
    }


def only(truth: sp.csr_matrix, is_kept_I: np.ndarray) -> sp.csr_matrix:
    """The pairs of these items; what is stored counts, so nothing else may stay as a stored zero."""
    part = sp.csr_matrix(truth @ sp.diags_array(is_kept_I.astype(np.float32)))
    part.eliminate_zeros()
    return part.astype(bool)


def mean_curve(runs: list[dict[str, Any]], name: str) -> list[dict[str, float]]:
    return [
        {key: float(np.mean([run[name][place][key] for run in runs])) for key in runs[0][name][place]}
        for place in range(len(runs[0][name]))
    ]


def curve_table(curve: list[dict[str, float]], name: str) -> str:
    lines = [
        f"| {name} | Recall@20, warm | loss | Recall@20, new | Recall@20, all | places for new items |",
        "|---|---|---|---|---|---|",
    ]
    first = curve[0]
    for one in curve:
        lines.append(
            f"| {one['value']:g} | {one['warm']:.4f} | {1 - one['warm'] / first['warm']:.1%} | {one['new']:.4f} "
            f"| {one['all']:.4f} | {one['share']:.1%} ({one['share'] / first['share']:.1f} ×) |"
        )
    return "\n".join(lines)


def within(curve: list[dict[str, float]]) -> float:
    """Exposure, as a multiple of the uncalibrated one, where the warm loss reaches the most that is allowed."""
    loss = np.array([1 - one["warm"] / curve[0]["warm"] for one in curve])
    share = np.array([one["share"] / curve[0]["share"] for one in curve])
    return float(np.interp(MOST_LOSS, np.maximum.accumulate(loss), share))


def results(metrics: dict[str, Any]) -> str:
    runs = metrics["runs"]
    stretch, shift = mean_curve(runs, "stretch"), mean_curve(runs, "shift")
    chosen = [
        f"seed {run['seed']}: {run['chosen']['value']:g}, warm loss "
        f"{1 - run['chosen']['warm'] / run['stretch'][0]['warm']:.1%}, places for new items "
        f"{run['chosen']['share']:.1%} ({run['chosen']['share'] / run['stretch'][0]['share']:.2f} ×), "
        f"Recall@20 of new items {run['chosen']['new']:.4f} (from {run['stretch'][0]['new']:.4f})"
        for run in runs
    ]
    new = np.mean([run["new"] / run["items"] for run in runs])
    head = (
        f"Pool: {runs[0]['items']:,} items, {runs[0]['new']:,} of them new ({new:.0%}); {runs[0]['users']:,} users. "
        f"Mean over seeds {', '.join(str(run['seed']) for run in runs)}. Interpolated at a warm loss of "
        f"{MOST_LOSS:.0%}: {within(stretch):.2f} × the places of the uncalibrated lists by stretching, "
        f"{within(shift):.2f} × by shifting. {metrics['machine']}, torch {metrics['torch']}."
    )
    default = "What the default chose inside each training set:\n\n" + "\n".join(f"- {line}" for line in chosen)
    return "\n\n".join([head, default, curve_table(stretch, "stretch"), curve_table(shift, "shift")])


def picture(metrics: dict[str, Any]) -> str:
    stretch = mean_curve(metrics["runs"], "stretch")
    lines = {name: [one[key] for one in stretch] for name, key in
             (("warm", "warm"), ("new", "new"), ("all", "all"), ("places", "share"))}  # fmt: skip
    panel = LinePanel("Recall@20, and the share of places for new items", tuple(f"{f:g}" for f in FACTORS), lines)
    return line_panels([panel], "stretch of the content vectors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/ and vectors/")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        train = Dataset.load(DATASET, arguments.root).fixed_split("valid").train
        metrics = {"runs": [one_seed(train, seed) for seed in SEEDS], **machine()}
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))
    (HERE / PICTURE).write_text(picture(metrics), encoding="utf-8")


if __name__ == "__main__":
    main()
