"""Looking at a picture file without decoding it."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_BYTES = 64 << 20
MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def picture_problem(path: Path) -> str | None:
    """What keeps a picture from being used, or None. Only the header is read: no small file can blow up in memory."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            return "missing"
        if size > MAX_BYTES:
            return f"larger than {MAX_BYTES >> 20} MiB"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is judged below
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
    except FileNotFoundError:
        return "missing"
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        return "too many pixels" if isinstance(error, Image.DecompressionBombError) else "damaged or no picture"
    return "too many pixels" if width * height > MAX_PIXELS else None
