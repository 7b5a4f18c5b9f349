"""Pictures as customers send them: cut, mirrored or out of focus."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from graphrec.data.pictures import FORMATS, picture_problem
from graphrec.features.rgb import as_rgb

_SIDE = 512
"""Longer side of what is altered: more than a CLIP reads."""


def altered_picture(path: Path, rng: np.random.Generator) -> Image.Image | None:
    """The picture cut to 60-95 % of each side, half of the time mirrored, a third of the time blurred, RGB.

    None where the file cannot be used.
    """
    if picture_problem(path) is not None:
        return None
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            picture = as_rgb(image)
    except Exception:  # decoders raise whatever their format's parser stumbles over
        return None
    picture.thumbnail((_SIDE, _SIDE))
    picture = cropped(picture, rng, rng.uniform(0.6, 0.95))
    if rng.random() < 1 / 2:
        picture = ImageOps.mirror(picture)
    return blurred(picture, rng.uniform(0.01, 0.03)) if rng.random() < 1 / 3 else picture


def cropped(picture: Image.Image, rng: np.random.Generator, share: float) -> Image.Image:
    """A window of this share of each side, at a random place."""
    width, height = max(1, round(share * picture.width)), max(1, round(share * picture.height))
    left = int(rng.integers(picture.width - width + 1))
    top = int(rng.integers(picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """Gaussian blur; the radius in shares of the longer side."""
    return picture.filter(ImageFilter.GaussianBlur(radius * max(picture.size)))
