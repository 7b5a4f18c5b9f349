"""Train the small CLIP of the package on drawn products and measure it on the sample store, which it never saw.

python experiments/003-small-clip/run.py draws the pictures (data/drawn-products), trains (runs/small-clip), measures,
writes metrics.json and the tables of README.md, and with --install puts the weights into the package.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphrec.clip_fit.fit import ClipFitConfig, Quality, fit_clip, load_pictures, measure
from graphrec.clip_fit.model_folder import CONFIG, WEIGHTS
from graphrec.clip_fit.pairs import Pairs, find_pairs
from graphrec.clip_fit.training import TrainingConfig
from graphrec.data.dataset import Dataset
from graphrec.data.sample_store import write_sample_store
from graphrec.data.sample_store.vocabulary import CATEGORIES, COLOURS
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, ClipEncoder, parse_clip
from graphrec.features.clip_loading import SMALL_FOLDER, load_clip

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from drawing import write_drawn_products  # noqa: E402
from reporting import machine, peak_memory_gb, told, write_metrics, write_table  # noqa: E402

PROJECT = HERE.parents[1]
DRAWN, OUT = PROJECT / "data" / "drawn-products", PROJECT / "runs" / "small-clip"
NUM_PRODUCTS, SEED, MINUTES = 12_000, 1, 23.0
TRAINING = TrainingConfig(seed=0, minutes=MINUTES, batch_size=128)
MAX_BYTES = 12_000_000
PICTURE_BYTES = 1e9


def quality_on_store(store: Dataset, clip: ClipConfig) -> dict[str, Any]:
    """R@k of all items together and of each site's alone."""
    loaded = load_clip(clip.model, clip.pretrained, "cpu")
    pairs = find_pairs([store])
    catalogue = store.catalogue
    site_of = {catalogue.image_root / image: site for image, site in zip(catalogue.image, catalogue.site, strict=True)}
    site_P = np.array([site_of[pairs.paths[row]] for row in pairs.picture_P])
    parts: dict[str, Pairs] = {"all items": pairs}
    parts |= {f"site {site}": pairs.take(site_P == site) for site in sorted(set(site_P))}
    return {
        name: plain(measure(loaded, part, load_pictures(loaded, part, clip, PICTURE_BYTES)))
        for name, part in parts.items()
    }


def plain(quality: Quality) -> dict[str, Any]:
    return {reads: one.to_json() for reads, one in quality.items()}


def named_right(store: Dataset, clip: ClipConfig) -> dict[str, dict[str, float]]:
    """Share of the store's pictures for which the right word of a list, by the attribute column, is the nearest."""
    encoder = ClipEncoder(clip)
    catalogue = store.catalogue
    x_ID, present_I, _ = encoder.encode_images([catalogue.image_root / (image or "none") for image in catalogue.image])
    shares = {}
    for name, words in (("category", CATEGORIES), ("colour", COLOURS)):
        value_I = catalogue.attributes.categorical[name]
        known_I = present_I & (value_I != "")
        word_VD = encoder.encode_texts([f"a photo of a {word}" if name == "category" else word for word in words])
        found_I = np.array(words, dtype=object)[np.argmax(x_ID @ word_VD.T, axis=1)]
        share = float((found_I == value_I)[known_I].mean())
        shares[name] = {"share": share, "chance": 1 / len(words), "pictures": int(known_I.sum())}
    return shares


def results(metrics: dict[str, Any]) -> str:
    lines = [
        "| pool | text | direction | R@1 | R@5 | R@10 | chance R@10 | × chance | bound R@1 | bound R@10 | candidates |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|---|---|"]
    for pool, quality in metrics["store"].items():
        for reads, title in (("text", "whole text"), ("title", "title alone")):
            for way, direction in (("image_to_text", "picture → text"), ("text_to_image", "text → picture")):
                one = quality[reads][way]
                recall, chance = one["recall"], one["chance"]["10"]
                cells = [f"{recall[k]:.3f}" for k in ("1", "5", "10")]
                cells += [f"{chance:.4f}", f"{recall['10'] / chance:.0f}"]
                cells += [f"{one['bound'][k]:.3f}" for k in ("1", "10")]
                lines.append(f"| {pool} | {title} | {direction} | {' | '.join(cells)} | {one['pool']:,} |")
    words = [
        f"{name} {one['share']:.1%} of {one['pictures']:,} pictures (chance {one['chance']:.1%})"
        for name, one in metrics["named_right"].items()
    ]
    training = metrics["training"]
    about = (
        f"Trained for {training['seconds'] / 60:.1f} minutes (budget {metrics['budget_minutes']:.0f}) on one thread: "
        f"{training['steps']:,} steps of {metrics['batch_size']} pairs, {training['epochs']:.1f} passes over "
        f"{metrics['train_pairs']:,} pairs of {metrics['products']:,} products, "
        f"{metrics['shared_combinations']} of them in the sample store, drawn in {metrics['draw_seconds']:.0f} s. "
        f"{metrics['weights_mb']:.1f} MB of weights, "
        f"peak memory {metrics['peak_memory_gb']} GB; {metrics['machine']} shared with other work, torch "
        f"{metrics['torch']}."
    )
    return "\n\n".join(["\n".join(lines), f"The nearest word is the right one: {'; '.join(words)}.", about])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    parser.add_argument("--install", action="store_true", help="put the weights into the package")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        torch.set_num_threads(1)
        if not DRAWN.exists():
            write_drawn_products(DRAWN, NUM_PRODUCTS, SEED, told)
        drawn = json.loads((DRAWN / "drawn.json").read_text(encoding="utf-8"))
        config = ClipFitConfig(clip=parse_clip(str(HERE)), from_scratch=True, held_out=0, training=TRAINING)
        report = fit_clip([Dataset.load(DRAWN)], config, OUT, progress=told, say=print)
        size = (OUT / WEIGHTS).stat().st_size
        if size > MAX_BYTES:
            raise GraphRecError(f"{OUT / WEIGHTS} has {size:,} bytes: expected up to {MAX_BYTES:,}.")
        clip = parse_clip(str(OUT))
        with tempfile.TemporaryDirectory() as scratch:
            store = Dataset.load(write_sample_store(Path(scratch) / "store"))
            metrics = {
                "store": quality_on_store(store, clip),
                "named_right": named_right(store, clip),
                "training": report.to_json()["summary"],
                "train_pairs": report.train_pairs,
                "products": drawn["products"],
                "shared_combinations": drawn["shared_combinations"],
                "draw_seconds": drawn["seconds"],
                "budget_minutes": MINUTES,
                "batch_size": TRAINING.batch_size,
                "weights_mb": size / 1e6,
                "peak_memory_gb": peak_memory_gb(),
                **machine(),
            }
        write_metrics(HERE, metrics)
    if arguments.install:
        shutil.copyfile(OUT / WEIGHTS, SMALL_FOLDER / WEIGHTS)
        shutil.copyfile(OUT / CONFIG, SMALL_FOLDER / CONFIG)
    write_table(HERE / "README.md", "results", results(metrics))


if __name__ == "__main__":
    main()
