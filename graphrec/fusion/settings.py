"""How much each of two systems counts, and what speaks for it."""

import math
from dataclasses import dataclass

from graphrec.errors import GraphRecError
from graphrec.evaluation.intervals import PairedInterval


@dataclass(frozen=True)
class Learned:
    """What a validation truth said; all means are NDCG@k over the same users."""

    k: int
    num_users: int
    """Users with a pair in the truth and a list of both systems (of very many, the share that was drawn)."""
    num_settings: int
    """How many were tried: the best of them reads better here than it will elsewhere."""
    theirs: float
    """Their lists alone."""
    ours: float
    """Ours alone."""
    fused: float
    """The fusion that is returned: `theirs` again where no gain was shown."""
    gain: PairedInterval
    """The best setting less theirs alone, whether or not it was taken."""
    known_loss: float
    """Share of their NDCG@k on items that are not new which the fusion gives up; below 0 where it gains there."""


@dataclass(frozen=True)
class Fusion:
    """Weights of a reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).

    An item at rank r of ours and rank s of theirs scores weight / (constant + r) + (1 - weight) / (constant + s); a
    list that does not hold it adds nothing. Raises GraphRecError for a number that makes no sense.
    """

    weight: float
    """Of ours, from 0 (theirs alone) to 1 (ours alone)."""
    new_weight: float | None = None
    """Of a new item, which only ours can list: new_weight / (constant + r). At 1 it stands where an item would that
    both lists have at that rank; None: `weight`, as for any other item."""
    constant: float = 60.0
    """Large: first ranks count little more than later ones. Only the weights are learned."""
    learned: Learned | None = None
    """Where the weights come from; None where somebody chose them."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise GraphRecError(f"Expected a fusion weight between 0 (theirs alone) and 1 (ours), got {self.weight}.")
        if self.new_weight is not None and not (self.new_weight >= 0 and math.isfinite(self.new_weight)):
            raise GraphRecError(f"Expected a weight of new items of at least 0, or None, got {self.new_weight}.")
        if not (self.constant >= 0 and math.isfinite(self.constant)):
            raise GraphRecError(f"Expected a fusion constant of at least 0 (usually 60), got {self.constant}.")

    @property
    def is_theirs_alone(self) -> bool:
        """Whether ours adds nothing."""
        return self.weight == 0 and not self.new_weight

    def __str__(self) -> str:
        """The weights and, where they were learned, what they gained and by how many users."""
        new = "" if self.new_weight is None else f", new items {self.new_weight:g}"
        weights = "theirs alone" if self.is_theirs_alone else f"weight {self.weight:g}{new}"
        if self.learned is None:
            return weights
        one, gain = self.learned, self.learned.gain
        about = (
            f"the best of {one.num_settings} settings gained {gain.difference:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        )
        noise = ", which is within the noise" if gain.low <= 0 else ""
        return (
            f"{weights}: NDCG@{one.k} of {one.num_users:,} users {one.theirs:.4f} theirs, {one.ours:.4f} ours, "
            f"{one.fused:.4f} fused; {about}{noise}; of theirs on known items {0.0 - one.known_loss:+.1%}"
        )
