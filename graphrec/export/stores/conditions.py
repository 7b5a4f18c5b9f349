"""Filters as conditions that a vector database can check itself.

They mean what they mean in `data.filters`; what attributes, values and sites there are is asked of the database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from graphrec.data.filters import Filters, close_names, numeric_range
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.stores.records import facet

Kind = Literal["number", "words"]


@dataclass(frozen=True)
class OneOf:
    """At least one of these facets (see `records.facet`)."""

    facets: tuple[str, ...]


@dataclass(frozen=True)
class Between:
    """A number in [low, high]; either end may be infinite."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Conditions:
    """All of them must hold; sites are alternatives."""

    sites: tuple[str, ...] = ()
    attributes: tuple[OneOf | Between, ...] = ()
    excluded: tuple[int, ...] = ()
    """Stable ids of items that must not be returned."""
    only_new: bool = False

    def __bool__(self) -> bool:
        return bool(self.sites or self.attributes or self.excluded or self.only_new)


class Known(Protocol):
    """What a database knows of its items; removed ones do not count, but for `unknown_items`."""

    def kind_of(self, attribute: str) -> Kind | None:
        """Whether its values are numbers or words; None where no item has it."""
        ...

    def has_facet(self, wanted: str) -> bool:
        """Whether an item has it."""
        ...

    def has_site(self, site: str) -> bool:
        """Whether an item is of it."""
        ...

    def unknown_items(self, numbers: Sequence[int]) -> set[int]:
        """The stable ids that no row has."""
        ...

    def attribute_names(self) -> set[str]:
        """For a message: may look at every item, as the two below."""
        ...

    def values_of(self, attribute: str) -> set[str]:
        """Values of an attribute of words."""
        ...

    def sites(self) -> set[str]:
        """Without the empty one."""
        ...


def conditions_of(filters: Filters, known: Known) -> Conditions:
    """Raises GraphRecError in one line for an unknown attribute, value, site or id, or a range that is none."""
    for site in filters.site:
        if not known.has_site(site):
            raise GraphRecError(f"No site {site!r}; {close_names(site, known.sites())}")
    numbers = [int(number) for number in stable_ids(filters.exclude)]
    unknown = known.unknown_items(numbers) if numbers else set()
    for item_id, number in zip(filters.exclude, numbers, strict=True):
        if number in unknown:
            raise GraphRecError(f"--exclude: unknown item {item_id!r}; expected ids of items that were upserted.")
    attributes = tuple(_attribute(condition, known) for condition in filters.where)
    return Conditions(tuple(filters.site), attributes, tuple(numbers), filters.only_new)


def _attribute(condition: str, known: Known) -> OneOf | Between:
    for name, values in _splits(condition):
        kind = known.kind_of(name)
        if kind == "number":
            return Between(name, *numeric_range(condition, values))
        if kind == "words":
            return OneOf(tuple(_facets(name, values, known)))
    name, equals, values = (one.strip() for one in condition.partition("="))
    if not equals or not name or not values:
        raise GraphRecError(f"--where {condition}: expected name=value, such as category=shoes or price=10..50.")
    raise GraphRecError(f"--where {condition}: no attribute {name!r}; {close_names(name, known.attribute_names())}")


def _splits(condition: str) -> Iterator[tuple[str, str]]:
    """Name and values, the longest name first: a name may itself hold a "="."""
    parts = condition.split("=")
    for count in range(len(parts) - 1, 0, -1):
        name, values = "=".join(parts[:count]), "=".join(parts[count:]).strip()
        if name.strip() and values:
            yield name, values
            if name != name.strip():
                yield name.strip(), values


def _facets(name: str, values: str, known: Known) -> Iterator[str]:
    whole = facet(name, values)
    if known.has_facet(whole):  # a value may itself hold a "|"
        yield whole
        return
    for value in values.split("|"):
        one = facet(name, value.strip())
        if not known.has_facet(one):
            raise GraphRecError(f"No {name} {value.strip()!r}; {close_names(value.strip(), known.values_of(name))}")
        yield one
