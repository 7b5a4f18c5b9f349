"""A picture as people see it in a shop, whatever its file format can do."""

from contextlib import suppress

import numpy as np
from PIL import Image, ImageOps

_SIXTEEN_BITS = 65_535


def as_rgb(image: Image.Image) -> Image.Image:
    """The first frame, turned upright as its EXIF data say, on white where it is transparent, 8 bits per channel.

    `image` may be changed. Raises what Pillow raises for damaged pixels.
    """
    image.seek(0)
    with suppress(Exception):  # damaged EXIF data say nothing; the picture may be whole
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    opaque = Image.new("RGB", image.size, "white")
    opaque.paste(image, mask=image.getchannel("A"))
    return opaque


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey values of 16 bits, 32 bits or floats; Pillow's own conversion cuts them off at 255."""
    value_HW = np.asarray(image, dtype=np.float32)
    low, high = (0.0, float(_SIXTEEN_BITS)) if image.mode.startswith("I;16") else (value_HW.min(), value_HW.max())
    if image.mode == "I" and low >= 0 and high <= _SIXTEEN_BITS:  # 16 bits too, as some formats are read
        low, high = 0.0, float(_SIXTEEN_BITS)
    scale = 255.0 / (high - low) if high > low else 0.0
    return Image.fromarray(np.rint((value_HW - low) * scale).astype(np.uint8))
