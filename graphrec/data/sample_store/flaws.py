"""What is wrong with the sample store on purpose, so that checking and quarantining can be seen at work.

Items: some have no picture, three name a picture that is not there, one picture is cut off in the middle; a few have no
text at all or lack an attribute or the price, and one price is not a number. Interactions: three rows name an item that
nobody sells, two have no readable timestamp, three events are logged twice.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

NUM_WITHOUT_TEXT = 6
NUM_ABSENT_PICTURES = 3
NUM_UNKNOWN_ITEMS = 3
UNREADABLE_TIMESTAMPS = ("2024-02-31T10:15:00Z", "last tuesday")
NUM_REPEATED_EVENTS = 3
UNREADABLE_PRICE = "on request"

_NO_PICTURE_SHARE = 0.03
_MISSING_SHARE = {"category": 0.015, "brand": 0.03, "colour": 0.03, "tags": 0.04, "price": 0.02}


@dataclass(frozen=True)
class PictureFlaws:
    """Positions of items whose picture is missing or damaged; no position stands in two of them."""

    nameless: np.ndarray
    """The items file names no picture."""
    absent: np.ndarray
    """The items file names a picture that does not exist."""
    damaged: int
    """The file ends in the middle of the picture."""


def spoil_items(rng: np.random.Generator, items: pd.DataFrame) -> tuple[pd.DataFrame, PictureFlaws]:
    """The items table with its flaws, and which pictures are flawed; an item without any text keeps its picture."""
    items = items.copy()
    order = rng.permutation(len(items))
    bounds = np.cumsum([NUM_WITHOUT_TEXT, round(_NO_PICTURE_SHARE * len(items)), NUM_ABSENT_PICTURES])
    wordless, nameless, absent, rest = np.split(order, bounds)
    items.loc[wordless, ["title", "description"]] = ""
    items.loc[nameless, "image"] = ""
    for column, share in _MISSING_SHARE.items():
        items.loc[rng.permutation(len(items))[: round(share * len(items))], column] = ""
    items.loc[rest[0], "price"] = UNREADABLE_PRICE
    return items, PictureFlaws(nameless, absent, damaged=int(rest[1]))


def spoil_interactions(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """The interactions table with its flaws; the rows that name unknown items and the repeated ones are additional."""
    rows = rows.copy()
    place = np.sort(rng.permutation(len(rows))[: NUM_UNKNOWN_ITEMS + len(UNREADABLE_TIMESTAMPS) + NUM_REPEATED_EVENTS])
    unknown, unreadable, repeated = np.split(rng.permutation(place), [NUM_UNKNOWN_ITEMS, -NUM_REPEATED_EVENTS])
    rows.loc[unreadable, "timestamp"] = UNREADABLE_TIMESTAMPS
    strangers = rows.loc[unknown].assign(item_id=[f"000000{number}" for number in range(NUM_UNKNOWN_ITEMS)])
    return pd.concat([rows, strangers, rows.loc[repeated]]).sort_index(kind="stable", ignore_index=True)


def cut_off_png(image: Image.Image) -> bytes:
    """An uncompressed PNG file that ends after half of its bytes, written by hand: no compressor's version shows."""
    width, height = image.size
    row_bytes = np.asarray(image, dtype=np.uint8).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), dtype=np.uint8), row_bytes], axis=1).tobytes()
    stored = struct.pack("<BHH", 1, len(lines), 0xFFFF - len(lines)) + lines
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = _png_chunk(b"IDAT", b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(lines)))
    whole = b"\x89PNG\r\n\x1a\n" + header + data + _png_chunk(b"IEND", b"")
    return whole[: len(whole) // 2]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
