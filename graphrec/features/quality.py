"""What can be told about a picture or a text without understanding it: cheap signals for a gate to learn from."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from graphrec.data.catalogue import Catalogue
from graphrec.data.pictures import FORMATS, picture_problem, stays_inside
from graphrec.progress import Progress, silent

PICTURE_SIGNALS = ("log2 shorter side", "log sharpness", "log contrast")
TEXT_SIGNALS = ("log title length", "log number of words", "share of letters")
_LOOKED_AT = 256
"""Pixels of the longer side that sharpness is taken at: a thumbnail's noise is not a large picture's detail."""


def quality_signals(catalogue: Catalogue, progress: Progress = silent) -> dict[str, np.ndarray]:
    """What `features.gate` learns from: image and text → their signals, (I, S)."""
    return {
        "image": picture_signals(catalogue, progress=progress),
        "text": text_signals(catalogue.title, catalogue.text),
    }


def picture_signals(catalogue: Catalogue, num_threads: int = 2, progress: Progress = silent) -> np.ndarray:
    """`PICTURE_SIGNALS` of every item, float32 (I, 3), nan where there is no picture that can be read."""
    root = catalogue.image_root
    if root is None:
        return np.full((len(catalogue), len(PICTURE_SIGNALS)), np.nan, dtype=np.float32)
    resolved = root.resolve()
    paths = [
        root / image if image and stays_inside(resolved, root / image) else None
        for image in progress(catalogue.image, "Looking at pictures")
    ]
    with ThreadPoolExecutor(num_threads) as pool:
        signals = list(pool.map(_picture_signals_of, paths))
    return np.array(signals, dtype=np.float32).reshape(len(catalogue), len(PICTURE_SIGNALS))


def text_signals(titles: Iterable[str], texts: Iterable[str]) -> np.ndarray:
    """`TEXT_SIGNALS` of every item, float32 (I, 3): of the title its length, of the whole text the rest."""
    rows = [
        (np.log1p(len(title)), np.log1p(len(text.split())), sum(map(str.isalpha, text)) / max(1, len(text)))
        for title, text in zip(titles, texts, strict=True)
    ]
    return np.array(rows, dtype=np.float32).reshape(-1, len(TEXT_SIGNALS))


def sharpness(grey_HW: np.ndarray) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000): small where a picture is blurred; 0 below 3 × 3 pixels."""
    if min(grey_HW.shape) < 3:
        return 0.0
    middle = grey_HW[1:-1, 1:-1]
    around = grey_HW[:-2, 1:-1] + grey_HW[2:, 1:-1] + grey_HW[1:-1, :-2] + grey_HW[1:-1, 2:]
    return float((around - 4 * middle).var())


def _picture_signals_of(path: Path | None) -> tuple[float, float, float]:
    unknown = (np.nan, np.nan, np.nan)
    if path is None or picture_problem(path) is not None:
        return unknown
    try:
        with Image.open(path, formats=FORMATS) as image:
            side = min(image.size)
            image.draft("L", (_LOOKED_AT, _LOOKED_AT))
            grey = image.convert("L")
            grey.thumbnail((_LOOKED_AT, _LOOKED_AT))
            grey_HW = np.asarray(grey, dtype=np.float64)
    except Exception:  # decoders raise whatever their format's parser stumbles over
        return unknown
    return float(np.log2(side)), float(np.log1p(sharpness(grey_HW))), float(np.log1p(grey_HW.std()))
