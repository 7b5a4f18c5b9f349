"""What a dataset holds and what its owner should know before anything is trained."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from graphrec.data.dataset import Dataset, Truth
from graphrec.data.events import DUPLICATE
from graphrec.data.pictures import picture_problem, stays_inside
from graphrec.progress import Progress, silent

_MAX_NAMED = 10
_CLOCKS_DIFFER = timedelta(days=1)
_DEGREE_BINS = {"0": 0, "1-2": 2, "3-5": 5, "6-20": 20, ">20": np.inf}
"""Label → largest degree that it counts."""


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


def check(dataset: Dataset, verify_images: bool = True, progress: Progress = silent) -> CheckReport:
    """Count everything; look at every picture's header unless told not to. Never raises for what the data holds."""
    inter = dataset.interactions
    item_degree_I, user_degree_U = inter.item_degree(), inter.user_degree()
    num_pairs = int(item_degree_I.sum())
    size = inter.num_items * inter.num_users
    first, last = _time_range(inter.timestamp_E)
    report = CheckReport(
        name=dataset.name,
        items=inter.num_items,
        users=inter.num_users,
        events=len(inter),
        pairs=num_pairs,
        density=num_pairs / size if size else 0.0,
        cold_items=int((item_degree_I == 0).sum()),
        repeated_events=len(inter) - num_pairs,
        duplicate_events=dataset.set_aside.left_out.get(DUPLICATE, 0),
        sites=_sites(dataset),
        shared_users=_shared_users(dataset),
        item_degree=_histogram(item_degree_I),
        user_degree=_histogram(user_degree_U),
        first_event=first,
        last_event=last,
        events_without_time=int(np.isnan(inter.timestamp_E).sum()),
        events_in_the_future=int((inter.timestamp_E > (datetime.now(UTC) + _CLOCKS_DIFFER).timestamp()).sum()),
        items_without_content=int((~_has_content(dataset)).sum()),
        titles=_coverage(dataset.catalogue.title != ""),
        texts=_coverage(dataset.catalogue.text != ""),
        pictures=_pictures(dataset, verify_images, progress),
        attributes=_attribute_coverage(dataset),
        own_vectors={name: _coverage(_has_vector(dataset, name)) for name in dataset.own_vectors},
        unknown_vector_ids={name: _unknown_vector_ids(dataset, name) for name in dataset.own_vectors},
        splits=tuple(_split(name, truth, item_degree_I, user_degree_U) for name, truth in dataset.truths.items()),
        set_aside=tuple(SetAsideCount(file=f, reason=r, rows=n) for (f, r), n in dataset.set_aside.counts().items()),
        left_out=dataset.set_aside.left_out,
        notes=dataset.set_aside.notes,
        warnings=(),
    )
    return report.model_copy(update={"warnings": (*_warnings(report), *dataset.set_aside.warnings)})


def _histogram(degree: np.ndarray) -> dict[str, int]:
    edges = [-1, *_DEGREE_BINS.values()]
    counts = [int(((degree > low) & (degree <= high)).sum()) for low, high in pairwise(edges)]
    return dict(zip(_DEGREE_BINS, counts, strict=True))


def _coverage(has: np.ndarray) -> Coverage:
    return Coverage(items=int(has.sum()), share=float(has.mean()) if len(has) else 0.0)


def _time_range(timestamp_E: np.ndarray) -> tuple[str | None, str | None]:
    known = timestamp_E[~np.isnan(timestamp_E)]
    if not len(known):
        return None, None
    first, last = (
        datetime.fromtimestamp(moment, UTC).isoformat() for moment in (float(known.min()), float(known.max()))
    )
    return first, last


def _sites(dataset: Dataset) -> tuple[SiteCounts, ...]:
    inter = dataset.interactions
    counts = []
    for index, name in enumerate(dataset.site_names):
        is_here_E = inter.site_index_E == index
        counts.append(
            SiteCounts(
                name=name,
                items=int((dataset.catalogue.site == name).sum()),
                users=len(np.unique(inter.user_index_E[is_here_E])),
                events=int(is_here_E.sum()),
            )
        )
    return tuple(counts)


def _shared_users(dataset: Dataset) -> int:
    inter = dataset.interactions
    is_known_E = inter.site_index_E >= 0
    visits = pd.DataFrame(
        {"user": inter.user_index_E[is_known_E], "site": inter.site_index_E[is_known_E]}
    ).drop_duplicates()
    return int((visits["user"].value_counts() > 1).sum())


def _attribute_coverage(dataset: Dataset) -> dict[str, Coverage]:
    attributes = dataset.catalogue.attributes
    coverage = {name: _coverage(values != "") for name, values in attributes.categorical.items()}
    for name, lists in attributes.multi_valued.items():
        coverage[name] = _coverage(np.array([bool(values) for values in lists], dtype=bool))
    return coverage | {name: _coverage(~np.isnan(values)) for name, values in attributes.numeric.items()}


def _has_content(dataset: Dataset) -> np.ndarray:
    catalogue = dataset.catalogue
    has_I = (catalogue.text != "") | (catalogue.image != "")
    for values in catalogue.attributes.categorical.values():
        has_I |= values != ""
    for lists in catalogue.attributes.multi_valued.values():
        has_I |= np.array([bool(values) for values in lists], dtype=bool)
    for numbers in catalogue.attributes.numeric.values():
        has_I |= ~np.isnan(numbers)
    for name in dataset.own_vectors:
        has_I |= _has_vector(dataset, name)
    return has_I


def _has_vector(dataset: Dataset, modality: str) -> np.ndarray:
    own = pd.Index(dataset.own_vectors[modality].ids, dtype=object)
    return own.get_indexer(dataset.catalogue.id_index) >= 0


def _unknown_vector_ids(dataset: Dataset, modality: str) -> int:
    own = pd.Index(dataset.own_vectors[modality].ids, dtype=object)
    return int((dataset.catalogue.id_index.get_indexer(own) < 0).sum())


def _pictures(dataset: Dataset, verify: bool, progress: Progress) -> Pictures:
    catalogue = dataset.catalogue
    is_named_I = catalogue.image != ""
    if not verify or catalogue.image_root is None:
        usable = None if is_named_I.any() else _coverage(is_named_I)
        return Pictures(named=_coverage(is_named_I), usable=usable, problems={}, examples=())
    root = catalogue.image_root.resolve()
    is_usable_I = is_named_I.copy()
    problems: Counter[str] = Counter()
    examples: list[PictureProblem] = []
    for item in progress(np.flatnonzero(is_named_I).tolist(), "Looking at pictures"):
        path = catalogue.image_root / catalogue.image[item]
        problem = picture_problem(path) if stays_inside(root, path) else "leaves the dataset folder through a link"
        if problem is not None:
            is_usable_I[item] = False
            problems[problem] += 1
            if problems[problem] <= _MAX_NAMED:
                named = catalogue.image[item]
                examples.append(PictureProblem(item_id=catalogue.item_ids[item], path=named, problem=problem))
    return Pictures(
        named=_coverage(is_named_I),
        usable=_coverage(is_usable_I),
        problems=dict(problems.most_common()),
        examples=tuple(examples),
    )


def _split(name: str, truth: Truth, item_degree_I: np.ndarray, user_degree_U: np.ndarray) -> SplitCounts:
    users, items = np.unique(truth.user_index_P), np.unique(truth.item_index_P)
    return SplitCounts(
        name=name,
        pairs=len(truth.item_index_P),
        users=len(users),
        items=len(items),
        cold_items=int((item_degree_I[items] == 0).sum()),
        cold_pairs=int((item_degree_I[truth.item_index_P] == 0).sum()),
        new_users=int((user_degree_U[users] == 0).sum()),
        candidates=None if truth.candidates is None else len(truth.candidates),
    )


def _warnings(report: CheckReport) -> list[str]:
    return [
        *_content_warnings(report),
        *_interaction_warnings(report),
        *_split_warnings(report),
        *_row_warnings(report),
    ]


def _content_warnings(report: CheckReport) -> list[str]:
    lines = []
    pictures = report.pictures.usable or report.pictures.named
    for what, coverage in (("title", report.titles), ("text", report.texts), ("usable picture", pictures)):
        if coverage.items == 0:
            lines.append(f"No item has a {what}.")
        elif coverage.items < report.items:
            lines.append(
                f"{_percent(1 - coverage.share)} of the items have no {what} ({report.items - coverage.items})."
            )
    for problem, count in report.pictures.problems.items():
        named = [example.path for example in report.pictures.examples if example.problem == problem][:3]
        lines.append(f"{_count(count, 'picture', 'pictures')} cannot be used: {problem} (such as {', '.join(named)}).")
    if report.items_without_content:
        lines.append(
            f"{_count(report.items_without_content, 'item has', 'items have')} no picture, text, attribute or vector: "
            "while they are new, nothing tells them apart."
        )
    if not report.attributes:
        lines.append("The items have no attributes.")
    for name, coverage in report.own_vectors.items():
        if coverage.items < report.items:
            lines.append(
                f"{_percent(1 - coverage.share)} of the items "
                f"have no own {name} vector ({report.items - coverage.items})."
            )
        if report.unknown_vector_ids[name]:
            number = _count(report.unknown_vector_ids[name], "vector belongs", "vectors belong")
            lines.append(f"{number} to no item of the catalogue (own {name} vectors).")
    return lines


def _interaction_warnings(report: CheckReport) -> list[str]:
    if report.events == 0:
        return ["There are no interactions: nothing can be learned from people, only content search works."]
    lines = []
    if report.first_event is None:
        lines.append("There are no timestamps: a temporal split is not possible.")
    elif report.events_without_time:
        lines.append(f"{_count(report.events_without_time, 'event has', 'events have')} no timestamp.")
    if report.events_in_the_future:
        lines.append(
            f"{_count(report.events_in_the_future, 'event lies', 'events lie')} in the future, up to "
            f"{report.last_event}: is the unit or the time zone right?"
        )
    if report.user_degree["1-2"] + report.user_degree["0"] == report.users and report.pairs <= report.users:
        lines.append("Every user has one item at most: there is nothing to learn from what people take together.")
    touched = report.items - report.cold_items
    if report.pairs < 3 * touched:
        lines.append(f"Very sparse: {report.pairs / touched:.1f} users per item that has any.")
    if report.cold_items == 0 and not report.splits:
        lines.append("Every item has interactions; evaluation holds some of them out as new items.")
    if len(report.sites) > 1 and report.shared_users == 0:
        lines.append("No user has events on more than one site: only same_as links and content connect the sites.")
    return lines


def _split_warnings(report: CheckReport) -> list[str]:
    lines = []
    for split in report.splits:
        if split.cold_pairs == 0:
            lines.append(f"Split {split.name} has no pair on a new item: it cannot measure cold start.")
        if split.new_users:
            lines.append(f"Split {split.name}: {split.new_users} of {split.users} users have no training event.")
    return lines


def _row_warnings(report: CheckReport) -> list[str]:
    rows: Counter[str] = Counter()
    for count in report.set_aside:
        rows[count.file] += count.rows
    return [
        f"{_count(number, 'problem', 'problems')} in {file}: see set_aside for rows and reasons."
        for file, number in rows.items()
    ]


def _percent(share: float) -> str:
    if share < 0.005:
        return "Less than 1 %"
    return "More than 99 %" if share > 0.995 else f"{100 * share:.0f} %"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
