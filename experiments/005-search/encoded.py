"""Titles, other texts, pictures and altered pictures of a dataset as vectors of one CLIP."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from graphrec.data.catalogue import Catalogue
from graphrec.data.pictures import picture_problem
from graphrec.features.clip import ClipEncoder
from graphrec.features.modality import Modality
from graphrec.progress import Progress, silent
from graphrec.search.alteration import blurred, cropped

ALTERED: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "crop": lambda picture, rng: cropped(picture, rng, 0.7),
    "flip": lambda picture, _: ImageOps.mirror(picture),
    "blur": lambda picture, _: blurred(picture, 0.03),
}
"""A window of 70 % of each side; mirrored; a blur of 3 % of the longer side."""


@dataclass(frozen=True)
class TextsAndPictures:
    """A CLIP over one catalogue."""

    catalogue: Catalogue
    encoder: ClipEncoder
    progress: Progress = silent

    def texts(self, texts: list[str]) -> Modality:
        """Absent where a text is empty."""
        has_I = np.array([bool(text.strip()) for text in texts])
        x_IF = np.zeros((len(texts), self.encoder.dim), dtype=np.float32)
        x_IF[has_I] = self.encoder.encode_texts([text for text in texts if text.strip()], self.progress)
        return Modality(x_IF, has_I)

    def pictures(self) -> Modality:
        """Absent where there is no usable picture."""
        root = self.catalogue.image_root
        paths = [root / image if image else root / "no-picture" for image in self.catalogue.image]
        x_IF, has_I, _ = self.encoder.encode_images(paths, self.progress)
        return Modality(x_IF, has_I)

    def altered(self, how: str, items: np.ndarray, seed: int = 0) -> Modality:
        """The pictures of these items, altered, row by row."""
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as scratch:
            paths = []
            for item in items:
                path = self.catalogue.image_root / self.catalogue.image[item]
                paths.append(Path(scratch) / f"{len(paths)}.png")
                if self.catalogue.image[item] and picture_problem(path) is None:
                    try:
                        ALTERED[how](Image.open(path).convert("RGB"), rng).save(paths[-1])
                    except OSError:  # a picture that ends in the middle: absent
                        paths[-1].unlink(missing_ok=True)
            x_NF, has_N, _ = self.encoder.encode_images(paths, self.progress)
        return Modality(x_NF, has_N)
