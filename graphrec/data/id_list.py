"""A list of ids, or of files, as somebody hands it over."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graphrec.errors import GraphRecError


def check_list(given: Sequence[str | Path], of: str) -> None:
    """Raise GraphRecError for a single string, whose letters would be taken for ids, and for what is no string."""
    if isinstance(given, (str, Path)):
        raise GraphRecError(f"Expected a list of {of}, got {str(given)!r}: write [{str(given)!r}].")
    if not isinstance(given, Iterable):
        raise GraphRecError(f"Expected a list of {of}, got {given!r}.")
    for one in given:
        if not isinstance(one, (str, Path)):
            raise GraphRecError(f"Expected {of} as strings, got {one!r}: write {str(one)!r}.")
