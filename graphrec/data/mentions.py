"""Whether a text or a file's bytes name somebody."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import AnyStr, Self

LONG_ID = 8
"""Characters from which on an id is found inside a longer word; a shorter one has to stand as a word of its own."""
FEWEST_BYTES = 6
"""A shorter id is not looked for among bytes that are no text: it would be found by chance."""
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


@dataclass(frozen=True)
class Mentions:
    """Finds the ids of some people, but not where they are a part of the ids of others."""

    ids: tuple[str, ...]
    longer_ids: tuple[str, ...]
    """Ids of others that hold one of the ids."""

    @classmethod
    def of(cls, ids: Iterable[str], other_ids: Iterable[str] = ()) -> Self:
        """`other_ids` are those of people who may be named."""
        wanted = tuple(dict.fromkeys(one for one in ids if one))
        return cls(wanted, tuple({other for other in other_ids if any(one in other for one in wanted)} - set(wanted)))

    def within(self, text: str) -> bool:
        """Whether one of the ids stands in the text."""
        return any(
            not _is_covered(text, found.start(), self._longer)
            for pattern in self._patterns
            for found in pattern.finditer(text)
        )

    def within_bytes(self, data: bytes) -> bool:
        """Whether one of the ids stands among bytes that are no text, in any usual encoding."""
        return any(
            not _is_covered(data, start, self._encoded_longer)
            for one in self.ids
            for needle in _encoded(one)
            if len(needle) >= FEWEST_BYTES
            for start in _starts(data, needle)
        )

    @cached_property
    def longest(self) -> int:
        """Bytes that pieces of a file have to overlap by, so that nothing is cut in two."""
        return max((len(form) for one in (*self.ids, *self.longer_ids) for form in _encoded(one)), default=0)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [
            re.compile(re.escape(form) if len(one) >= LONG_ID else rf"(?<!\w){re.escape(form)}(?!\w)")
            for one in self.ids
            for form in dict.fromkeys((one, json.dumps(one)[1:-1], one.replace('"', '""')))  # as JSON and CSV write it
        ]

    @cached_property
    def _longer(self) -> list[tuple[str, int]]:
        return [(other, at) for other in self.longer_ids for one in self.ids for at in _starts(other, one)]

    @cached_property
    def _encoded_longer(self) -> list[tuple[bytes, int]]:
        return [
            (form, at)
            for other in self.longer_ids
            for one in self.ids
            for form, needle in zip(_encoded(other), _encoded(one), strict=True)
            for at in _starts(form, needle)
        ]


def _encoded(id_: str) -> list[bytes]:
    """The id as it may stand in a file: in the usual encodings, and as JSON escapes it."""
    return [*(id_.encode(one, "surrogatepass") for one in _ENCODINGS), json.dumps(id_)[1:-1].encode("ascii")]


def _starts(text: AnyStr, part: AnyStr) -> Iterator[int]:
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + 1)


def _is_covered(text: AnyStr, start: int, longer: list[tuple[AnyStr, int]]) -> bool:
    """Whether what begins at `start` is a part of one of the longer ids, in which it stands so far from their start."""
    return any(start >= offset and text.startswith(other, start - offset) for other, offset in longer)
