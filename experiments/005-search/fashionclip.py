"""H&M articles with vectors of the real FashionCLIP: no model, so every query is one of its vectors."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tasks import KINDS_OF, SplitTask, ranks, study

from graphrec.features.modality import Modality
from graphrec.retrieval.clip_space import ClipSpace
from graphrec.retrieval.pair_weights import PairWeights
from graphrec.search.fitting import FitTask, fit_weights

MISSING_SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)


def fashionclip_study(root: Path) -> dict[str, Any]:
    folder = root / "hm-fashionclip"
    items = pd.read_csv(folder / "items.csv", dtype=str)
    image_IF, text_IF = (_unit(np.load(folder / f"{kind}_embeddings.npy")) for kind in ("image", "text"))
    product_I = items["article_id"].str[:7].to_numpy()
    source, target = _other_colours(product_I, np.random.default_rng(0))
    everybody = np.ones(len(items), dtype=bool)
    not_itself = np.ones((len(source), len(items)), dtype=bool)
    not_itself[np.arange(len(source)), source] = False
    pictures = ClipSpace.build({"image": Modality(image_IF, everybody)}, is_shared=True)
    texts = ClipSpace.build({"text": Modality(text_IF, everybody)}, is_shared=True)
    tasks = [
        SplitTask(
            "pictures, by text and another colour's picture",
            FitTask(pictures, {"image": image_IF[source], "text": text_IF[target]}, target, not_itself),
            product_I[target],
        ),
        SplitTask(
            "texts, by picture and another colour's text",
            FitTask(texts, {"image": image_IF[target], "text": text_IF[source]}, target, not_itself),
            product_I[target],
        ),
    ]
    return {
        "tasks": [study(task) for task in tasks],
        "routing": _routing(image_IF, text_IF, source, target, not_itself, product_I[target]),
    }


def _routing(
    image_IF: np.ndarray,
    text_IF: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    allowed: np.ndarray,
    group_N: np.ndarray,
) -> list[dict[str, Any]]:
    """What stands in the place of a missing block, as ever more items lack the one or the other."""
    rows = []
    for share in MISSING_SHARES:
        draw_I = np.random.default_rng(1).random(len(image_IF))
        has = {"image": draw_I >= share / 2, "text": draw_I < 1 - share / 2}
        modalities = {
            kind: Modality(np.where(has[kind][:, None], x_IF, 0).astype(np.float32), has[kind])
            for kind, x_IF in (("image", image_IF), ("text", text_IF))
        }
        for name, space in _fillings(ClipSpace.build(modalities, is_shared=True)).items():
            task = FitTask(space, {"image": image_IF[source], "text": text_IF[target]}, target, allowed)
            split = SplitTask(name, task, group_N)
            weights = fit_weights(split.part(split.is_validation_N))
            test = split.part(~split.is_validation_N)
            route_N = space.route_I[test.target_N]
            for arm, kinds in KINDS_OF.items():
                reciprocal_N = 1 / ranks(test, PairWeights.default() if arm != "both" else weights, kinds)
                by_route = {
                    route: float(reciprocal_N[route_N == route].mean()) if (route_N == route).any() else None
                    for route in ("both", "image", "text")
                }
                rows.append(
                    {
                        "missing": share,
                        "filling": name,
                        "query": arm,
                        "mrr": float(reciprocal_N.mean()),
                        "by_route": by_route,
                    }
                )
    return rows


def _fillings(imputed: ClipSpace) -> dict[str, ClipSpace]:
    """The same items with their missing blocks predicted, at zero, or the own block counted twice."""
    zero_IE, doubled_IE = imputed.vectors_IE.copy(), imputed.vectors_IE.copy()
    for block, other in (("image", "text"), ("text", "image")):
        lacks = ~imputed.blocks[block].has_I
        for vectors_IE in (zero_IE, doubled_IE):
            vectors_IE[lacks, imputed.columns(block)] = 0
        doubled_IE[lacks, imputed.columns(other)] *= 2
    return {
        "predicted": imputed,
        "zero": ClipSpace(zero_IE, imputed.blocks, True),
        "own block twice": ClipSpace(doubled_IE, imputed.blocks, True),
    }


def _other_colours(product_I: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """For each article with siblings (same first seven digits): one of them, and the article."""
    source, target = [], []
    for product in pd.unique(product_I):
        members = np.flatnonzero(product_I == product)
        for item in members if len(members) > 1 else ():
            source.append(rng.choice(members[members != item]))
            target.append(item)
    return np.array(source), np.array(target)


def _unit(x_IF: np.ndarray) -> np.ndarray:
    return (x_IF / np.linalg.norm(x_IF, axis=1, keepdims=True)).astype(np.float32)
