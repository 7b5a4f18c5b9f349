"""graphrec's lists fused with those of ALS and of popularity, on MovieLens-1M and H&M.

python experiments/019-fusion/run.py --root DATA [--data ml1m-posters] [--seeds 3] writes metrics.json beside this file
and the tables in README.md here; data sets that are not named keep the results that they have.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
from lists import (  # noqa: E402
    FINAL,
    LEARN,
    OURS,
    PROJECT,
    REPORT,
    SYSTEMS,
    Part,
    final,
    fit_and_keep,
    halves,
    load,
    table,
    truth_table,
)
from reporting import machine, write_metrics, write_table  # noqa: E402

from graphrec import Fusion, fuse, learn_fusion  # noqa: E402
from graphrec.evaluation.evaluation import mean_of_defined  # noqa: E402
from graphrec.evaluation.findings import Findings  # noqa: E402
from graphrec.evaluation.intervals import paired_bootstraps  # noqa: E402
from graphrec.evaluation.protocol import Pool  # noqa: E402
from graphrec.evaluation.ranking import RankedLists  # noqa: E402
from graphrec.fusion.candidates import Candidates, places  # noqa: E402
from graphrec.fusion.judges import Judges  # noqa: E402
from graphrec.fusion.learning import NEW_WEIGHTS, WEIGHTS  # noqa: E402

DATA = ("ml1m-posters", "hm-fashion")
K = 20
METRICS = ("ndcg@20", "recall@20")
PARTS = {"warm": False, "new": True}
"""Of the truth of a full pool: name → whether of new items."""
KNOWN_LOSS = 0.03
ONE_WEIGHT, UNBOUND = "one weight", "no bound"
CONSTANTS = (10.0, 30.0, 60.0, 120.0)


def learned(data: str, seed: int, part: Part, pool: str, system: str) -> dict[str, Fusion]:
    """The fusion as `learn_fusion` finds it; of the full pool also without a weight of its own for new items, and
    without a bound on what warm items lose. Nothing can be learned where the other system lists nothing."""
    theirs, ours = (table(data, seed, part, pool, name) for name in (system, OURS))
    if not len(theirs):
        return {"": Fusion(1.0)}
    truth = truth_table(part, pool)
    if pool == "warm":
        return {"": learn_fusion(theirs, ours, truth, K)}
    return {
        "": learn_fusion(theirs, ours, truth, K, part.new_ids, KNOWN_LOSS),
        ONE_WEIGHT: learn_fusion(theirs, ours, truth, K),
        UNBOUND: learn_fusion(theirs, ours, truth, K, part.new_ids, known_loss=1.0),
    }


def fused(data: str, seed: int, part: Part, pool: str, system: str, fusion: Fusion) -> pd.DataFrame:
    """What a visitor would be shown; a system without any list leaves it to ours."""
    theirs, ours = (table(data, seed, part, pool, name) for name in (system, OURS))
    return fuse(theirs, ours, fusion, K, part.new_ids) if len(theirs) else ours


def values(lists: pd.DataFrame, part: Part, pool: Pool) -> dict[str, np.ndarray]:
    """Metrics of each of the pool's users, and the share of new items in their lists (nan for an empty one)."""
    one = ranked(lists, part, pool)
    is_new_I = part.train.interactions.item_degree() == 0
    findings = Findings.of(one, pool, pool.users)
    found = findings.per_user(("ndcg", "recall"), (K,))
    if pool.name == "full":
        for name, is_new in PARTS.items():
            of_part = findings.of_items(is_new_I == is_new).per_user(("ndcg", "recall"), (K,))
            found |= {f"{metric} {name}": value_U for metric, value_U in of_part.items()}
    is_shown_UK = one.items_UK >= 0
    share = (is_new_I[one.items_UK] & is_shown_UK).sum(axis=1) / np.maximum(is_shown_UK.sum(axis=1), 1)
    return found | {"share new": np.where(is_shown_UK.any(axis=1), share, np.nan)}


def ranked(lists: pd.DataFrame, part: Part, pool: Pool) -> RankedLists:
    """A table of lists, best first within a user, as arrays of indices."""
    user_R = np.searchsorted(pool.users, part.train.user_id_index.get_indexer(pd.Index(lists["user_id"], dtype=object)))
    item_R = part.train.catalogue.id_index.get_indexer(pd.Index(lists["item_id"], dtype=object))
    order = np.argsort(user_R, kind="stable")
    place_R = places(user_R[order])
    kept = place_R <= K
    items_UK = np.full((len(pool.users), K), -1, dtype=np.int64)
    items_UK[user_R[order][kept], place_R[kept] - 1] = item_R[order][kept]
    return RankedLists(items_UK, np.where(items_UK >= 0, 0.0, np.nan).astype(np.float32))


def one_case(data: str, runs: list[tuple[int, Part, Part]], pool: str, system: str) -> dict[str, Any]:
    """One system in one pool: learned on one part, judged on another, for each seed."""
    by_seed: list[dict[str, dict[str, np.ndarray]]] = []
    fusions: list[dict[str, Fusion]] = []
    for seed, learn, report in runs:
        fusions.append(learned(data, seed, learn, pool, system))
        shown = {"theirs": table(data, seed, report, pool, system), "ours": table(data, seed, report, pool, OURS)}
        for name, fusion in fusions[-1].items():
            shown[f"fused {name}".strip()] = fused(data, seed, report, pool, system, fusion)
        judged = report.pools[pool]
        by_seed.append({name: spread(values(lists, report, judged), judged) for name, lists in shown.items()})
    pools = [report.pools[pool] for _, _, report in runs]
    result = {
        "pool": [one.description for one in pools],
        "users": [len(one.users) for one in pools],
        "pairs": [int(one.truth.nnz) for one in pools],
        "fusions": [{name: about(fusion) for name, fusion in one.items()} for one in fusions],
        "arms": {name: means([one[name] for one in by_seed]) for name in by_seed[0]},
        "minus": {
            f"{a} - {b}": differences([one[a] for one in by_seed], [one[b] for one in by_seed])
            for a in by_seed[0]
            for b in ("theirs", "ours")
            if a not in (b, "theirs")
        },
    }
    print(data, system, pool, interval(result["minus"]["fused - theirs"]["ndcg@20"]), flush=True)
    return result


def spread(value: dict[str, np.ndarray], pool: Pool) -> dict[str, np.ndarray]:
    """Over all users, nan for those who do not judge: seeds have other judges."""
    everybody = {}
    for name, value_U in value.items():
        everybody[name] = np.full(pool.truth.shape[0], np.nan)
        everybody[name][pool.users] = value_U
    return everybody


def means(by_seed: Sequence[dict[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    """Over users, each with their own mean over the seeds, as the differences are; and by seed."""
    return {
        name: {
            "mean": mean_of_defined(mean_over_seeds([one[name] for one in by_seed])),
            "by_seed": [mean_of_defined(one[name]) for one in by_seed],
        }
        for name in by_seed[0]
    }


def differences(a: Sequence[dict[str, np.ndarray]], b: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Paired over users, each with the mean of their differences over the seeds in which they judge."""
    found = {}
    for metric in [name for name in a[0] if name != "share new" and np.isfinite(a[0][name]).any()]:
        by_user = [mean_over_seeds([one[metric] for one in side]) for side in (a, b)]
        (interval,) = paired_bootstraps([(by_user[0], by_user[1])], np.random.default_rng(0))
        found[metric] = {"difference": interval.difference, "low": interval.low, "high": interval.high}
    return found


def mean_over_seeds(by_seed: Sequence[np.ndarray]) -> np.ndarray:
    value_SU = np.stack(by_seed)
    count_U = (~np.isnan(value_SU)).sum(axis=0)
    return np.where(count_U > 0, np.nansum(value_SU, axis=0) / np.maximum(count_U, 1), np.nan)


def about(fusion: Fusion) -> dict[str, Any]:
    said = {"weight": fusion.weight, "new_weight": fusion.new_weight}
    if fusion.learned is None:
        return said
    one = fusion.learned
    gain = {"difference": one.gain.difference, "low": one.gain.low, "high": one.gain.high}
    return {**said, "theirs": one.theirs, "ours": one.ours, "fused": one.fused, "gain": gain, "users": one.num_users}


def other_ways(data: str, seed: int, part: Part, system: str) -> dict[str, Any]:
    """Of the half that weights are learned on: other constants, and new items by their rank among new ones alone,
    which gives everybody about as many places for them. The best that each reaches within the bound."""
    theirs, ours = (table(data, seed, part, "full", name) for name in (system, OURS))
    candidates = Candidates.of(theirs, ours, part.new_ids)
    new = np.flatnonzero(candidates.is_new_C)  # in a user's order, by our rank
    ours_C = candidates.ours_C.copy()
    ours_C[new] = places(candidates.user_C[new])
    truth, ids = truth_table(part, "full"), part.new_ids.tolist()
    among_all = Judges.of(candidates, truth, ids, K, seed)
    among_new = Judges.of(replace(candidates, ours_C=ours_C), truth, ids, K, seed)
    return {
        **{f"constant {constant:g}": best_within(among_all, constant) for constant in CONSTANTS},
        "new items by their rank among new ones": best_within(among_new, 60.0),
    }


def best_within(judges: Judges, constant: float) -> dict[str, float]:
    _, known_theirs = judges.values(Fusion(0.0, constant=constant))
    found = []
    for weight in WEIGHTS:
        for new in NEW_WEIGHTS:
            value_U, known = judges.values(Fusion(weight, new, constant))
            if known >= (1 - KNOWN_LOSS) * known_theirs:
                found.append((float(value_U.mean()), weight, -1.0 if new is None else new))
    ndcg, weight, new = max(found)
    return {"ndcg@20": ndcg, "weight": weight, "new_weight": new}


def one_data_set(data: str, root: Path, seeds: Sequence[int]) -> dict[str, Any]:
    dataset = load(data, root)
    runs = []
    for seed in seeds:
        learn, report = halves(dataset, seed)
        fit_and_keep(dataset, [learn, report], data, seed)
        runs.append((seed, learn, report))
    last = final(dataset)
    fit_and_keep(dataset, [last], data, seeds[0])
    first = runs[0][1]
    return {
        "seeds": list(seeds),
        REPORT: {f"{s}, {p}": one_case(data, runs, p, s) for s in SYSTEMS for p in ("cold", "warm", "full")},
        FINAL: {f"{s}, {p}": one_case(data, [(seeds[0], first, last)], p, s) for s in SYSTEMS for p in last.pools},
        LEARN: {system: other_ways(data, seeds[0], first, system) for system in SYSTEMS},
    }


def results_table(metrics: dict[str, Any], part: str) -> str:
    lines = [
        "| data | their system | pool | NDCG@20: theirs | ours | fused | fused - theirs | fused - ours "
        "| Recall@20: theirs | ours | fused |",
        "|---" * 11 + "|",
    ]
    for data, found in metrics["data"].items():
        for name, case in found[part].items():
            system, pool = name.split(", ")
            arms, minus = case["arms"], case["minus"]
            cells = [f"{arms[arm]['ndcg@20']['mean']:.4f}" for arm in ("theirs", "ours", "fused")]
            cells += [interval(minus[f"fused - {arm}"]["ndcg@20"]) for arm in ("theirs", "ours")]
            cells += [f"{arms[arm]['recall@20']['mean']:.4f}" for arm in ("theirs", "ours", "fused")]
            lines.append(f"| {data} | {system} | {pool} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", users(metrics, part)])


def users(metrics: dict[str, Any], part: str) -> str:
    said = []
    for data, found in metrics["data"].items():
        counts = {
            name.split(", ")[
                1
            ]: f"{name.split(', ')[1]} {np.mean(case['users']):,.0f} and {np.mean(case['pairs']):,.0f}"
            for name, case in found[part].items()
        }
        seeds = f" (mean of {len(found['seeds'])} seeds)" if part == REPORT and len(found["seeds"]) > 1 else ""
        said.append(f"{data}{seeds}: {', '.join(counts.values())}")
    return (
        f"Users and held-out pairs: {'; '.join(said)}. Means are over users, each with the mean of their seeds. "
        "Brackets: 95 % interval, paired over users."
    )


def cost_table(metrics: dict[str, Any], part: str) -> str:
    lines = [
        "| data | their system | lists | NDCG@20 | warm items: Recall@20 | less theirs | NDCG@20 | less theirs "
        "| new items: Recall@20 | places for new items |",
        "|---" * 10 + "|",
    ]
    for data, found in metrics["data"].items():
        for name, case in found[part].items():
            system, pool = name.split(", ")
            if pool == "full":
                lines += [f"| {data} | {system} | " + " | ".join(cells) + " |" for cells in cost_rows(case)]
    return "\n".join(lines)


def cost_rows(case: dict[str, Any]) -> Iterator[list[str]]:
    for arm, metrics in case["arms"].items():
        mean = {name: one["mean"] for name, one in metrics.items()}
        warm = []
        for metric in ("recall@20 warm", "ndcg@20 warm"):
            has_warm = np.isfinite(mean[metric])
            warm += [f"{mean[metric]:.4f}" if has_warm else ""]
            warm += [interval(case["minus"][f"{arm} - theirs"][metric]) if has_warm and arm != "theirs" else ""]
        yield [
            arm if arm != "fused" else "**fused**",
            f"{mean['ndcg@20']:.4f}",
            *warm,
            f"{mean['recall@20 new']:.4f}",
            f"{mean['share new']:.1%}",
        ]


def weights_table(metrics: dict[str, Any]) -> str:
    lines = [
        "| data | their system | pool | lists | weight, of new items, by seed | NDCG@20 where learned: theirs → fused, "
        "first seed |",
        "|---" * 6 + "|",
    ]
    for data, found in metrics["data"].items():
        for name, case in found[REPORT].items():
            system, pool = name.split(", ")
            if pool == "cold":
                continue
            for kind in case["fusions"][0]:
                by_seed = [one[kind] for one in case["fusions"]]
                said = "; ".join(f"{one['weight']:g}, {as_weight(one['new_weight'])}" for one in by_seed)
                first = by_seed[0]
                what = f"fused {kind}".strip()
                lines.append(
                    f"| {data} | {system} | {pool} | {what} | {said} | {first['theirs']:.4f} → {first['fused']:.4f} |"
                )
    return "\n".join(lines)


def ways_table(metrics: dict[str, Any]) -> str:
    first = next(iter(metrics["data"].values()))[LEARN][SYSTEMS[0]]
    lines = ["| data | their system | " + " | ".join(first) + " |", "|---" * (len(first) + 2) + "|"]
    for data, found in metrics["data"].items():
        for system, ways in found[LEARN].items():
            lines.append(
                f"| {data} | {system} | " + " | ".join(f"{one['ndcg@20']:.4f}" for one in ways.values()) + " |"
            )
    return "\n".join(lines)


def as_weight(new_weight: float | None) -> str:
    return "as any" if new_weight is None else f"{new_weight:g}"


def interval(one: dict[str, float]) -> str:
    return f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"


def short_table(metrics: dict[str, Any]) -> str:
    """The full pool in a few lines, for the project's README."""
    lines = [
        "| data | their system | NDCG@20: theirs | fused | fused - theirs | Recall@20, warm items: theirs | fused "
        "| new items: theirs | fused | places for new items |",
        "|---" * 10 + "|",
    ]
    for data, found in metrics["data"].items():
        for system in SYSTEMS:
            case = found[REPORT][f"{system}, full"]
            sides = [{name: one["mean"] for name, one in case["arms"][arm].items()} for arm in ("theirs", "fused")]
            cells = [f"{side['ndcg@20']:.4f}" for side in sides]
            cells += [interval(case["minus"]["fused - theirs"]["ndcg@20"])]
            cells += [f"{side[name]:.4f}" for name in ("recall@20 warm", "recall@20 new") for side in sides]
            lines.append(f"| {data} | {system} | " + " | ".join([*cells, f"{sides[1]['share new']:.0%}"]) + " |")
    return "\n".join(lines)


def write_tables(metrics: dict[str, Any]) -> None:
    readme = HERE / "README.md"
    if "<!-- fusion: written by run.py -->" in (PROJECT / "README.md").read_text(encoding="utf-8"):
        write_table(PROJECT / "README.md", "fusion", short_table(metrics))
    write_table(readme, "short", short_table(metrics))
    write_table(readme, "results", results_table(metrics, REPORT))
    write_table(readme, "costs", cost_table(metrics, REPORT))
    write_table(readme, "weights", weights_table(metrics))
    write_table(readme, "ways", ways_table(metrics))
    write_table(readme, "final", results_table(metrics, FINAL) + "\n\n" + cost_table(metrics, FINAL))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds ml1m-posters/, hm-fashion/ and vectors/")
    parser.add_argument("--data", default=",".join(DATA), help="names, separated by commas; none: the tables alone")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    kept = HERE / "metrics.json"
    metrics: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"data": {}}
    for data in [name for name in arguments.data.split(",") if name]:
        metrics["data"][data] = one_data_set(data, arguments.root, range(arguments.seeds))
        metrics = {"data": {name: metrics["data"][name] for name in DATA if name in metrics["data"]}, **machine()}
        write_metrics(HERE, metrics)
    write_tables(metrics)


if __name__ == "__main__":
    main()
