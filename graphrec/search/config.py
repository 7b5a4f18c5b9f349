"""Settings of the search by text and picture."""

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt


class SearchConfig(BaseModel, extra="forbid", frozen=True):
    """How `search` weighs what it is given."""

    candidates: PositiveInt = 200
    """Items that the first stage proposes at least; ten times k where that is more."""
    text_share: float = Field(default=0.9, ge=0, le=1)
    """Weight of the text in the second stage where a query has a text and a picture and no weights were learned; the
    rest is the picture's."""
    but_strength: float = Field(default=1.25, gt=0)
    """How much "like this, but …" counts beside each picture or text that it changes."""
    fit_items: NonNegativeInt = 400
    """Items whose titles and altered pictures the learned weights are fitted on in training, among ten times as many;
    0: none are fitted."""
