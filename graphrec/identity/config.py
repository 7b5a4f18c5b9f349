"""The settings of matching."""

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt


class MatchConfig(BaseModel, extra="forbid", frozen=True):
    """How items of two sites are matched."""

    neighbours: PositiveInt = 10
    """So many nearest items of the other site are compared with an item, in each search and each direction."""
    at_least: float = Field(default=0.9, gt=0, le=1)
    """From this probability on a pair counts as certain; what is less is for a person to look at."""
    propose_from: float = Field(default=0.1, gt=0, le=1)
    """Less probable pairs are not proposed at all."""
    block: str | None = None
    """A categorical attribute: items are compared only where it is the same, or missing."""
    many_per_site: bool = False
    """Whether a site may have several items of one product."""
    seed: NonNegativeInt = 0
    """Of the random directions that texts are projected on."""
