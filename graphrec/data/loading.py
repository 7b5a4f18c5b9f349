"""A dataset folder as a `Dataset`: find the files, read them, give users and sites their indices."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from graphrec.data.catalogue import Catalogue
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.counts_file import read_counts
from graphrec.data.dataset import Dataset, Truth
from graphrec.data.description import DatasetDescription, InteractionsDescription, SplitFile
from graphrec.data.events import Events, concat_events, item_index_of, read_events, without_duplicates
from graphrec.data.finding import Sources, find_sources
from graphrec.data.interactions import Interactions
from graphrec.data.items import read_catalogue, read_items
from graphrec.data.locating import locate
from graphrec.data.own_vectors import read_own_vectors, require_one_model
from graphrec.data.privacy.item_logs import ItemLogs
from graphrec.data.privacy.protection import Protection
from graphrec.data.same_as_reading import read_same_as
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import factorize, to_strings
from graphrec.data.values import read_ids
from graphrec.errors import GraphRecError

_REPLACEABLE = ("image", "text")
"""Modalities that a user's own vectors take the place of."""


def load_dataset(path: Path, root: Path | None = None) -> Dataset:
    """Read a dataset folder, or a dataset.yaml whose paths start from `root` (default: the file's folder).

    Users have indices in order of first appearance: training data first, then the held-out files. Sites in order of
    appearance: items first. Raises GraphRecError with one line where a file, column or setting is missing or wrong, or
    no row of a file can be used; single bad rows go to `set_aside` and the rest is kept.
    """
    description, root, name = locate(path, root)
    sources = find_sources(root, description)
    collector = SetAsideCollector()
    _warn_of_near_misses(description, collector)
    _note_format(description, collector)
    held_out_files = [_as_held_out(sources, split) for split in sources.held_out.values()]
    logs = ItemLogs.protect(description, sources.items, (*sources.interactions, *held_out_files), collector)
    catalogue, item_rows = read_items(root, sources.items, collector, logs)
    same_as = read_same_as(root, description.same_as, catalogue, item_rows, collector)
    train = concat_events(
        [
            read_events(root, source, catalogue, collector, protection=Protection.of(description, source))
            for source in sources.interactions
        ]
    )
    train = without_duplicates(train, collector)
    held_out = {
        name: _read_held_out(root, description, sources, split, catalogue, collector)
        for name, split in sources.held_out.items()
    }
    user_codes, user_ids = _factorize_together([events.user_id_E for events in (train, *held_out.values())])
    site_names = _site_names(catalogue, train)
    dataset = Dataset(
        name=description.name or name,
        catalogue=catalogue,
        user_ids=user_ids,
        site_names=site_names,
        interactions=_interactions(train, user_codes[0], len(user_ids), len(catalogue), site_names),
        truths={
            name: _truth(events, code_E, _read_candidates(root, sources, sources.held_out[name], catalogue, collector))
            for (name, events), code_E in zip(held_out.items(), user_codes[1:], strict=True)
        },
        own_vectors={
            modality: read_own_vectors(
                root / source.file,
                None if source.ids is None else root / source.ids,
                collector,
                source.item_prefix,
                root,
            )
            for modality, source in description.vectors.items()
        },
        same_as=same_as,
        counts={
            site: _read_counts(root / file, site, catalogue, train, collector)
            for site, file in description.counts.items()
        },
        description=description,
    )
    require_one_model(dataset.own_vectors)
    return replace(dataset, set_aside=collector.finish()).for_site(description.target_site)


def _read_counts(
    path: Path, site: str, catalogue: Catalogue, train: Events, collector: SetAsideCollector
) -> CooccurrenceCounts:
    """By the catalogue's indices; items that it does not have are left out, and said so."""
    if site not in catalogue.site:
        have = ", ".join(dict.fromkeys(one for one in catalogue.site.tolist() if one)) or "no site is named"
        raise GraphRecError(f"counts: no items are of site {site!r} (they have: {have}).")
    if (catalogue.site[train.item_index_E] == site).any():
        raise GraphRecError(
            f"counts: the interactions hold a log of site {site!r} too, so its people would count twice; leave one out."
        )
    of_site = read_counts(path)
    if of_site.site not in ("", site):  # a dataset of one site need not name it
        raise GraphRecError(f"counts: {path} holds those of site {of_site.site!r}, not of {site!r}.")
    is_known_N = catalogue.id_index.get_indexer(pd.Index(of_site.item_ids, dtype=object)) >= 0
    if not is_known_N.any():
        raise GraphRecError(f"{path}: no items file has any of its items (the first is {of_site.item_ids[0]!r}).")
    if not is_known_N.all():
        unknown = int((~is_known_N).sum())
        collector.note(f"counts of {site}: {unknown:,} of {len(is_known_N):,} items are in no items file and left out")
    return of_site.placed(catalogue.id_index)


def load_catalogue(path: Path, root: Path | None, collector: SetAsideCollector) -> Catalogue:
    """Only the items of a dataset folder or dataset.yaml, such as new arrivals; its interactions need not exist."""
    description, root, _ = locate(path, root)
    sources = find_sources(root, description.model_copy(update={"interactions": (), "splits": {}}))
    own = [source for source in description.interaction_files if source.file is not None and source.consent is not None]
    logs = ItemLogs.protect(description, sources.items, own, collector)
    return read_catalogue(root, sources.items, collector, logs)


def _note_format(description: DatasetDescription, collector: SetAsideCollector) -> None:
    if description.format is None:
        return
    liked = {source.minimum_rating for source in description.interaction_files} - {None}
    ratings = f"; ratings from {liked.pop():g} on count as liking" if len(liked) == 1 else ""
    collector.note(
        f'the folder is read as {description.format}{ratings}; a dataset.yaml with "format: {description.format}" can '
        "say otherwise"
    )


def _warn_of_near_misses(description: DatasetDescription, collector: SetAsideCollector) -> None:
    for name in description.vectors:
        near = difflib.get_close_matches(name.lower(), _REPLACEABLE, n=1, cutoff=0.7)
        if near and name not in _REPLACEABLE:
            collector.warn(
                f"vectors: {name!r} stands beside CLIP's {near[0]} vectors, not in their place: did you mean {near[0]}?"
            )


def _read_held_out(
    root: Path,
    description: DatasetDescription,
    sources: Sources,
    split: SplitFile,
    catalogue: Catalogue,
    collector: SetAsideCollector,
) -> Events:
    source = _as_held_out(sources, split)
    protection = Protection.of(description, source)
    return read_events(root, source, catalogue, collector, is_held_out=True, protection=protection)


def _as_held_out(sources: Sources, split: SplitFile) -> InteractionsDescription:
    return sources.held_out_columns.model_copy(update={"file": split.file})


def _factorize_together(columns: Sequence[pa.Array]) -> tuple[list[np.ndarray], np.ndarray]:
    """Codes per column and the distinct values of all of them, in order of first appearance."""
    codes, distinct = factorize(pa.concat_arrays(columns))
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1]), distinct


def _site_names(catalogue: Catalogue, train: Events) -> tuple[str, ...]:
    _, distinct = factorize(pa.concat_arrays([to_strings(catalogue.site), train.site_E]))
    return tuple(site for site in distinct.tolist() if site)


def _interactions(
    train: Events, user_index_E: np.ndarray, num_users: int, num_items: int, site_names: tuple[str, ...]
) -> Interactions:
    site_code_E, sites = factorize(train.site_E)
    site_index = {name: index for index, name in enumerate(site_names)}
    index_of_code = np.array([site_index.get(site, -1) for site in sites], dtype=np.int64)
    return Interactions(
        num_users=num_users,
        num_items=num_items,
        user_index_E=user_index_E,
        item_index_E=train.item_index_E,
        weight_E=train.weight_E,
        timestamp_E=train.timestamp_E,
        site_index_E=index_of_code[site_code_E],
    )


def _truth(events: Events, user_index_E: np.ndarray, candidates: np.ndarray | None) -> Truth:
    """The distinct (user, item) pairs, in order of first appearance."""
    num_items = int(events.item_index_E.max()) + 1
    _, first = np.unique(user_index_E * num_items + events.item_index_E, return_index=True)
    rows = np.sort(first)
    return Truth(user_index_E[rows], events.item_index_E[rows], candidates)


def _read_candidates(
    root: Path, sources: Sources, split: SplitFile, catalogue: Catalogue, collector: SetAsideCollector
) -> np.ndarray | None:
    """Sorted item indices of the candidates file; ids that no items file has are set aside."""
    if split.candidates is None:
        return None
    table = read_table(root, split.candidates, collector)
    require_rows(table, collector)
    column = "item_id" if "item_id" in table.columns else sources.held_out_columns.columns.get("item_id", "item_id")
    column = next(iter(table.columns)) if len(table.columns) == 1 else column
    if column not in table.columns:
        raise GraphRecError(f"{table.file} has no column item_id (it has: {', '.join(table.columns)}).")
    index_N = item_index_of(read_ids(table, column, sources.held_out_columns.item_prefix, collector), catalogue)
    sieve = Sieve(table, collector)
    sieve.set_aside(index_N < 0, column, "unknown item: no items file has this id")
    sieve.require_rows()
    return np.unique(index_N[sieve.keep_N])
