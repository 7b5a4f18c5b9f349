"""`dataset.yaml`: how a folder's files map to items and interactions, so that none has to be rewritten."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{path!r} leaves the dataset folder; give a path below --root")
    return path


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ItemsDescription(_Section):
    """Where the items are and what their columns mean."""

    file: str | None = None
    """Path below the root; found by its usual name (items.parquet, .csv, .jsonl, .item) where not given."""
    columns: dict[str, str] = {}
    """From graphrec's name (item_id, title, image, site) to the file's column."""
    text: tuple[str, ...] | None = None
    """Columns a text encoder reads, in order. Not given: title and description, those that exist."""
    categorical: tuple[str, ...] | None = None
    """Columns with one value out of few. None of the three attribute lists given: guessed from the columns, and said so."""
    multi_valued: dict[str, str] = {}
    """Column → separator of a list of values, such as {genres: "|"}."""
    numeric: tuple[str, ...] = ()
    image_folder: str = "."
    """Folder below the root that the image column's paths start from."""
    site: str | None = None
    """The site that all items come from, where the file has no such column."""
    layout: Literal["table", "lines"] = "table"
    """`table`: one row per item, columns by name. `lines`: item id, one space, its text; no header."""

    _paths = field_validator("image_folder")(_inside)


class InteractionsDescription(_Section):
    """What the columns of an interactions (or split) file mean."""

    file: str | None = None
    columns: dict[str, str] = {}
    """From graphrec's name (user_id, item_id, timestamp, event, weight, rating, site) to the file's column."""
    events: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Weight of each event type; 0 leaves its rows out (counted), a type not listed is set aside. Empty: every event has weight 1."""
    minimum_rating: float | None = None
    """Rows with a lower rating are left out (counted); rows without a rating stay."""
    site: str | None = None
    """The site that all rows come from, where the file has no such column."""
    layout: Literal["table", "sequence"] = "table"
    """`table`: one row per event. `sequence`: one line per user: user id, then item ids, oldest first, separated by spaces."""


class SplitFile(_Section):
    """One fixed split: its interactions and, optionally, the items that may be ranked for it."""

    file: str
    candidates: str | None = None
    """A table with an item_id column: the pool. Not given: stated by the evaluator."""


class VectorsFile(_Section):
    """A user's own vectors in place of a modality: .npy with ids beside it, or a parquet table with columns id, vector."""

    file: str
    ids: str | None = None
    """For .npy: a table whose item_id (or only) column names each row's item."""


class DatasetDescription(_Section):
    """The whole of `dataset.yaml`. Every path is relative to the root: the folder itself, or --root."""

    name: str | None = None
    licence: str | None = None
    items: ItemsDescription | tuple[ItemsDescription, ...] = ItemsDescription()
    """One file, or several (one per site)."""
    interactions: InteractionsDescription | tuple[InteractionsDescription, ...] = InteractionsDescription()
    """One file, or several (one per site); column settings also hold for the split files (the first entry's)."""
    splits: dict[str, SplitFile] = {}
    """Fixed splits: `train` and at least one of `valid`, `test`, in place of `interactions`."""
    vectors: dict[str, VectorsFile] = {}
    """Modality name → own vectors; `image` and `text` take the place of CLIP's, other names stand beside them."""

    @field_validator("splits", mode="before")
    @classmethod
    def _split_by_name(cls, splits: object) -> object:
        if not isinstance(splits, dict):
            return splits
        return {name: {"file": value} if isinstance(value, str) else value for name, value in splits.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in self.splits:
            if name not in ("train", "valid", "test"):
                raise ValueError(f"unknown split {name!r}: expected train, valid or test")
        if self.splits and "train" not in self.splits:
            raise ValueError("fixed splits need a train file")
        return self

    @property
    def item_files(self) -> tuple[ItemsDescription, ...]:
        """The item sources as a tuple, one or several."""
        return self.items if isinstance(self.items, tuple) else (self.items,)

    @property
    def interaction_files(self) -> tuple[InteractionsDescription, ...]:
        """The interaction sources as a tuple, one or several."""
        return self.interactions if isinstance(self.interactions, tuple) else (self.interactions,)
