"""How much each kind of query counts against each block of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphrec.errors import GraphRecError

KINDS = ("image", "text")
"""Of a query's parts and of a catalogue's blocks alike: an item has a picture, a text, both or neither."""
Pair = tuple[str, str]
"""(kind of the query's part, block of the item)."""
PAIRS: tuple[Pair, ...] = tuple((asked, block) for asked in KINDS for block in KINDS)
_DEFAULT = {("image", "image"): 0.9, ("image", "text"): 0.1, ("text", "image"): 0.5, ("text", "text"): 0.5}


@dataclass(frozen=True)
class PairWeights:
    """A weight for each pair; only their ratios matter. Raises ValueError where one is negative or all are zero."""

    weight: Mapping[Pair, float]

    def __post_init__(self) -> None:
        if set(self.weight) != set(PAIRS):
            raise ValueError(f"Expected a weight for each of {PAIRS}, got {sorted(self.weight)}.")
        if min(self.weight.values()) < 0 or not sum(self.weight.values()) > 0:
            raise ValueError(f"Expected weights of at least 0, not all of them 0, got {dict(self.weight)}.")

    @classmethod
    def default(cls) -> "PairWeights":
        """Where nothing was fitted: a picture is looked for among pictures, a text in texts and pictures alike."""
        return cls(dict(_DEFAULT))

    def balanced(self) -> "PairWeights":
        """Both kinds of a query alike."""
        return self.with_shares(dict.fromkeys(KINDS, 1.0))

    def with_shares(self, share: Mapping[str, float]) -> "PairWeights":
        """The query's kinds weighted as in `share`; inside a kind the blocks keep their present ratio."""
        total = {asked: sum(self.weight[asked, block] for block in KINDS) for asked in KINDS}
        return PairWeights(
            {
                (asked, block): share.get(asked, 0.0)
                * (self.weight[asked, block] / total[asked] if total[asked] else 1 / len(KINDS))
                for asked, block in PAIRS
            }
        )

    def to_json(self) -> dict[str, float]:
        """`text-image` is the weight of a text query against the item's picture."""
        return {f"{asked}-{block}": value for (asked, block), value in self.weight.items()}

    @classmethod
    def from_json(cls, weight: Mapping[str, float]) -> "PairWeights":
        """The inverse of `to_json`."""
        return cls({(pair.partition("-")[0], pair.partition("-")[2]): value for pair, value in weight.items()})


def parse_shares(text: str) -> dict[str, float]:
    """`text=0.9,image=0.1` as shares by kind. Raises GraphRecError in one line where it is not that."""
    share: dict[str, float] = {}
    for part in text.split(","):
        kind, equals, number = (one.strip() for one in part.partition("="))
        try:
            value = float(number) if equals else float("nan")
        except ValueError:
            value = float("nan")
        if kind not in KINDS or kind in share or not 0 <= value < float("inf"):
            raise GraphRecError(
                f"Weights {text!r}: expected text=0.9,image=0.1 (each at least 0), equal, or learned; see {part!r}."
            )
        share[kind] = value
    if not sum(share.values()) > 0:
        raise GraphRecError(f"Weights {text!r}: at least one must be above 0.")
    return share
