"""Weights fitted on the catalogue itself: find an item from its title, and from an altered picture of it.

The title is left out of the text that is searched, so that a query never meets its own words. Three numbers are fitted,
one after the other, each by the mean reciprocal rank over a grid: how a text counts against pictures and against texts,
how a picture does, and how much the one counts beside the other.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphrec.data.catalogue import Catalogue
from graphrec.data.pictures import stays_inside
from graphrec.features.modality import Modality
from graphrec.progress import Progress, silent
from graphrec.retrieval.clip_space import ClipSpace, Part
from graphrec.retrieval.pair_weights import KINDS, PAIRS, Pair, PairWeights
from graphrec.search.alteration import altered_picture
from graphrec.search.query_encoder import QueryEncoder

ENOUGH_ITEMS = 50
"""With fewer items nothing is fitted."""
_POOL_PER_QUERY = 10
"""Among few items a poor text finds its item as well as a good picture: a share fitted there is no use among many."""
_LEAST_SHARE = 0.05
"""Whoever gives a text and a picture means both, and a text may be in the item's own words: nothing is ever ignored."""

_GRID = (_LEAST_SHARE, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1 - _LEAST_SHARE)


@dataclass(frozen=True)
class FitTask:
    """N queries of both kinds over the items of a space; query n looks for item `target_N[n]`."""

    space: ClipSpace
    vectors: dict[str, np.ndarray]
    """"image" and "text" → (N, D), as the CLIP gives them."""
    target_N: np.ndarray
    allowed_NI: np.ndarray | None = None
    """Which items each query may find, bool; None: all."""


def fit_weights(task: FitTask) -> PairWeights:
    """The weights that rank the targets best; where several do, the ones nearest to `PairWeights.default`."""
    score = {(asked, block): _pair_scores(task, (asked, block)) for asked in KINDS for block in task.space.blocks}
    default, split, whole = PairWeights.default(), {}, {}
    for asked in KINDS:
        by_block = [score.get((asked, block), np.zeros(1)) for block in KINDS]
        split[asked] = _best_mix(by_block[0], by_block[1], task, default.weight[asked, "image"])
        whole[asked] = split[asked] * by_block[0] + (1 - split[asked]) * by_block[1]
    text_share = _best_mix(whole["text"], whole["image"], task, 0.5)
    share = {"text": text_share, "image": 1 - text_share}
    return PairWeights({(a, block): share[a] * (split[a] if block == "image" else 1 - split[a]) for a, block in PAIRS})


def catalogue_task(
    space: ClipSpace,
    catalogue: Catalogue,
    encoder: QueryEncoder,
    num_items: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> FitTask | None:
    """Titles and altered pictures of up to `num_items` items, to be found among these and nine times as many others.

    None where pictures and texts do not share a space, or fewer than `ENOUGH_ITEMS` pictures could be altered.
    """
    if not space.is_shared or len(space.blocks) < 2 or catalogue.image_root is None:
        return None
    has_all_I = (space.route_I == "both") & np.array([bool(title.strip()) for title in catalogue.title])
    pool = rng.permutation(np.flatnonzero(has_all_I))[: _POOL_PER_QUERY * num_items]
    with tempfile.TemporaryDirectory(prefix="graphrec-") as scratch:
        paths = _altered_pictures(catalogue, pool[:num_items], Path(scratch), rng, progress)
        if len(paths) < ENOUGH_ITEMS:
            return None
        image_ND = encoder.pictures(list(paths.values()))
    target_N = np.array(list(paths))
    text_ND = encoder.texts([catalogue.title[item] for item in pool[target_N]])
    return FitTask(
        _space_without_titles(space, catalogue, pool, encoder), {"image": image_ND, "text": text_ND}, target_N
    )


def _altered_pictures(
    catalogue: Catalogue, items: np.ndarray, folder: Path, rng: np.random.Generator, progress: Progress
) -> dict[int, Path]:
    """Place in `items` → the file of its altered picture; those that cannot be altered are left out."""
    root, paths = catalogue.image_root or Path(), {}
    for place, item in enumerate(progress(items.tolist(), "Altering pictures")):
        source = root / catalogue.image[item]
        picture = altered_picture(source, rng) if stays_inside(root.resolve(), source) else None
        if picture is not None:
            paths[place] = folder / f"{place}.png"
            picture.save(paths[place])
    return paths


def _space_without_titles(
    space: ClipSpace, catalogue: Catalogue, items: np.ndarray, encoder: QueryEncoder
) -> ClipSpace:
    """The items with their own pictures, and their texts encoded again without the title; row by row."""
    columns = space.columns("image")
    image_PD = (np.asarray(space.vectors_IE[items, columns]) + space.blocks["image"].mean_D).astype(np.float32)
    rest = [without_title(catalogue.text[item], catalogue.title[item]) for item in items]
    has_text_P = np.array([bool(text) for text in rest])
    text_PD = np.zeros_like(image_PD)
    if has_text_P.any():
        text_PD[has_text_P] = encoder.texts([text for text in rest if text])
    everybody_P = np.ones(len(items), dtype=bool)
    modalities = {"image": Modality(image_PD, everybody_P), "text": Modality(text_PD, has_text_P)}
    return ClipSpace.build(modalities, is_shared=True)


def without_title(text: str, title: str) -> str:
    """What is left of an item's text when its title is taken from its beginning."""
    text, title = text.strip(), title.strip()
    return text[len(title) :].lstrip(" .") if title and text.startswith(title) else text


def mean_reciprocal_rank(score_NI: np.ndarray, target_N: np.ndarray, allowed_NI: np.ndarray | None = None) -> float:
    """Mean of 1 / rank; the rank among equal scores is their middle."""
    return float((1 / target_ranks(score_NI, target_N, allowed_NI)).mean())


def target_ranks(score_NI: np.ndarray, target_N: np.ndarray, allowed_NI: np.ndarray | None = None) -> np.ndarray:
    """Rank (from 1) of each query's target among the items that it may find, float64 (N,)."""
    of_target_N1 = np.take_along_axis(score_NI, target_N[:, None], axis=1)
    above_NI, equal_NI = score_NI > of_target_N1, score_NI == of_target_N1
    if allowed_NI is not None:
        above_NI, equal_NI = above_NI & allowed_NI, equal_NI & allowed_NI
    return 1 + above_NI.sum(axis=1) + (equal_NI.sum(axis=1) - 1) / 2


def _pair_scores(task: FitTask, pair: Pair) -> np.ndarray:
    """Scores of every query's part of one kind against one block, (N, I)."""
    asked, block = pair
    only = PairWeights({one: float(one == pair) for one in PAIRS})
    query_NE = np.stack([task.space.query([Part(asked, vector_D)], only) for vector_D in task.vectors[asked]])
    columns = task.space.columns(block)
    return query_NE[:, columns] @ np.asarray(task.space.vectors_IE)[:, columns].T


def _best_mix(a_NI: np.ndarray, b_NI: np.ndarray, task: FitTask, default: float) -> float:
    """The share of `a` that ranks best; among equal ones the nearest to the default."""
    quality = {
        share: mean_reciprocal_rank(share * a_NI + (1 - share) * b_NI, task.target_N, task.allowed_NI)
        for share in sorted({*_GRID, default})
    }
    best = max(quality.values())
    return min((share for share, value in quality.items() if value == best), key=lambda share: abs(share - default))
