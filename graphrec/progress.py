"""Progress of long work, handed in by whoever owns the screen; the library itself prints nothing."""

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
