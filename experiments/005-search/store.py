"""The sample store: another site's listing of the same product, altered pictures, and "like this, but red"."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from encoded import ALTERED, TextsAndPictures
from tasks import SplitTask, study

from graphrec import Dataset
from graphrec.data.catalogue import Catalogue
from graphrec.data.sample_store import write_sample_store
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.features.clip import ClipEncoder, parse_clip
from graphrec.features.modality import Modality
from graphrec.progress import Progress
from graphrec.retrieval.clip_space import ClipSpace, Part
from graphrec.retrieval.pair_weights import KINDS, PairWeights
from graphrec.search.config import SearchConfig
from graphrec.search.fitting import FitTask, catalogue_task, fit_weights, without_title
from graphrec.search.query_encoder import QueryEncoder

TOP = 10
LEAST_WANTED = 3
DRAWS = 5
"""How often the weights learned in training are fitted, on other queries and alterations each time."""


def store_study(folder: Path, progress: Progress) -> dict[str, Any]:
    if not folder.exists():
        write_sample_store(folder, progress=progress)
    catalogue = Dataset.load(folder).catalogue
    clip = parse_clip("small")
    encoder = ClipEncoder(clip)
    made = TextsAndPictures(catalogue, encoder, progress)
    picture, text, title = made.pictures(), made.texts(list(catalogue.text)), made.texts(list(catalogue.title))
    space = ClipSpace.build({"image": picture, "text": text}, is_shared=True)
    rest = [without_title(whole, one) for whole, one in zip(catalogue.text, catalogue.title, strict=True)]
    without = ClipSpace.build({"image": picture, "text": made.texts(rest)}, is_shared=True)
    pairs = _same_product_pairs(folder, catalogue)
    product_I = np.arange(len(catalogue))
    product_I[pairs[:, 1]] = pairs[:, 0]
    tasks = [_other_site(catalogue, space, picture, title, pairs, product_I)]
    tasks += [_altered(how, made, without, picture, title, product_I) for how in ALTERED]
    tested = np.concatenate([task.group_N[~task.is_validation_N] for task in tasks])
    is_tested_I = np.isin(product_I, tested)
    # An item without a title takes no part in the fit, so no product of a test query does.
    shown = replace(catalogue, title=np.where(is_tested_I, "", catalogue.title))
    query_encoder = QueryEncoder(dict.fromkeys(KINDS, clip), dict.fromkeys(KINDS, encoder.dim))
    num_queries = SearchConfig().fit_items
    draws = [
        catalogue_task(space, shown, query_encoder, num_queries, np.random.default_rng(seed), progress)
        for seed in range(DRAWS)
    ]
    in_training, *others = [fit_weights(draw) for draw in draws]  # the first one is used, whatever the others say
    return {
        "in_training": {
            "queries": len(draws[0].target_N),
            "items": len(draws[0].space),
            "text_shares": [sum(one.weight["text", block] for block in KINDS) for one in (in_training, *others)],
        },
        "tasks": [study(task, in_training) for task in tasks],
        "but": but_study(catalogue, encoder, space, picture, in_training),
    }


def _same_product_pairs(folder: Path, catalogue: Catalogue) -> np.ndarray:
    """Rows of the two listings of each product that both sites sell, int64 (P, 2)."""
    pairs = pd.read_csv(folder / "same_products.csv", dtype=str)
    return np.stack([catalogue.id_index.get_indexer(pairs[name]) for name in ("item_id", "same_item_id")], axis=1)


def _other_site(
    catalogue: Catalogue, space: ClipSpace, picture: Modality, title: Modality, pairs: np.ndarray, product_I: np.ndarray
) -> SplitTask:
    """The title and picture of one site's listing look for the other site's listing of the same product."""
    source, target = np.r_[pairs[:, 0], pairs[:, 1]], np.r_[pairs[:, 1], pairs[:, 0]]
    usable = title.present_I[source] & picture.present_I[source] & (space.route_I[target] != "neither")
    source, target = source[usable], target[usable]
    task = FitTask(
        space,
        {"image": picture.x_IF[source], "text": title.x_IF[source]},
        target,
        catalogue.site[source][:, None] != catalogue.site[None],
    )
    return SplitTask("the other site's listing of a product", task, product_I[source])


def _altered(
    how: str, made: TextsAndPictures, space: ClipSpace, picture: Modality, title: Modality, product_I: np.ndarray
) -> SplitTask:
    """An item from its own title, which the index does not hold, and its altered picture."""
    items = np.flatnonzero(title.present_I & picture.present_I)
    changed = made.altered(how, items)
    items, changed_NF = items[changed.present_I], changed.x_IF[changed.present_I]
    task = FitTask(space, {"image": changed_NF, "text": title.x_IF[items]}, items)
    return SplitTask(f"title and {how}", task, product_I[items])


def but_study(
    catalogue: Catalogue, encoder: ClipEncoder, space: ClipSpace, picture: Modality, weights: PairWeights
) -> list[dict[str, Any]]:
    """ "Like this, but red": of the ten best, the share that has the picture's category and the wanted colour.

    The divisor is the number of such items where there are fewer than ten; every query has at least three.
    """
    category, colour = (catalogue.attributes.categorical[name] for name in ("category", "colour"))
    names = sorted(set(colour) - {""})
    vector = dict(zip(names, encoder.encode_texts(names), strict=True))
    rng = np.random.default_rng(0)
    queries = []
    for item in rng.permutation(np.flatnonzero(picture.present_I & (category != "") & (colour != ""))):
        others = [one for one in names if one != colour[item]]
        others = [one for one in others if ((category == category[item]) & (colour == one)).sum() >= LEAST_WANTED]
        if others:
            queries.append((int(item), str(rng.choice(others))))
    balanced, nothing_D = weights.balanced(), space.blocks["text"].mean_D

    def like(item: int) -> list[Part]:
        return [Part("image", picture.x_IF[item])]

    def changed(item: int, wanted: str, strength: float, named: bool) -> list[Part]:
        direction_D = vector[wanted] - (vector[colour[item]] if named else nothing_D)
        return [*like(item), Part("text", direction_D, strength, is_direction=True)]

    ways = {
        "picture alone": (lambda item, _: like(item), balanced),
        "colour word alone": (lambda _, wanted: [Part("text", vector[wanted])], balanced),
        "picture and word, alike": (lambda item, wanted: [*like(item), Part("text", vector[wanted])], balanced),
        "picture and word, text 0.9": (
            lambda item, wanted: [*like(item), Part("text", vector[wanted])],
            weights.with_shares({"text": 0.9, "image": 0.1}),
        ),
    }
    for strength in (0.5, 0.75, 1.0, 1.25, 1.5, 2.0):
        for named in (False, True):
            what = f"--but{' and --not' if named else ''}, strength {strength:g}"
            ways[what] = (lambda i, w, s=strength, n=named: changed(i, w, s, n), balanced)
    wanted_share, rows = {}, []
    for name, (parts_of, used) in ways.items():
        scores = np.stack([space.query(parts_of(*query), used) for query in queries]) @ space.vectors_IE.T
        scores[np.arange(len(queries)), [item for item, _ in queries]] = -np.inf
        top = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        same = np.array([category[found] == category[item] for (item, _), found in zip(queries, top, strict=True)])
        red = np.array([colour[found] == wanted for (_, wanted), found in zip(queries, top, strict=True)])
        most = [min(TOP, ((category == category[item]) & (colour == one)).sum()) for item, one in queries]
        wanted_share[name] = (same & red).sum(axis=1) / most
        rows.append({
            "query": name, "queries": len(queries), "wanted": float(wanted_share[name].mean()),
            "same_category": float(same.mean()), "wanted_colour": float(red.mean()),
        })  # fmt: skip
    for row in rows:
        interval = paired_bootstrap(
            wanted_share[row["query"]], wanted_share["colour word alone"], np.random.default_rng(0)
        )
        row["over_colour_word"] = vars(interval)
    return rows
