"""Fit the small CLIP to photographs of fashion, and measure what that gains: R@k, against FashionCLIP, cold recall.

python experiments/008-clip-fit/run.py --root DATA fits (runs/clip-hm), measures, writes metrics.json and the tables of
README.md; --minutes shortens the fit, and then only the model is written.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from graphrec.clip_effect import cold_item_ids, cold_recall_effect, cold_split
from graphrec.clip_fit.fit import ClipFitConfig, fit_clip
from graphrec.clip_fit.retrieval_quality import retrieval_quality
from graphrec.clip_fit.training import TrainingConfig
from graphrec.data.dataset import Dataset
from graphrec.evaluation.intervals import PairedInterval, verdict
from graphrec.features.clip import ClipConfig, ClipEncoder, parse_clip

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, peak_memory_gb, told, write_metrics, write_table  # noqa: E402

PROJECT = HERE.parents[1]
CONFIGS = PROJECT / "configs" / "data"
OUT = PROJECT / "runs" / "clip-hm"
MINUTES = 20.0
BATCH_SIZE = 128
KS = ("1", "5", "10")


def fashion_clip_articles(root: Path, hm: Dataset) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The articles of hm-fashionclip that hm-fashion pictures, with FashionCLIP's image and text vectors."""
    folder = root / "hm-fashionclip"
    items = pd.read_csv(folder / "items.csv", dtype=str, keep_default_na=False)
    row_A = hm.catalogue.id_index.get_indexer(items["article_id"])
    is_here_A = (row_A >= 0) & (hm.catalogue.image[np.maximum(row_A, 0)] != "")
    vectors = [np.load(folder / name, allow_pickle=False) for name in ("image_embeddings.npy", "text_embeddings.npy")]
    unit = [(x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)[is_here_A] for x in vectors]
    return items[is_here_A].reset_index(drop=True), unit[0], unit[1]


def beside_fashion_clip(root: Path, hm: Dataset, clips: dict[str, ClipConfig]) -> dict[str, Any]:
    """R@k of FashionCLIP and of each CLIP over the same articles, each pair a candidate of its own."""
    items, image_AD, text_AD = fashion_clip_articles(root, hm)
    row_A = np.arange(len(items))
    found = {"FashionCLIP": retrieval_quality(image_AD, text_AD, row_A, row_A)}
    item_A = hm.catalogue.id_index.get_indexer(items["article_id"])
    paths = [hm.catalogue.image_root / image for image in hm.catalogue.image[item_A]]
    for name, clip in clips.items():
        encoder = ClipEncoder(clip)
        x_AD, present_A, _ = encoder.encode_images(paths)
        assert present_A.all(), "a picture cannot be read"
        for reads, texts in (
            ("catalogue text", hm.catalogue.text[item_A]),
            ("FashionCLIP's descriptions", items["description"]),
        ):
            distinct, text_A = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
            found[f"{name}, {reads}"] = retrieval_quality(x_AD, encoder.encode_texts(list(distinct)), row_A, text_A)
    return {"articles": len(items), "quality": {name: quality.to_json() for name, quality in found.items()}}


def quality_rows(name: str, quality: dict[str, Any]) -> list[str]:
    rows = []
    for way, direction in (("image_to_text", "picture → text"), ("text_to_image", "text → picture")):
        one = quality[way]
        cells = [f"{one['recall'][k]:.3f}" for k in KS] + [f"{one['chance']['10']:.4f}", f"{one['bound']['10']:.3f}"]
        rows.append(f"| {name} | {direction} | {' | '.join(cells)} | {one['pool']:,} |")
    return rows


_HEADER = "| model, text | direction | R@1 | R@5 | R@10 | chance R@10 | bound R@10 | candidates |\n" + "|---" * 8 + "|"


def held_out_table(fit: dict[str, Any]) -> str:
    rows = [_HEADER]
    for reads, title in (("text", "whole text"), ("title", "title alone")):
        for when in ("before", "after"):
            rows += quality_rows(f"{when}, {title}", fit[when][reads])
    return "\n".join(rows)


def fashion_clip_table(beside: dict[str, Any]) -> str:
    rows = [_HEADER]
    for name, quality in beside["quality"].items():
        rows += quality_rows(name, quality)
    return "\n".join(rows)


def cold_table(effect: dict[str, Any]) -> str:
    rows = ["| arm | metric | before | after | difference | 95 % interval | smallest detectable | verdict |"]
    rows += ["|---|---|---|---|---|---|---|---|"]
    for arm in effect["arms"]:
        for metric, one in arm["difference"].items():
            interval = PairedInterval(**one)
            rows.append(
                f"| {arm['arm']} | {metric} | {arm['before'][metric]:.4f} | {arm['after'][metric]:.4f} "
                f"| {interval.difference:+.4f} | {interval.low:+.4f} … {interval.high:+.4f} "
                f"| {interval.smallest_detectable:.4f} | {verdict(interval)} |"
            )
    return "\n".join(rows)


def results(metrics: dict[str, Any]) -> str:
    fit, beside, effect = metrics["fit"], metrics["fashion_clip"], metrics["cold_recall"]
    done = fit["summary"]
    about = (
        f"{fit['train_pairs']:,} pairs to learn from, {fit['held_out_pairs']:,} held out by product; "
        f"{'; '.join(f'{count:,} items: {reason}' for reason, count in fit['left_out'].items())}. Budget "
        f"{metrics['budget_minutes']:.0f} minutes on one thread: {done['steps']:,} steps of {BATCH_SIZE} pairs, "
        f"{done['epochs']:.1f} passes. Peak memory {metrics['peak_memory_gb']} GB; {metrics['machine']} shared with "
        f"other work, torch {metrics['torch']}."
    )
    return "\n\n".join(
        [
            about,
            "**Held-out products of both catalogues:**",
            held_out_table(fit),
            f"**Beside FashionCLIP, the {beside['articles']} articles that both cover:**",
            fashion_clip_table(beside),
            f"**Cold recall on hm-fashion, image and text alone** ({effect['pool']}; {effect['coverage']}):",
            cold_table(effect),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder that holds hm-fashion/, hm-fashionclip/, fashion-products/")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="a shorter fit writes the model alone")
    parser.add_argument("--tables-only", action="store_true", help="write the tables again from metrics.json")
    arguments = parser.parse_args()
    if arguments.tables_only:
        metrics = json.loads((HERE / "metrics.json").read_text(encoding="utf-8"))
    else:
        torch.set_num_threads(1)
        hm, products = (
            Dataset.load(CONFIGS / f"{name}.yaml", arguments.root) for name in ("hm-fashion", "fashion-products")
        )
        split = cold_split(hm)
        covered, *_ = fashion_clip_articles(arguments.root, hm)
        exclude = [(0, item_id) for item_id in (*cold_item_ids(split), *covered["article_id"])]
        training = TrainingConfig(minutes=arguments.minutes, batch_size=BATCH_SIZE)
        report = fit_clip(
            [hm, products], ClipFitConfig(training=training), OUT, exclude=exclude, progress=told, say=print
        )
        if arguments.minutes < MINUTES:
            return
        before, after = ClipConfig(), parse_clip(str(OUT))
        metrics = {
            "fit": {name: value for name, value in report.to_json().items() if name != "out"},
            "fashion_clip": beside_fashion_clip(arguments.root, hm, {"small": before, "fitted": after}),
            "cold_recall": cold_recall_effect(split, before, after, progress=told).to_json()
            | {"before": str(before), "after": "fitted"},
            "budget_minutes": arguments.minutes,
            "peak_memory_gb": peak_memory_gb(),
            **machine(),
        }
        write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", results(metrics))


if __name__ == "__main__":
    main()
