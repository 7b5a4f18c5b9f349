"""Products that no catalogue has, such as what a visitor liked on another site, as rows of features."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.blocks import Standardiser
from graphrec.features.extract import IMAGE, TEXT, WORDS, ItemFeatures
from graphrec.features.modality import Modality
from graphrec.search.query_encoder import QueryEncoder


def features_of_products(
    features: ItemFeatures,
    is_warm_I: np.ndarray,
    encoder: QueryEncoder | None,
    texts: Sequence[str],
    images: Sequence[Path],
) -> np.ndarray:
    """(N, F) float32: each text and then each picture file as the features that the catalogue's items have.

    `encoder` has the CLIP of the catalogue's vectors, None where there is none. Standardised by the warm items, as
    those are; what a product lacks is zero. The gate is not asked. Raises GraphRecError for a picture that cannot be
    used, or where the run has nothing that reads texts or pictures.
    """
    num_texts, num_rows = len(texts), len(texts) + len(images)
    known = features.modalities
    found: dict[str, Modality] = {}
    words = features.encoders.words
    if texts and words is not None and WORDS in known:
        found[WORDS] = words.encode(np.asarray([*texts, *([""] * len(images))], dtype=object))
    if encoder is not None:
        if texts and TEXT in encoder.kinds and TEXT in known:
            found[TEXT] = _rows(encoder.texts(texts), np.arange(num_texts), num_rows)
        if images and IMAGE in encoder.kinds and IMAGE in known:
            found[IMAGE] = _rows(encoder.pictures(images), num_texts + np.arange(len(images)), num_rows)
    for asked, names, what in ((texts, (WORDS, TEXT), "text"), (images, (IMAGE,), "picture")):
        if asked and not set(names) & set(found):
            raise GraphRecError(
                f"This run has nothing that reads a product's {what}: it was trained without, or on vectors of your "
                "own that no CLIP is named for (clip under vectors in dataset.yaml)."
            )
    return Standardiser.fit(features, is_warm_I).apply(replace(features, modalities=found, signals={})).x_IF


def _rows(x_ND: np.ndarray, rows: np.ndarray, num_rows: int) -> Modality:
    """A modality that only these rows have."""
    place = np.full(num_rows, -1)
    place[rows] = np.arange(len(rows))
    return Modality.from_rows(x_ND, place)
