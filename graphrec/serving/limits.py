"""How much one request may ask for or bring. What is beyond is refused in one line, never cut silently."""

from pydantic import BaseModel, PositiveInt

MAX_K = 1_000
MAX_IDS = 1_000
"""Item ids, or ids to leave out, in one request."""
MAX_ID_CHARACTERS = 512
MAX_TEXTS = 16
MAX_TEXT_CHARACTERS = 4_000
MAX_CONDITIONS = 32
MAX_PICTURES = 16
"""Of a query; as many as items where items are written."""
MAX_ITEMS = 1_000
"""Items that one call adds, updates or removes."""
MAX_ATTRIBUTES = 200
"""Columns of one item."""
MAX_EVENTS = 10_000


class Limits(BaseModel, extra="forbid", frozen=True):
    """What an operator may set; the other limits stand in the OpenAPI document."""

    body_bytes: PositiveInt = 32 << 20
    """Of a whole request, with its pictures."""
    picture_bytes: PositiveInt = 10 << 20
    picture_pixels: PositiveInt = 50_000_000
