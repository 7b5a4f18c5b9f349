"""What `graphrec check` says about a dataset, as data."""

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coverage(_Part):
    """How many items a modality says something about."""

    items: int
    share: float


class PictureProblem(_Part):
    """One picture that cannot be used."""

    item_id: str
    path: str
    problem: str


class Pictures(_Part):
    """The state of the picture files; `usable` is None where they were not looked at."""

    named: Coverage
    usable: Coverage | None
    problems: dict[str, int]
    """Problem → number of items."""
    examples: tuple[PictureProblem, ...]
    """The first few of each problem."""


class SiteCounts(_Part):
    """One site's part of the dataset."""

    name: str
    items: int
    users: int
    events: int
    texts: int
    """Items with a text."""


class LinkedSites(_Part):
    """What `same_as` says of two sites."""

    one: str
    other: str
    pairs: int


class SplitCounts(_Part):
    """One fixed held-out split."""

    name: str
    pairs: int
    users: int
    items: int
    cold_items: int
    cold_pairs: int
    """Pairs whose item has no edge in the training data."""
    new_users: int
    """Users without any event in the training data."""
    candidates: int | None


class SetAsideCount(_Part):
    """Rows of one file set aside for one reason."""

    file: str
    reason: str
    rows: int


class CheckReport(_Part):
    """Everything `graphrec check` prints."""

    name: str
    items: int
    users: int
    events: int
    pairs: int
    """Distinct (user, item) pairs."""
    density: float
    """pairs / (items × users); 0 where either is none."""
    cold_items: int
    """Items without any event."""
    repeated_events: int
    """Events beyond the first of their (user, item) pair."""
    duplicate_events: int
    """Exact repetitions that were left out while reading."""
    sites: tuple[SiteCounts, ...]
    shared_users: int
    """Users with events on more than one site."""
    linked: tuple[LinkedSites, ...]
    """Pairs of sites of which any items are one product, most pairs first."""
    item_degree: dict[str, int]
    """Distinct users of an item → number of items."""
    user_degree: dict[str, int]
    """Distinct items of a user → number of users."""
    first_event: str | None
    last_event: str | None
    """ISO, UTC; None without timestamps."""
    events_without_time: int
    events_in_the_future: int
    items_without_content: int
    """Items without picture, text, attribute or own vector."""
    titles: Coverage
    texts: Coverage
    pictures: Pictures
    attributes: dict[str, Coverage]
    own_vectors: dict[str, Coverage]
    unknown_vector_ids: dict[str, int]
    """Modality → own vectors whose id is not in the catalogue."""
    splits: tuple[SplitCounts, ...]
    set_aside: tuple[SetAsideCount, ...]
    left_out: dict[str, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
