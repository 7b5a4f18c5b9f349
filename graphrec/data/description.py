"""`dataset.yaml`: how a folder's files map to items and interactions, so that none has to be rewritten."""

import re
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, FiniteFloat, Tag, field_validator, model_validator

from graphrec.data.normalise.settings import NormaliseSettings
from graphrec.data.privacy.settings import ConsentSettings, PrivacySettings, Scope
from graphrec.data.same_as_description import KEY_COLUMNS, SameAsDescription
from graphrec.data.section import Section, inside_root
from graphrec.data.sites.format_name import FormatName
from graphrec.data.sites.site_folder import SiteFolder, SiteName
from graphrec.data.table_format import TableFormat

ITEM_COLUMNS = ("item_id", "title", "description", "image", "site", *KEY_COLUMNS)
ITEM_ID = re.compile(r"\{item_id(?:\[:([1-9])\])?\}")
"""In `image_name`: the id, or its first letters."""
INTERACTION_COLUMNS = ("user_id", "item_id", "timestamp", "event", "weight", "rating", "site")


def _known_names(columns: dict[str, str], known: tuple[str, ...]) -> dict[str, str]:
    for name in columns:
        if name not in known:
            raise ValueError(
                f"{name!r} is not one of {', '.join(known)} (write graphrec's name first, the file's second)"
            )
    return columns


class ItemsDescription(NormaliseSettings, TableFormat):
    """Where the items are and what their columns mean."""

    file: str | None = None
    """Path below the root; found by its usual name (items.parquet, .csv, .jsonl, .item) where not given."""
    columns: dict[str, str] = Field(default_factory=dict)
    """From graphrec's name (item_id, title, description, image, site, and the keys product_key, gtin, url, asin) to the
    file's column."""
    text: tuple[str, ...] | None = None
    """Columns a text encoder reads, in order. Not given: title and description, those that exist."""
    categorical: tuple[str, ...] | None = None
    """Columns with one value out of few. None of the three attribute lists given: guessed, and said so."""
    multi_valued: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Column → separator of a list of values, such as {genres: "|"}."""
    numeric: tuple[str, ...] = ()
    image_folder: str = "."
    """Folder below the root that the image column's paths start from."""
    image_name: str | None = None
    """For a file without an image column: what an item's picture is called in `image_folder`, such as `{item_id}.jpg`
    (or `{item_id[:3]}/{item_id}.jpg`: folders by first letters). An item without such a file has no picture."""
    site: str | None = None
    """The site that all items come from, where the file has no such column."""
    item_prefix: str = ""
    """Put before every item id of this file, so that two sites may use the same ids for different items."""
    layout: Literal["table", "lines", "log", "u.item", "json-ld"] = "table"
    """`table`: one row per item, columns by name. `lines`: item id, one space, its text; no header. `log`: rows of
    interactions, of which every item counts once. `u.item`: as in MovieLens-100k. `json-ld`: schema.org Products, in
    one file or a folder of pages."""

    _paths = field_validator("file", "image_folder")(inside_root)

    @field_validator("columns")
    @classmethod
    def _columns(cls, columns: dict[str, str]) -> dict[str, str]:
        return _known_names(columns, ITEM_COLUMNS)

    @field_validator("image_name")
    @classmethod
    def _image_name(cls, name: str | None) -> str | None:
        if name is not None and not ITEM_ID.search(name):
            raise ValueError(f"expected a file name with {{item_id}} in it, got {name!r}")
        return name

    @model_validator(mode="after")
    def _one_kind_each(self) -> Self:
        names = [*(self.categorical or ()), *self.multi_valued, *self.numeric]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"attribute {name!r} is listed twice among categorical, multi_valued and numeric")
        return self

    @property
    def lists_attributes(self) -> bool:
        """Whether any of the three attribute lists is given; if not, attributes are guessed."""
        return self.categorical is not None or bool(self.multi_valued) or bool(self.numeric)


class InteractionsDescription(NormaliseSettings, TableFormat):
    """What the columns of an interactions (or split) file mean."""

    file: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    """From graphrec's name (user_id, item_id, timestamp, event, weight, rating, site) to the file's column."""
    events: dict[str, Annotated[FiniteFloat, Field(ge=0)]] = Field(default_factory=dict)
    """Weight of each event type; 0 leaves its rows out (counted), a type not listed is set aside. Empty: all are 1."""
    minimum_rating: FiniteFloat | None = None
    """Rows with a lower rating are left out (counted); rows without a rating stay."""
    site: str | None = None
    """The site that all rows come from, where the file has no such column."""
    item_prefix: str = ""
    """Put before every item id of this file; the same as in its site's items."""
    user_prefix: str = ""
    """Put before every user id of this file, so that two sites may use the same ids for different people."""
    pseudonym_scope: Scope | None = None
    """In place of the scope under `privacy:`, so that nobody can tell who of this file is who in another."""
    consent: ConsentSettings | None = None
    """In place of the one under `privacy:`."""
    layout: Literal["table", "sequence"] = "table"
    """`table`: one row per event. `sequence`: one line per user: user id, then item ids, oldest first, with spaces."""

    _paths = field_validator("file")(inside_root)

    @field_validator("columns")
    @classmethod
    def _columns(cls, columns: dict[str, str]) -> dict[str, str]:
        return _known_names(columns, INTERACTION_COLUMNS)


class SplitFile(Section):
    """One fixed split: its interactions and, optionally, the items that may be ranked for it."""

    file: str
    candidates: str | None = None
    """A table with an item_id column: the pool. Not given: stated by the evaluator."""

    _paths = field_validator("file", "candidates")(inside_root)


class VectorsFile(Section):
    """A user's own vectors in place of a modality; every layout is in `own_vectors.read_own_vectors`."""

    file: str
    """A file, or a folder that `graphrec export` or clip-retrieval wrote."""
    ids: str | None = None
    """For .npy and FAISS: a table whose item_id, id (or only) column names each row's item. For clip-retrieval: the
    folder of its metadata, where it does not lie beside."""
    item_prefix: str = ""
    """Put before every id of this file; the same as in its site's items."""
    clip: str | None = None
    """For image and text: the CLIP that made the vectors, as `--clip` names it. Texts and pictures can then be searched
    for; without it, only items like given ones."""

    _paths = field_validator("file", "ids")(inside_root)


def _one_or_several(value: object) -> str:
    return "(several)" if isinstance(value, (list, tuple)) else "(one)"


# Choosing by the shape of the value gives one error per mistake, not one per member of a union.
_Items = Annotated[
    Annotated[ItemsDescription, Tag("(one)")] | Annotated[tuple[ItemsDescription, ...], Tag("(several)")],
    Discriminator(_one_or_several),
]
_InteractionFiles = Annotated[
    Annotated[InteractionsDescription, Tag("(one)")] | Annotated[tuple[InteractionsDescription, ...], Tag("(several)")],
    Discriminator(_one_or_several),
]


class DatasetDescription(Section):
    """The whole of `dataset.yaml`. Every path is relative to the root: the folder itself, or --root."""

    format: FormatName | None = None
    """How the folder is laid out, as others publish it; not given: told by its files. What is said beside it about
    `items` and `interactions` counts for every file of the format."""
    sites: dict[SiteName, SiteFolder] = Field(default_factory=dict)
    """In place of items, interactions, splits and vectors: a folder per site, each described by itself."""
    name: str | None = None
    licence: str | None = None
    items: _Items = ItemsDescription()
    """One file, or several (one per site)."""
    interactions: _InteractionFiles = InteractionsDescription()
    """One file, or several (one per site). An empty list: a catalogue alone. Beside `splits`, an entry without a file
    says what the columns of the split files mean, and one with a file is the log of another site, for training."""
    splits: dict[str, SplitFile] = Field(default_factory=dict)
    """Fixed splits: `train` and at least one of `valid`, `test`; of one site where there are several."""
    vectors: dict[str, VectorsFile] = Field(default_factory=dict)
    """Modality name → own vectors; `image` and `text` take the place of CLIP's, other names stand beside them."""
    same_as: SameAsDescription | None = None
    """What says that items of different sites are one product; not given: nothing does."""
    target_site: SiteName | None = None
    """The site whose items are recommended, with the other sites' help; not given: all items of all sites are."""
    counts: dict[SiteName, str] = Field(default_factory=dict)
    """Other site → the file of counts that `graphrec sites counts` wrote there, in place of its log."""
    privacy: PrivacySettings = PrivacySettings()
    """Pseudonyms in place of user ids, and the column that says who agreed; not given: neither."""

    @field_validator("counts")
    @classmethod
    def _counts_inside(cls, counts: dict[str, str]) -> dict[str, str]:
        for path in counts.values():
            inside_root(path)
        return counts

    @field_validator("splits", mode="before")
    @classmethod
    def _split_by_name(cls, splits: object) -> object:
        if not isinstance(splits, dict):
            return splits
        return {name: {"file": value} if isinstance(value, str) else value for name, value in splits.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        beside = self.model_fields_set & {"format", "items", "interactions", "splits", "vectors"}
        if self.sites and beside:
            raise ValueError(
                f"sites stand in place of {', '.join(sorted(beside))}; say those in each site's description"
            )
        if self.target_site in self.counts:
            raise ValueError(f"counts: {self.target_site!r} is the target_site; they are for other sites")
        for name in self.splits:
            if name not in ("train", "valid", "test"):
                raise ValueError(f"unknown split {name!r}: expected train, valid or test")
        if self.splits and "train" not in self.splits:
            raise ValueError("fixed splits need a train file")
        if self.splits:
            self._check_beside_splits()
        if not self.item_files:
            raise ValueError("items: expected at least one file")
        if self.privacy.pseudonyms is None and any(source.pseudonym_scope for source in self.interaction_files):
            raise ValueError("pseudonym_scope says nothing without privacy: {pseudonyms: ...}")
        for key, files in (("items", self.item_files), ("interactions", self.interaction_files)):
            if len(files) > 1 and not self.splits and any(source.file is None for source in files):
                raise ValueError(f"{key}: each of several entries needs its file")
        return self

    def _check_beside_splits(self) -> None:
        """A log beside split files must be of another site, or it may hold what they hold out."""
        without_file = [source for source in self.interaction_files if source.file is None]
        if len(without_file) > 1:
            raise ValueError("interactions: beside splits, one entry without a file describes the split files")
        for source in self.other_logs:
            if source.site is None:
                raise ValueError(
                    f"splits stand in place of interactions: {source.file} beside them must be the log of another "
                    'site, and say which ("site: <name>"); or give interactions.file or splits, not both'
                )
            if source.site in {split.site for split in without_file}:
                raise ValueError(f"interactions: {source.file} and the splits are both of site {source.site!r}")

    @property
    def split_columns(self) -> InteractionsDescription:
        """What the columns of the split files mean."""
        return next((source for source in self.interaction_files if source.file is None), InteractionsDescription())

    @property
    def other_logs(self) -> tuple[InteractionsDescription, ...]:
        """Beside split files: the logs of other sites."""
        return tuple(source for source in self.interaction_files if source.file is not None)

    @property
    def sources_as_read(self) -> tuple[InteractionsDescription, ...]:
        """What all files with users are read as: the interactions, or the split files and the logs beside them."""
        return (self.split_columns, *self.other_logs) if self.splits else self.interaction_files

    @property
    def item_files(self) -> tuple[ItemsDescription, ...]:
        """The item sources as a tuple, one or several."""
        return self.items if isinstance(self.items, tuple) else (self.items,)

    @property
    def interaction_files(self) -> tuple[InteractionsDescription, ...]:
        """The interaction sources as a tuple, one or several."""
        return self.interactions if isinstance(self.interactions, tuple) else (self.interactions,)
