"""What was chosen inside the training data."""

from typing import Self

from pydantic import BaseModel, NonNegativeFloat, PositiveFloat, PositiveInt

from graphrec.models.parts import Mixture
from graphrec.models.ridge import HeadSettings


class FittedChoices(BaseModel, extra="forbid", frozen=True):
    """Kept in the run so that nobody has to guess. All figures are validation figures: they chose what they measure."""

    epochs: PositiveInt
    ndcg_by_epoch: tuple[float, ...]
    """NDCG@20 on the masked items, with an untuned head."""
    head: HeadSettings
    """Of the kernel ridge that predicts where the graph puts an item."""
    popularity_head: HeadSettings
    """Of the one that predicts log-degrees."""
    elsewhere_head: HeadSettings | None = None
    """As `head`, of the one that also reads what people of other sites did; None where there are none."""
    elsewhere_popularity_head: HeadSettings | None = None
    mixture: Mixture
    half_degree: NonNegativeFloat
    stretch: PositiveFloat
    """Content vectors are so much longer than predicted; see `models.calibration`."""

    @property
    def masked_ndcg(self) -> float:
        """Of the epochs that were chosen: the last that does as well as any."""
        return self.ndcg_by_epoch[self.epochs - 1]

    @classmethod
    def of(cls, text: str) -> Self:
        """From the JSON that `model_dump_json` gives."""
        return cls.model_validate_json(text)
