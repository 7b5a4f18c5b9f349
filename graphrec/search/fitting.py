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
    """Titles and altered pictures of up to `num_items` items, to be found among these items without their titles.

    None where pictures and texts do not share a space, or fewer than `ENOUGH_ITEMS` items have both.
    """
    if not space.is_shared or len(space.blocks) < 2 or catalogue.image_root is None:
        return None
    is_usable_I = (space.route_I == "both") & np.array([bool(title.strip()) for title in catalogue.title])
    items = rng.permutation(np.flatnonzero(is_usable_I))[:num_items]
    with tempfile.TemporaryDirectory(prefix="graphrec-") as scratch:
        paths, kept = [], []
        for item in progress(items.tolist(), "Altering pictures"):
            picture_path = catalogue.image_root / catalogue.image[item]
            is_inside = stays_inside(catalogue.image_root.resolve(), picture_path)
            picture = altered_picture(picture_path, rng) if is_inside else None
            if picture is not None:
                paths.append(Path(scratch) / f"{item}.png")
                kept.append(item)
                picture.save(paths[-1])
        if len(kept) < ENOUGH_ITEMS:
            return None
        image_ND = encoder.pictures(paths)
    text_ND = encoder.texts([catalogue.title[item] for item in kept])
    left = [without_title(catalogue.text[item], catalogue.title[item]) for item in kept]
    has_text_N = np.array([bool(text) for text in left])
    rest_ND = np.zeros_like(text_ND)
    rest_ND[has_text_N] = encoder.texts([text for text in left if text])
    own_ND = np.stack([_own_picture(space, item) for item in kept]).astype(np.float32)
    pool = {"image": Modality(own_ND, np.ones(len(kept), dtype=bool)), "text": Modality(rest_ND, has_text_N)}
    return FitTask(
        ClipSpace.build(pool, is_shared=True), {"image": image_ND, "text": text_ND}, target_N=np.arange(len(kept))
    )


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


def _own_picture(space: ClipSpace, item: int) -> np.ndarray:
    vector_D = space.item_vector(item, "image")
    if vector_D is None:
        raise ValueError(f"Expected item {item} to have a picture.")
    return vector_D


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
