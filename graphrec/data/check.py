"""What a dataset holds and what its owner should know before anything is trained."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd

from graphrec.data.check_report import (
    CheckReport,
    Coverage,
    LinkedSites,
    PictureProblem,
    Pictures,
    SetAsideCount,
    SiteCounts,
    SplitCounts,
)
from graphrec.data.check_warnings import warnings_of
from graphrec.data.dataset import Dataset, Truth
from graphrec.data.events import DUPLICATE
from graphrec.data.pictures import picture_problem, stays_inside
from graphrec.data.site_agreement import disagreements
from graphrec.progress import Progress, silent

_MAX_NAMED = 10
_CLOCKS_DIFFER = timedelta(days=1)
_DEGREE_BINS = {"0": 0, "1-2": 2, "3-5": 5, "6-20": 20, ">20": np.inf}
"""Label → largest degree that it counts."""


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
        linked=_linked(dataset),
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
    return report.model_copy(
        update={"warnings": (*warnings_of(report), *disagreements(dataset), *dataset.set_aside.warnings)}
    )


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
                texts=int(((dataset.catalogue.site == name) & (dataset.catalogue.text != "")).sum()),
            )
        )
    return tuple(counts)


def _linked(dataset: Dataset) -> tuple[LinkedSites, ...]:
    site_I, same_as = dataset.catalogue.site, dataset.same_as
    pairs = Counter(tuple(sorted(both)) for both in zip(site_I[same_as.left_P], site_I[same_as.right_P], strict=True))
    return tuple(LinkedSites(one=one, other=other, pairs=number) for (one, other), number in pairs.most_common())


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
