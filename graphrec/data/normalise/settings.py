"""What `dataset.yaml` says about one file's values: extracted columns, value maps, units, currencies."""

import re
from typing import Annotated, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from graphrec.data.normalise.unit_table import UNITS, factor_between
from graphrec.data.section import Section

_MAX_PATTERN = 200
_WITH_ALIAS = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _as_text(value: object) -> object:
    """YAML reads 1 as a number and no as false; a file's values are texts."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this as {str(value).lower()}; put the value in quotation marks")
    return str(value) if isinstance(value, (int, float)) else value


_Text = Annotated[str, BeforeValidator(_as_text)]
_TextOrNothing = Annotated[str | None, BeforeValidator(_as_text)]
_Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_Positive = Annotated[FiniteFloat, Field(gt=0)]


class Extraction(Section):
    """A new column out of an existing one, such as the year that stands in a title."""

    model_config = _WITH_ALIAS

    source: str = Field(alias="from")
    pattern: str
    """A regular expression with one group: its first match is the value (RE2 syntax, which runs in linear time)."""
    cut: bool = False
    """Whether the whole match is taken out of the column it stands in."""

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, pattern: str) -> str:
        if len(pattern) > _MAX_PATTERN:
            raise ValueError(f"expected a pattern of at most {_MAX_PATTERN} characters, got {len(pattern)}")
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
            num_groups = re.compile(pattern).groups
        except (pa.ArrowInvalid, re.error) as error:
            raise ValueError(f"not a regular expression: {str(error).splitlines()[0]}") from None
        if num_groups != 1:
            raise ValueError(
                f"expected one group in round brackets, got {num_groups}; write (?:...) for other brackets"
            )
        return pattern


class UnitConversion(Section):
    """A numeric column from one unit to another; a value that names its own unit (`12 in`) is taken at its word."""

    model_config = _WITH_ALIAS

    source: str | None = Field(default=None, alias="from")
    """Unit of the values that do not name their own; not given: those count as missing."""
    to: str | None = None
    factor: _Positive | None = None
    """In place of units: what every number is multiplied by."""

    @model_validator(mode="after")
    def _units_fit(self) -> Self:
        if (self.factor is None) == (self.to is None):
            raise ValueError("give either to: <unit> (with from: <unit>) or factor: <number>")
        if self.factor is not None and self.source is not None:
            raise ValueError("a factor needs no units")
        for unit in (self.source, self.to):
            if unit is not None and unit not in UNITS:
                raise ValueError(f"unknown unit {unit!r} (known: {', '.join(UNITS)}); or give a factor")
        if self.source is not None and self.to is not None:
            factor_between(self.source, self.to)
        return self


class CurrencyConversion(Section):
    """A price column in one currency. Rates are the user's: none is looked up or guessed."""

    model_config = _WITH_ALIAS

    source: _Code | None = Field(default=None, alias="from")
    """ISO 4217 code of all prices, such as USD."""
    code_column: str | None = None
    """In place of `from`: the column that holds each row's code."""
    to: _Code
    rates: dict[_Code, _Positive] = Field(default_factory=dict)
    """Currency → what one of it is worth in `to`."""

    @model_validator(mode="after")
    def _has_a_rate(self) -> Self:
        if (self.source is None) == (self.code_column is None):
            raise ValueError("give either from: <code> or code_column: <column>")
        if self.rates.get(self.to, 1.0) != 1.0:
            raise ValueError(f"one {self.to} is worth 1 {self.to}, not {self.rates[self.to]:g}; leave it out of rates")
        if self.source is not None and self.rate_of(self.source) is None:
            raise ValueError(
                f"no rate for {self.source}: add rates: {{{self.source}: <what one of it is worth in {self.to}>}}"
            )
        return self

    def rate_of(self, code: str) -> float | None:
        """What one `code` is worth in `to`; None where nobody said."""
        return 1.0 if code == self.to else self.rates.get(code)


class NormaliseSettings(Section):
    """How the values of one file become those of the dataset; every column by the file's name or graphrec's."""

    extract: dict[str, Extraction] = Field(default_factory=dict)
    """New column → where its values are taken from, such as {year: {from: title, pattern: '\\((\\d{4})\\)$'}}."""
    values: dict[str, dict[_Text, _TextOrNothing]] = Field(default_factory=dict)
    """Column → theirs: ours, such as {genres: {Kids: Children, (none): null}}; null counts as missing."""
    unmapped: dict[str, Literal["keep", "set_missing"]] = Field(default_factory=dict)
    """Column → what becomes of values that its map does not name; they stay where nothing is said. Always reported."""
    units: dict[str, UnitConversion] = Field(default_factory=dict)
    """Column → units, such as {height: {from: in, to: cm}}."""
    currency: dict[str, CurrencyConversion] = Field(default_factory=dict)
    """Column → currency, such as {price: {from: USD, to: EUR, rates: {USD: 0.92}}}."""

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        for column in self.unmapped:
            if column not in self.values:
                raise ValueError(f"unmapped: {column!r} has no map under values")
        for column in self.units:
            if column in self.currency:
                raise ValueError(f"{column!r} stands under units and under currency; a column is one of them")
        return self
