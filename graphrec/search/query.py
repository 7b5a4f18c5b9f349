"""What is looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphrec.errors import GraphRecError

Weights = str | Mapping[str, float] | None
"""Of the second stage: "equal", "learned", "text=0.9,image=0.1" or the same as a mapping; None: by what is asked."""
Rerank = int | Literal["none"] | None
"""How many candidates the second stage orders; None: as many as the settings say."""


@dataclass(frozen=True)
class SearchQuery:
    """Any mix, several of each; several of one kind are averaged.

    Raises GraphRecError where nothing is looked for, or `but` has nothing to change.
    """

    texts: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    items: tuple[str, ...] = ()
    """Ids: more like these. They are left out of the answer."""
    but: tuple[str, ...] = ()
    """What should be different from the picture or the items: "red"."""
    without: tuple[str, ...] = ()
    """What there should be less of: beside `but` the word that it replaces, "blue"."""

    def __post_init__(self) -> None:
        if not (self.texts or self.images or self.items):
            change = "but" if self.but else "without" if self.without else None
            what = f"--{change} changes what is looked for" if change else "Nothing is looked for"
            raise GraphRecError(f"{what}: give a text, a picture or items.")
        if self.but and not (self.images or self.items):
            raise GraphRecError("--but changes a picture or items: give --image or --items, or use --text.")
        if any(not text.strip() for text in (*self.texts, *self.but, *self.without)):
            raise GraphRecError("The text is empty: write what to look for.")

    @classmethod
    def of(
        cls,
        text: str | Sequence[str] | None = None,
        image: str | Path | Sequence[str | Path] | None = None,
        items: str | Sequence[str] | None = None,
        but: str | Sequence[str] | None = None,
        without: str | Sequence[str] | None = None,
    ) -> "SearchQuery":
        """One or several of each; None: none."""
        images = (image,) if isinstance(image, str | Path) else tuple(image or ())
        return cls(_tuple(text), tuple(Path(one) for one in images), _tuple(items), _tuple(but), _tuple(without))


def _tuple(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())
