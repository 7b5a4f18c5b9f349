"""Looking at a picture file without decoding it."""

import stat
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_BYTES = 64 << 20
MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def picture_problem(path: Path) -> str | None:
    """What keeps a picture from being used, or None. Only the header is read: no small file can blow up in memory."""
    try:
        if (problem := _file_problem(path)) is not None:
            return problem
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is judged below
            with Image.open(path, formats=FORMATS) as image:
                return "too many pixels" if has_too_many_pixels(image) else None
    except Exception as error:
        return why_not_opened(error)


def read_picture(path: Path) -> bytes | str:
    """The bytes of the file, `MAX_BYTES` at most, or why they are not used. Nothing is decoded."""
    try:
        problem = _file_problem(path)
        return path.read_bytes() if problem is None else problem
    except OSError as error:
        return why_not_opened(error)


def has_too_many_pixels(image: Image.Image) -> bool:
    """Whether decoding would take more memory than a picture is worth."""
    return image.width * image.height > MAX_PIXELS


def why_not_opened(error: Exception) -> str:
    """In words, for what reading or opening a picture raised; anything but the known kinds is raised again."""
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, (UnidentifiedImageError, OSError, ValueError, SyntaxError)):
        return "damaged or no picture"
    raise error


def _file_problem(path: Path) -> str | None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return "missing"
    return f"larger than {MAX_BYTES >> 20} MiB" if found.st_size > MAX_BYTES else None


def stays_inside(resolved_root: Path, path: Path) -> bool:
    """Whether the path, its links followed, lies in the folder."""
    try:
        return path.resolve().is_relative_to(resolved_root)
    except (OSError, RuntimeError):  # a loop of links
        return False
