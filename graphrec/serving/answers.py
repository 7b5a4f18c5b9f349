"""What the service answers."""

from typing import Literal

from pydantic import BaseModel, Field

Basis = Literal["user", "items", "popular"]
MatchedWith = Literal["both", "image", "text", "neither"]


class _Answer(BaseModel):
    model_version: str
    """Which vectors answered: scores of different versions are not comparable."""
    sequence: int
    """Number of a change: it and all before it are in the answer."""


class RankedItem(BaseModel):
    """One item of a list."""

    item_id: str
    rank: int = Field(ge=1)
    score: float | None
    """None for an item that nothing is known of which the query could be compared with."""
    title: str
    degree: int = Field(ge=0)
    """People who touched it."""
    source: str
    """Where its vector comes from: content, cross-site, blend or graph."""


class RecommendAnswer(_Answer):
    """The best items, best first."""

    basis: Basis
    """What the list is made for: the user, the given items (texts and pictures among them), or nobody in particular.
    "popular" also answers for a user who is unknown or has done nothing yet.
    """
    unknown_items: list[str] = []
    """Of the given items those that the catalogue does not have: the list is made without them."""
    items: list[RankedItem]


class FoundItem(RankedItem):
    """One item that was found, and why."""

    site: str
    matched: MatchedWith
    """What the item has to be compared with."""
    from_image: float | None
    from_text: float | None
    """The parts of the score."""


class SearchAnswer(_Answer):
    """The nearest items, nearest first."""

    items: list[FoundItem]


class Refused(BaseModel):
    """One row that was not taken in."""

    row: int
    """Its place in the request, from 1."""
    column: str
    reason: str


class WriteAnswer(_Answer):
    """What was taken in, and is kept even if the service stops now."""

    ids: list[str]
    """The items that were added, updated or removed, or those of the events."""
    set_aside: list[Refused] = []
    left_out: dict[str, int] = {}
    """Reason → number of rows that did not count, such as events that were here already."""
    notes: list[str] = []
    """What else to know, such as columns that the run knows nothing of."""
    retrain_due: bool
    """Whether so much has changed since training that training again is advised."""


class ItemAnswer(_Answer):
    """What is known of one item."""

    item_id: str
    title: str
    site: str
    degree: int = Field(ge=0)
    source: str
    is_removed: bool
    """Whether it is kept, because people have touched it, and shown to nobody."""
