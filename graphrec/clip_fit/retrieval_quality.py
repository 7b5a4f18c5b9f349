"""How well a CLIP matches pictures and texts: R@k both ways, beside chance and what equal texts leave possible.

R@k picture → text: share of the pairs (picture, text) in which the text is among the k nearest of all distinct texts of
the pool; text → picture alike, among all distinct pictures. Two items with the very same text cannot be told apart by
it: the best that any model can reach for a text with m pictures is min(1, k / m), and that is reported as `bound`.
Equal similarities share their places: a model that gives everything one vector scores exactly chance, k / pool.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

KS = (1, 5, 10)
_DECIMALS = 5
_BLOCK = 512


@dataclass(frozen=True)
class OneWay:
    """R@k in one direction, k → value between 0 and 1."""

    recall: dict[int, float]
    bound: dict[int, float]
    """What a model that knows everything could reach, given queries with several answers."""
    chance: dict[int, float]
    pool: int
    """Number of distinct candidates."""


@dataclass(frozen=True)
class RetrievalQuality:
    """Both directions over the same pairs."""

    pairs: int
    image_to_text: OneWay
    text_to_image: OneWay

    def to_json(self) -> dict[str, Any]:
        """Plain data; k becomes a string such as "10"."""
        plain = asdict(self)
        for way in (plain["image_to_text"], plain["text_to_image"]):
            for name in ("recall", "bound", "chance"):
                way[name] = {str(k): value for k, value in way[name].items()}
        return plain


def retrieval_quality(
    image_UD: np.ndarray, text_TD: np.ndarray, picture_P: np.ndarray, text_P: np.ndarray, ks: tuple[int, ...] = KS
) -> RetrievalQuality:
    """R@k over P pairs of a row in `image_UD` and one in `text_TD`; a pair that stands twice counts once.

    Rows are distinct pictures and distinct texts with unit vectors; every row should be in some pair.
    """
    pair_Q2 = np.unique(np.stack([picture_P, text_P], axis=1), axis=0)
    return RetrievalQuality(
        pairs=len(pair_Q2),
        image_to_text=_one_way(image_UD, text_TD, pair_Q2[:, 0], pair_Q2[:, 1], ks),
        text_to_image=_one_way(text_TD, image_UD, pair_Q2[:, 1], pair_Q2[:, 0], ks),
    )


def _one_way(
    query_ND: np.ndarray, candidate_CD: np.ndarray, query_Q: np.ndarray, candidate_Q: np.ndarray, ks: tuple[int, ...]
) -> OneWay:
    credit_QK = np.empty((len(query_Q), len(ks)))
    for start in range(0, len(query_Q), _BLOCK):
        rows = slice(start, start + _BLOCK)
        # Rounded, so that equal vectors tie whatever order a matrix product sums in.
        score_BC = np.round(query_ND[query_Q[rows]] @ candidate_CD.T, _DECIMALS)
        own_B1 = np.take_along_axis(score_BC, candidate_Q[rows, None], axis=1)
        better_B, equal_B = (score_BC > own_B1).sum(axis=1), (score_BC == own_B1).sum(axis=1)
        credit_QK[rows] = np.clip((np.array(ks) - better_B[:, None]) / equal_B[:, None], 0, 1)
    num_answers_Q = np.bincount(query_Q, minlength=len(query_ND))[query_Q]
    pool = len(candidate_CD)
    return OneWay(
        recall={k: float(credit_QK[:, column].mean()) for column, k in enumerate(ks)},
        bound={k: float(np.minimum(1, k / num_answers_Q).mean()) for k in ks},
        chance={k: min(1.0, k / pool) for k in ks},
        pool=pool,
    )
