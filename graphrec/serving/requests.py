"""What a request may hold. The same fields stand in JSON, in a form with pictures, and in a query string."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graphrec.serving.limits import (
    MAX_CONDITIONS,
    MAX_EVENTS,
    MAX_ID_CHARACTERS,
    MAX_IDS,
    MAX_ITEMS,
    MAX_K,
    MAX_TEXT_CHARACTERS,
    MAX_TEXTS,
)

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Texts = Annotated[list[Text], Field(max_length=MAX_TEXTS)]
Conditions = Annotated[list[Text], Field(max_length=MAX_CONDITIONS)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Filtered(_Request):
    k: int = Field(default=20, ge=1, le=MAX_K)
    """How many items."""
    only_new: bool = False
    """Only items that nobody has touched yet."""
    site: Conditions = []
    """Only items of these sites."""
    where: Conditions = []
    """Only items that meet all of these: "category=shoes|boots", "price=10..50"."""
    exclude: Ids = []
    """Ids of items to leave out; an unknown one is left out anyway."""


class RecommendRequest(_Filtered):
    """For whom to recommend: a user, or a visitor with items, texts or pictures of products; without any, what is
    popular.
    """

    user_id: Id | None = None
    item_ids: Ids = []
    """A visitor's items, of any site."""
    texts: Texts = []
    """Products that the visitor liked elsewhere, in words."""
    include_seen: bool = False
    """Also items that the user has touched."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.user_id is not None and (self.item_ids or self.texts):
            raise ValueError("give user_id, or item_ids, texts and pictures, not both")
        return self


class SearchRequest(_Filtered):
    """What to look for: texts, pictures, items, or any mix of them."""

    text: Texts = []
    items: Ids = []
    """More like these; they are left out of the answer."""
    but: Texts = []
    """What should differ from the pictures or items: "red"."""
    without: Texts = []
    """What there should be less of."""
    weights: Annotated[str, Field(max_length=100)] | None = None
    """"text=0.9,image=0.1", "equal" or "learned"."""
    rerank: Annotated[int, Field(ge=1, le=100_000)] | Literal["none"] | None = None
    """Candidates that the weights put in order; "none": a single stage."""


Value = str | int | float | bool | list[str] | None


class Item(BaseModel):
    """A row as it would stand in items.jsonl: the id, and columns by the names that the run was trained on.

    `image` names one of the uploaded files. A column that is not there, or null, is missing.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Annotated[str, Field(max_length=MAX_ID_CHARACTERS)], Value]

    item_id: Id

    def row(self) -> dict[str, Any]:
        """As the library reads it, without the picture's name."""
        return {name: value for name, value in self.model_dump().items() if name != "image"}

    @property
    def image(self) -> str | None:
        """The name of its picture among the uploaded files."""
        named = (self.__pydantic_extra__ or {}).get("image")
        return None if named is None else str(named)


Items = Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS)]


class RemoveRequest(_Request):
    """Items that nobody shall be shown any longer."""

    item_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_ITEMS)]


class Event(_Request):
    """What somebody did, as it would stand in interactions.jsonl."""

    user_id: Id
    item_id: Id
    timestamp: int | float | Annotated[str, Field(max_length=64)] | None = None
    """Seconds since 1970, or a date and time such as 2026-03-01T12:00:00Z."""
    event: Annotated[str, Field(max_length=100)] | None = None
    """Its type, where the dataset has several."""
    weight: float | None = None
    rating: float | None = None
    site: Annotated[str, Field(max_length=MAX_ID_CHARACTERS)] | None = None

    def row(self) -> dict[str, Any]:
        """As the library reads it."""
        return self.model_dump(exclude_none=True)


Events = Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]
