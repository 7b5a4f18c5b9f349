"""Pictures or texts dropped, shuffled or blurred: plain blocks, routing and a gate on cold recall; and the ablation.

python experiments/006-missing-modalities/run.py --root DATA writes metrics.json beside this file, the curves as SVG and
the tables in README.md here.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from graphrec import Dataset
from graphrec.data.dataset import Split
from graphrec.data.pictures import picture_problem
from graphrec.data.sample_store import write_sample_store
from graphrec.evaluation.intervals import paired_bootstrap, verdict
from graphrec.evaluation.metrics import ndcg, recall
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.evaluation.ranking import RankedLists, hits, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks, standardise
from graphrec.features.extract import FeaturesConfig, ItemFeatures, extract_features
from graphrec.features.gate import GATED, FeatureGate
from graphrec.features.modality import Modality
from graphrec.features.quality import picture_signals, quality_signals
from graphrec.models.raw_block import sum_of_items
from graphrec.models.ridge import HeadSettings, RidgeSystem

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from curves import curve_svg  # noqa: E402
from reporting import machine, write_metrics, write_table  # noqa: E402

HM = HERE.parents[1] / "configs" / "data" / "hm-fashion.yaml"
SHARES = (0.5, 0.9)
WAYS = ("plain", "routing", "gate")
ABLATION = {"image only": ("image",), "text only": ("text", "words"), "both": ("image", "text", "words"), "all": None}
PENALTY = 10.0
K = 20
COMMON_TITLE = 5


@dataclass(frozen=True)
class World:
    """A split with its features, quality signals and, where pictures can be encoded again, their blurred twins."""

    name: str
    split: Split
    pool: Pool
    features: ItemFeatures
    signals: dict[str, np.ndarray]
    blurred: tuple[Modality, np.ndarray] | None

    @property
    def warm(self) -> np.ndarray:
        return np.flatnonzero(self.split.train.interactions.item_degree())


def hm(root: Path) -> World:
    """The new articles of H&M, with the vectors of others: blurring would need their encoder."""
    return world(Dataset.load(HM, root).fixed_split("valid"), None)


def store(folder: Path) -> World:
    """Cold items of the sample store, pictures and texts encoded by the small CLIP."""
    dataset = Dataset.load(write_sample_store(folder / "sample-store"))
    return world(dataset.split_cold_items(0.2, 0), folder / "blurred")


def world(split: Split, blurred_root: Path | None) -> World:
    train = split.train
    is_warm_I = train.interactions.item_degree() > 0
    features = extract_features(train, is_warm_I)
    signals = quality_signals(train.catalogue)
    blurred = None
    if blurred_root is not None:
        blur_pictures(train, blurred_root)
        blurry = replace(train, catalogue=replace(train.catalogue, image_root=blurred_root))
        again = extract_features(blurry, is_warm_I, FeaturesConfig(use=("image",)))
        blurred = again.modalities["image"], picture_signals(blurry.catalogue)
    return World(train.name, split, build_pool(split, "cold"), features, signals, blurred)


def blur_pictures(train: Dataset, folder: Path) -> None:
    """Every picture that can be read, blurred with a radius of an eighth of its shorter side."""
    root = train.catalogue.image_root
    assert root is not None
    for name in sorted(set(train.catalogue.image) - {""}):
        if picture_problem(root / name) is None:
            try:
                with Image.open(root / name) as image:
                    picture = image.convert("RGB").filter(ImageFilter.GaussianBlur(min(image.size) / 8))
            except OSError:
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            picture.save(folder / name)


def corrupted(world: World, which: str, how: str, share: float) -> tuple[ItemFeatures, dict[str, np.ndarray]]:
    """This share of all items, warm and cold alike, with their pictures or texts spoilt, and the signals of these."""
    rng = np.random.default_rng(0)
    num_items = world.features.num_items
    hit = np.sort(rng.choice(num_items, round(share * num_items), replace=False))
    taken = rng.permutation(hit) if how == "shuffled" else hit
    modalities, signals = dict(world.features.modalities), dict(world.signals)
    signals[which] = world.signals[which].copy()
    for block in (name for name in GATED[which] if name in modalities):
        modality = modalities[block]
        source = world.blurred[0] if how == "blurred" and world.blurred else modality
        x_IF, present_I = modality.x_IF.copy(), modality.present_I.copy()
        x_IF[hit] = 0.0 if how == "dropped" else source.x_IF[taken]
        present_I[hit] = False if how == "dropped" else source.present_I[taken]
        modalities[block] = Modality(x_IF, present_I)
    signal_source = world.blurred[1] if how == "blurred" and world.blurred else world.signals[which]
    signals[which][hit] = np.nan if how == "dropped" else signal_source[taken]
    return replace(world.features, modalities=modalities), signals


def blocks_in_three_ways(
    world: World, features: ItemFeatures, signals: dict[str, np.ndarray]
) -> tuple[dict[str, FeatureBlocks], dict[str, float]]:
    plain = standardise(features, world.split.train.interactions.item_degree() > 0)
    gate = FeatureGate.fit(plain, world.warm, signals, GATED)
    shares = {name: one.bad_share for name, one in gate.gates.items()}
    return {"plain": plain, "routing": routed(plain), "gate": gate.apply(plain, signals)}, shares


def routed(blocks: FeatureBlocks) -> FeatureBlocks:
    """What an item has, scaled so that its blocks' weights add up as those of an item that has everything."""
    weight = weights(blocks)
    present_IM = np.column_stack([blocks.x_IF[:, where].any(axis=1) for where in blocks.columns.values()])
    weight_M = np.array([weight[name] for name in blocks.columns])
    scale_I = np.sqrt(weight_M.sum() / np.maximum(present_IM @ weight_M, 1e-9))
    return replace(blocks, x_IF=(blocks.x_IF * scale_I[:, None]).astype(np.float32))


def weights(blocks: FeatureBlocks) -> dict[str, float]:
    """One for each of picture, text and words, and one for all attributes together."""
    num_attributes = sum(name.startswith("attribute:") for name in blocks.columns)
    return {name: 1 / num_attributes if name.startswith("attribute:") else 1.0 for name in blocks.columns}


def ranked(world: World, blocks: FeatureBlocks) -> RankedLists:
    """The content ridge with fixed even weights: nothing is tuned, so that ways differ in their blocks alone."""
    system = RidgeSystem(blocks.x_IF, blocks.columns, world.warm)
    design_IF = system.design(np.arange(len(blocks.x_IF)))
    profile_UF = sum_of_items(world.split.train.interactions.user_item_matrix()[world.pool.users], design_IF)
    query_UF = system.inverse_times(profile_UF.T, HeadSettings(weights=weights(blocks), penalty=PENALTY)).T
    return rank_by_vectors(query_UF, design_IF, world.pool.items, world.pool.seen[world.pool.users], K)


def per_user(world: World, lists: RankedLists, among: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Recall and NDCG of each user; `among`: only these items count as right, whatever else was right."""
    truth = world.pool.truth[world.pool.users]
    if among is not None:
        keep_I = np.zeros(truth.shape[1], dtype=bool)
        keep_I[among] = True
        truth = truth.multiply(keep_I[None, :]).tocsr()
        truth.eliminate_zeros()
    found = hits(lists, truth)
    return {"recall@20": recall(*found, K), "ndcg@20": ndcg(*found, K)}


def interval(a_U: np.ndarray, b_U: np.ndarray | None = None) -> dict[str, Any]:
    b_U = np.where(np.isnan(a_U), np.nan, 0.0) if b_U is None else b_U
    one = paired_bootstrap(a_U, b_U, np.random.default_rng(0))
    return {**vars(one), "verdict": verdict(one)}


def curve(world: World) -> list[dict[str, Any]]:
    kinds = [("image", "dropped"), ("image", "shuffled"), ("text", "dropped"), ("text", "shuffled")]
    kinds += [("image", "blurred")] if world.blurred else []
    points = []
    for which, how, share in [("image", "clean", 0.0), *((*kind, share) for kind in kinds for share in SHARES)]:
        features, signals = corrupted(world, which, how, share)
        ways, bad = blocks_in_three_ways(world, features, signals)
        values = {way: per_user(world, ranked(world, blocks)) for way, blocks in ways.items()}
        points.append(
            {
                "which": which, "how": how, "share": share, "estimated_bad_share": bad,
                "ways": {way: {m: interval(v) for m, v in one.items()} for way, one in values.items()},
                "minus_plain": {
                    way: {m: interval(v, values["plain"][m]) for m, v in values[way].items()} for way in WAYS[1:]
                },
            }
        )  # fmt: skip
        print(world.name, which, how, share, {way: round(np.nanmean(v["recall@20"]), 4) for way, v in values.items()},
              flush=True)  # fmt: skip
    return points


def ablation(world: World) -> list[dict[str, Any]]:
    title_I = world.split.train.catalogue.title
    length_I = np.array([len(title) for title in title_I])
    _, place_I, count_T = np.unique(title_I.astype(str), return_inverse=True, return_counts=True)
    strata = {
        "all items": None,
        "short title": np.flatnonzero(length_I <= np.quantile(length_I[world.pool.items], 0.25)),
        "common title": np.flatnonzero(count_T[place_I] >= COMMON_TITLE),
    }
    plain = standardise(world.features, world.split.train.interactions.item_degree() > 0)
    rows = []
    for name, names in ABLATION.items():
        kept = [block for block in plain.columns if names is None or block in names]
        parts = {block: plain.x_IF[:, plain.columns[block]] for block in kept}
        edges = np.cumsum([0, *(part.shape[1] for part in parts.values())])
        columns = {block: slice(int(edges[i]), int(edges[i + 1])) for i, block in enumerate(parts)}
        lists = ranked(world, FeatureBlocks(np.hstack(list(parts.values())), columns))
        cells = {}
        for stratum, among in strata.items():
            values = per_user(world, lists, among)
            cells[stratum] = {m: interval(v) for m, v in values.items()} if enough(values) else None
        rows.append({"features": name, "strata": cells})
    return rows


def enough(values: dict[str, np.ndarray]) -> bool:
    return int((~np.isnan(values["recall@20"])).sum()) >= 2


def curve_table(points: list[dict[str, Any]]) -> str:
    lines = [
        "| spoilt | share | plain | routing | gate | gate - plain, Recall@20 | gate - plain, NDCG@20 "
        "| estimated bad pictures, texts |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for point in points:
        what = "nothing" if point["how"] == "clean" else f"{point['which']} {point['how']}"
        cells = [
            " / ".join(f"{point['ways'][way][m]['difference']:.4f}" for m in ("recall@20", "ndcg@20")) for way in WAYS
        ]
        cells += [difference_cell(point["minus_plain"]["gate"][m]) for m in ("recall@20", "ndcg@20")]
        bad = ", ".join(f"{point['estimated_bad_share'].get(name, float('nan')):.2f}" for name in GATED)
        lines.append(f"| {what} | {point['share']:.0%} | " + " | ".join(cells) + f" | {bad} |")
    return "\n".join(lines)


def difference_cell(one: dict[str, Any]) -> str:
    return f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}] {one['verdict']}"


def ablation_table(rows: list[dict[str, Any]]) -> str:
    strata = list(rows[0]["strata"])
    lines = ["| Recall@20 / NDCG@20 | " + " | ".join(strata) + " |", "|---" * (len(strata) + 1) + "|"]
    for row in rows:
        cells = [ablation_cell(row["strata"][stratum]) for stratum in strata]
        lines.append(f"| {row['features']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ablation_cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "too few users"
    one = cell["recall@20"]
    both = f"{one['difference']:.4f} / {cell['ndcg@20']['difference']:.4f}"
    return f"{both} [{one['low']:.3f}, {one['high']:.3f}], {one['num_users']} users"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds hm-fashion/ and vectors/")
    parser.add_argument("--tables-only", action="store_true", help="write tables and curves again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        metrics = {"worlds": {}, **machine()}
        with tempfile.TemporaryDirectory() as folder:
            makers = {"hm-fashion": lambda: hm(arguments.root), "sample store": lambda: store(Path(folder))}
            for name, make in makers.items():
                one = make()
                metrics["worlds"][name] = {
                    "pool": one.pool.description,
                    "coverage": one.pool.coverage,
                    "curve": curve(one),
                    "ablation": ablation(one),
                }
                write_metrics(HERE, metrics)  # after each: what is done is not lost when a later one is stopped
    for name, one in metrics["worlds"].items():
        slug = name.replace(" ", "-")
        write_table(
            HERE / "README.md",
            f"{name} curve",
            f"Pool: {one['pool']}; {one['coverage']}.\n\n" + curve_table(one["curve"]),
        )
        write_table(HERE / "README.md", f"{name} ablation", ablation_table(one["ablation"]))
        (HERE / f"{slug}.svg").write_text(curve_svg(one["curve"], WAYS, "recall@20"), encoding="utf-8")


if __name__ == "__main__":
    main()
