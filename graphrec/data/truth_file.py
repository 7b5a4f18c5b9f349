"""A held-out file brought from outside, for evaluating a model that is already fitted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.dataset import Dataset, SetAside, Split, Truth
from graphrec.data.description import InteractionsDescription
from graphrec.data.events import read_events
from graphrec.data.privacy.protection import Protection
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.table_format import TableFormat
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects
from graphrec.errors import GraphRecError


def read_truth(train: Dataset, path: Path, candidates_path: Path | None = None) -> tuple[Split, SetAside]:
    """The split of `train` against a file with columns user_id and item_id, and a pool from a file with item_id.

    The file may have the columns of the dataset's own interactions instead, and is read as those are: minimum rating,
    event types, prefixes, pseudonyms and consent. Users that the training data does not know get new indices, so that
    they can be counted as without history; rows with an unknown item are set aside. Raises GraphRecError where a file
    or column is missing or no row is usable.
    """
    collector = SetAsideCollector()
    description = _like_the_interactions(train).model_copy(update={"file": path.name})
    events = read_events(
        path.parent, description, train.catalogue, collector, is_held_out=True, section=None,
        protection=Protection.of(train.description, description),
    )  # fmt: skip
    user_id_E = to_objects(events.user_id_E)
    new_ids = np.array([one for one in dict.fromkeys(user_id_E) if one not in train.user_id_index], dtype=object)
    user_ids = np.concatenate([train.user_ids, new_ids])
    interactions = replace(train.interactions, num_users=len(user_ids))
    extended = replace(train, user_ids=user_ids, interactions=interactions)
    user_index_E = extended.user_id_index.get_indexer(pd.Index(user_id_E, dtype=object))
    pairs = np.unique(np.stack([user_index_E, events.item_index_E]), axis=1)
    candidates = None if candidates_path is None else _read_candidates(train, candidates_path, collector)
    return Split(extended, Truth(pairs[0], pairs[1], candidates)), collector.finish()


def _like_the_interactions(train: Dataset) -> InteractionsDescription:
    """What is said of the interactions files, where it is the same of all of them.

    Where they differ in whose rows may be read, or in the scope of the pseudonyms, it is what is said of the target
    site's file. Raises GraphRecError where there is no such file: neither may be guessed.
    """
    written = {"layout": "table", **{name: getattr(TableFormat(), name) for name in TableFormat.model_fields}}
    own = {"file": None, "site": None, **written}  # of one file, and not of what its columns mean
    if train.description.splits:
        return train.description.split_columns.model_copy(update=own)
    sources = train.description.interaction_files
    privacy = train.description.privacy
    scope = privacy.pseudonyms.scope if privacy.pseudonyms else None
    ways = [(source.consent or privacy.consent, source.pseudonym_scope or scope) for source in sources]
    if any(way != ways[0] for way in ways):
        here = [source for source in sources if source.site and source.site == train.target_site]
        if len(here) != 1:
            raise GraphRecError(
                "The interactions files differ in consent or pseudonym_scope, so nothing says how this file is to be "
                "read: train with target_site (in dataset.yaml) naming the site of one of them."
            )
        return here[0].model_copy(update=own)
    said = [{name: getattr(source, name) for name in InteractionsDescription.model_fields} for source in sources]
    shared = {name: value for name, value in (said[0] if said else {}).items() if all(value == s[name] for s in said)}
    return InteractionsDescription().model_copy(update=shared | own)


def _read_candidates(train: Dataset, path: Path, collector: SetAsideCollector) -> np.ndarray:
    table = read_table(path.parent, path.name, collector)
    require_rows(table, collector)
    column = next(iter(table.columns)) if len(table.columns) == 1 else "item_id"
    if column not in table.columns:
        raise GraphRecError(f"{path} has no column item_id (it has: {', '.join(table.columns)}).")
    index_N = train.catalogue.id_index.get_indexer(pd.Index(to_objects(table.columns[column]), dtype=object))
    sieve = Sieve(table, collector)
    sieve.set_aside(index_N < 0, column, "unknown item: not in the run's catalogue")
    sieve.require_rows()
    return np.unique(index_N[sieve.keep_N])
