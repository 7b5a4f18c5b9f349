"""The settings that are searched, with the values that are tried. Small on purpose: a trial is a whole training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError

Point = Mapping[str, Any]
"""Setting → value, for every dimension of a space; values as JSON has them."""


@dataclass(frozen=True)
class Choice:
    """A setting that takes one of a few values."""

    key: str
    values: tuple[Any, ...]

    def with_value(self, value: Any) -> Self:
        """The same, with this value among those that are tried."""
        return self if self.holds(value) else replace(self, values=(value, *self.values))

    def holds(self, value: Any) -> bool:
        """Whether the value is one of those that are tried; a list equals a tuple, True is no 1."""
        return as_label(value) in {as_label(one) for one in self.values}


@dataclass(frozen=True)
class Range:
    """A positive setting that takes any value between two; equal ratios are equally likely."""

    key: str
    low: float
    high: float

    def with_value(self, value: Any) -> Self:
        """The same, wide enough for this value."""
        return replace(self, low=min(self.low, float(value)), high=max(self.high, float(value)))

    def holds(self, value: Any) -> bool:
        """Whether the value is a number between the two."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


Dimension = Choice | Range

SPACE: tuple[Dimension, ...] = (
    Choice("model.encoder.dim", (64, 128, 256)),
    Choice("model.encoder.fanouts", ((30,), (100,), (30, 10))),  # one hop of some or many neighbours, or two hops
    Choice("model.encoder.residual", (True, False)),  # whether an item with edges learns a vector of its own
    Choice("model.training.max_epochs", (10, 20, 40)),  # how slowly the learning rate falls
    Range("model.training.temperature", 0.05, 0.5),
    Choice("model.training.popularity_share", (0.0, 0.5, 1.0)),  # what of popularity the vectors need not learn
    Range("model.training.learning_rate", 5e-4, 1e-2),
    Range("model.training.target_rate", 0.1, 0.7),
    Range("model.training.weight_decay", 1e-7, 1e-3),
    Choice("model.tuning.masked_items", (0.1, 0.2, 0.3)),  # masked while the number of epochs is chosen
    Choice("model.raw_dim", (0, 256)),  # without and with the raw block
)


def space_around(
    config: GraphRecConfig, only: Sequence[str] = (), space: Sequence[Dimension] = SPACE
) -> tuple[Dimension, ...]:
    """The space, holding the settings' own values too; with `only` named, these settings alone.

    Raises GraphRecError for a name that the space does not hold.
    """
    known = [dimension.key for dimension in space]
    for key in only:
        if key not in known:
            raise GraphRecError(f"No setting {key!r} is searched: choose among {', '.join(known)}.")
    chosen = [dimension for dimension in space if not only or dimension.key in only]
    return tuple(dimension.with_value(_value(config, dimension.key)) for dimension in chosen)


def point_of(config: GraphRecConfig, space: Sequence[Dimension]) -> Point:
    """The settings' own values."""
    return {dimension.key: _value(config, dimension.key) for dimension in space}


def at_point(config: GraphRecConfig, point: Point) -> GraphRecConfig:
    """The settings with these values; raises pydantic's ValidationError where one is not allowed."""
    settings = config.model_dump()
    for key, value in point.items():
        *path, last = key.split(".")
        place = settings
        for part in path:
            place = place[part]
        place[last] = value
    return GraphRecConfig.model_validate(settings)


def as_label(value: Any) -> str:
    """One string for equal values, as they are shown."""
    return json.dumps(value)


def _value(config: GraphRecConfig, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return json.loads(json.dumps(value))
