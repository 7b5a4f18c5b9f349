"""Progress of long work, and what to say of it, handed in by whoever owns the screen: the library prints nothing."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable and shows how far it has come."""

    def __call__(self, steps: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield every step unchanged; `total` is needed only where `steps` has no length."""
        ...


def silent(steps: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """The default `Progress`: shows nothing."""
    yield from steps


class Say(Protocol):
    """Takes one line for a person to read, while work goes on."""

    def __call__(self, line: str) -> None:
        """Show the line."""
        ...


def unsaid(line: str) -> None:
    """The default `Say`: shows nothing."""
