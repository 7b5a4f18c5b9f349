"""Structured columns as vectors: categories and lists as indicators, numbers as smooth bumps."""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, PositiveInt

from graphrec.data.catalogue import Attributes
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality

_WIDTH_IN_SPACINGS = 1.5


class AttributesConfig(BaseModel, extra="forbid", frozen=True):
    """How attributes become vectors."""

    min_count: PositiveInt = 2
    """A category counts when at least this many warm items have it."""
    max_values: PositiveInt = 2048
    """Of one attribute, only so many categories: the most frequent, ties by name."""
    num_centres: PositiveInt = 20
    """Bumps along the range of a number."""


@dataclass(frozen=True)
class IndicatorEncoder:
    """One feature per known value; 1 where the item has it (one-hot, or multi-hot for a list of values)."""

    kind: Literal["categorical", "multi_valued"]
    values: tuple[str, ...]

    def encode(self, values_I: Iterable[str] | Iterable[tuple[str, ...]], num_items: int) -> Modality:
        """An item without any known value is absent."""
        feature_of = {value: feature for feature, value in enumerate(self.values)}
        x_IF = np.zeros((num_items, len(self.values)), dtype=np.float32)
        pairs = [
            (item, feature_of[value])
            for item, values in enumerate(_as_tuples(values_I))
            for value in values
            if value in feature_of
        ]
        if pairs:
            item_P, feature_P = np.array(pairs).T
            x_IF[item_P, feature_P] = 1.0
        return Modality(x_IF, x_IF.max(axis=1, initial=0.0) > 0)


@dataclass(frozen=True)
class BumpEncoder:
    """A number v as exp(-((v - centre) / width)² / 2) at evenly spaced centres; v is clipped to [low, high].

    Near numbers get near vectors, which neither one scaled column nor bins with hard edges give.
    """

    low: float
    high: float
    num_centres: int

    def encode(self, number_I: np.ndarray) -> Modality:
        """An item whose number is missing (nan) or infinite is absent."""
        centre_F = np.linspace(self.low, self.high, self.num_centres)
        width = _WIDTH_IN_SPACINGS * (self.high - self.low) / max(self.num_centres - 1, 1)
        number_I = np.asarray(number_I, dtype=np.float64)
        present_I = np.isfinite(number_I)
        x_IF = np.zeros((len(number_I), self.num_centres), dtype=np.float32)
        clipped_P = np.clip(number_I[present_I], self.low, self.high)
        x_IF[present_I] = np.exp(-0.5 * ((clipped_P[:, None] - centre_F) / width) ** 2)
        return Modality(x_IF, present_I)


@dataclass(frozen=True)
class AttributeEncoder:
    """One encoder per attribute that has something to say, fitted on warm items only."""

    indicators: dict[str, IndicatorEncoder]
    bumps: dict[str, BumpEncoder]

    @classmethod
    def fit(cls, attributes: Attributes, names: Iterable[str], is_warm_I: np.ndarray, config: AttributesConfig) -> Self:
        """Learn each named attribute's values or range; one that warm items tell nothing of is left out.

        A categorical or multi-valued attribute needs a value of at least `min_count` warm items; a number needs its 1st
        and 99th percentile over warm items to differ.
        """
        warm = np.flatnonzero(is_warm_I).tolist()
        indicators: dict[str, IndicatorEncoder] = {}
        bumps: dict[str, BumpEncoder] = {}
        for name in names:
            if name in attributes.numeric:
                number_W = attributes.numeric[name][warm]
                number_W = number_W[np.isfinite(number_W)]
                low, high = np.percentile(number_W, [1, 99]).tolist() if len(number_W) else (0.0, 0.0)
                if low < high and np.isfinite(high - low):
                    bumps[name] = BumpEncoder(low, high, config.num_centres)
                continue
            kind, values_I = _indicator_column(attributes, name)
            values = _frequent(_as_tuples(values_I[item] for item in warm), config)
            if values:
                indicators[name] = IndicatorEncoder(kind, values)
        return cls(indicators, bumps)

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that are encoded."""
        return (*self.indicators, *self.bumps)

    def encode(self, attributes: Attributes, num_items: int) -> dict[str, Modality]:
        """Attribute → modality; absent throughout where the items have no such column.

        Raises GraphRecError where a column is of another kind than when the encoder was fitted.
        """
        encoded = {}
        for name, indicator in self.indicators.items():
            _require_kind(attributes, name, indicator.kind)
            columns = attributes.categorical if indicator.kind == "categorical" else attributes.multi_valued
            encoded[name] = indicator.encode(columns.get(name, [()] * num_items), num_items)
        for name, bump in self.bumps.items():
            _require_kind(attributes, name, "numeric")
            encoded[name] = bump.encode(attributes.numeric.get(name, np.full(num_items, np.nan)))
        return encoded

    def describe(self, name: str) -> str:
        """How an attribute is encoded, for a reader."""
        if name in self.indicators:
            encoder = self.indicators[name]
            return f"{encoder.kind.replace('_', '-')}, {len(encoder.values):,} values"
        return f"numeric, bumps between {self.bumps[name].low:g} and {self.bumps[name].high:g}"

    def to_json(self) -> dict[str, Any]:
        """The fitted state in plain lists, strings and numbers."""
        return {
            "indicators": {n: {"kind": e.kind, "values": list(e.values)} for n, e in self.indicators.items()},
            "bumps": {n: {"low": e.low, "high": e.high, "num_centres": e.num_centres} for n, e in self.bumps.items()},
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The encoder that `to_json` described."""
        return cls(
            {n: IndicatorEncoder(e["kind"], tuple(e["values"])) for n, e in state["indicators"].items()},
            {n: BumpEncoder(e["low"], e["high"], e["num_centres"]) for n, e in state["bumps"].items()},
        )


def _indicator_column(
    attributes: Attributes, name: str
) -> tuple[Literal["categorical", "multi_valued"], np.ndarray | list[tuple[str, ...]]]:
    if name in attributes.categorical:
        return "categorical", attributes.categorical[name]
    return "multi_valued", attributes.multi_valued[name]


def _as_tuples(values_I: Iterable[str] | Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    for values in values_I:
        yield values if isinstance(values, tuple) else (values,) if values else ()


def _frequent(values_W: Iterable[tuple[str, ...]], config: AttributesConfig) -> tuple[str, ...]:
    # A value that an item repeats counts once: the number that matters is how many items share it.
    counts = Counter(value for values in values_W for value in set(values))
    frequent = [value for value, count in counts.items() if count >= config.min_count]
    return tuple(sorted(frequent, key=lambda value: (-counts[value], value))[: config.max_values])


def _require_kind(attributes: Attributes, name: str, expected: str) -> None:
    kinds: dict[str, Container[str]] = {
        "categorical": attributes.categorical,
        "multi_valued": attributes.multi_valued,
        "numeric": attributes.numeric,
    }
    for kind, columns in kinds.items():
        if name in columns and kind != expected:
            raise GraphRecError(
                f"Attribute {name!r} was {expected} when the features were fitted and is {kind} here; "
                f"list it as {expected} under items: in dataset.yaml."
            )
