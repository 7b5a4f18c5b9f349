"""A dataset in memory, its held-out part, and the splits that keep cold items out of training."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.description import DatasetDescription
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError


@dataclass(frozen=True)
class Truth:
    """What held-out users really touched, for one evaluation: P distinct (user, item) pairs.

    `candidates` are the item indices that the file named as the pool, sorted; None where none were named.
    """

    user_index_P: np.ndarray
    item_index_P: np.ndarray
    candidates: np.ndarray | None = None


@dataclass(frozen=True)
class SetAside:
    """Rows that could not be used (one line each) and rows left out on purpose (counted by reason)."""

    rows: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["file", "row", "column", "value", "reason"])
    )
    """`row` counts data rows from 1, as a person reading the file would (its header not counted)."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason → number of rows that the description asked to leave out, such as a rating below the minimum."""
    notes: tuple[str, ...] = ()
    """Things a user should know that cost no row, such as columns guessed to be attributes."""
    warnings: tuple[str, ...] = ()
    """Things that a user should look at: they cost no row either, but may make the result wrong."""

    def counts(self) -> dict[tuple[str, str], int]:
        """(file, reason) → number of rows set aside."""
        counted = self.rows.groupby(["file", "reason"], sort=True).size().reset_index(name="rows")
        return {(str(file), str(reason)): int(rows) for file, reason, rows in counted.itertuples(index=False)}

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class OwnVectors:
    """A user's vectors for one modality as read, not yet joined: row r of `x_RF` belongs to item `ids[r]`."""

    ids: np.ndarray
    x_RF: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Items, users and what the users did. Indices everywhere address `catalogue` and `user_ids`."""

    name: str
    catalogue: Catalogue
    user_ids: np.ndarray
    site_names: tuple[str, ...]
    interactions: Interactions
    truths: dict[str, Truth] = field(default_factory=dict)
    """Fixed held-out splits that came as files: `valid`, `test`."""
    own_vectors: dict[str, OwnVectors] = field(default_factory=dict)
    set_aside: SetAside = field(default_factory=SetAside)
    description: DatasetDescription = field(default_factory=DatasetDescription)

    @classmethod
    def load(cls, path: str | Path, root: str | Path | None = None) -> "Dataset":
        """Read a dataset folder, or a dataset.yaml whose paths start from `root` (default: the file's folder).

        Raises GraphRecError with one line where a file, column or setting is missing or wrong; single bad rows go to
        `set_aside` and the rest is kept.
        """
        from graphrec.data.loading import load_dataset

        return load_dataset(Path(path), None if root is None else Path(root))

    @cached_property
    def user_id_index(self) -> pd.Index:
        """User ids as a pandas Index: `get_indexer(ids)` gives user indices, -1 where unknown."""
        return pd.Index(self.user_ids, dtype=object)

    def split_cold_items(self, fraction: float = 0.2, seed: int = 0, warm_fraction: float = 0.0) -> "Split":
        """Hold out a random `fraction` of the items that have interactions, whole, and some edges of the others.

        Every event of a held-out (cold) item leaves the training data. Of the remaining distinct (user, item) pairs a
        random `warm_fraction` is held out too, so that warm and full pools can be evaluated. Nothing leaves a user or
        an item without any training edge for the sake of the warm hold-out: the first pair (in random order) of each
        user and each warm item stays.
        """
        if not 0 < fraction < 1 or not 0 <= warm_fraction < 1:
            raise GraphRecError(
                f"Expected a cold fraction in (0, 1) and a warm fraction in [0, 1), got {fraction} and {warm_fraction}."
            )
        rng = np.random.default_rng(seed)
        degree_I = self.interactions.item_degree()
        touched = np.flatnonzero(degree_I)
        if not len(touched):
            raise GraphRecError(
                f"Dataset {self.name!r} has no interactions: there is nothing to learn from; only encode works on it."
            )
        num_cold = round(fraction * len(touched))
        if num_cold == 0 or num_cold == len(touched):
            raise GraphRecError(
                f"Cannot hold out {fraction:.0%} of {len(touched)} items with interactions: "
                "at least one is needed on each side."
            )
        is_cold_I = np.zeros(len(degree_I), dtype=bool)
        is_cold_I[rng.choice(touched, num_cold, replace=False)] = True
        pairs = self.interactions.user_item_matrix().tocoo()
        is_held_P = is_cold_I[pairs.col]
        is_held_P |= _warm_holdout(pairs.row, pairs.col, ~is_held_P, warm_fraction, rng)
        return self._without(pairs.row[is_held_P], pairs.col[is_held_P])

    def fixed_split(self, name: str = "valid") -> "Split":
        """The split that came as files: train on `interactions`, truth from the named file."""
        if name not in self.truths:
            have = ", ".join(self.truths) or "none"
            raise GraphRecError(f"Dataset {self.name!r} has no split {name!r} (it has: {have}).")
        return Split(train=self, truth=self.truths[name])

    def with_truths_learned(self) -> "Dataset":
        """The held-out splits as interactions of weight 1, without time or site, beside those of the training file."""
        inter = self.interactions
        pairs = [np.stack([truth.user_index_P, truth.item_index_P]) for truth in self.truths.values()]
        user_index_P, item_index_P = np.unique(np.concatenate(pairs, axis=1), axis=1)
        added = Interactions.from_pairs(user_index_P, item_index_P, inter.num_users, inter.num_items)
        joined = Interactions(
            num_users=inter.num_users,
            num_items=inter.num_items,
            user_index_E=np.concatenate([inter.user_index_E, added.user_index_E]),
            item_index_E=np.concatenate([inter.item_index_E, added.item_index_E]),
            weight_E=np.concatenate([inter.weight_E, added.weight_E]),
            timestamp_E=np.concatenate([inter.timestamp_E, added.timestamp_E]),
            site_index_E=np.concatenate([inter.site_index_E, added.site_index_E]),
        )
        return replace(self, interactions=joined, truths={})

    def _without(self, user_index_P: np.ndarray, item_index_P: np.ndarray) -> "Split":
        inter = self.interactions
        key = inter.user_index_E * inter.num_items + inter.item_index_E
        held = np.isin(key, user_index_P.astype(np.int64) * inter.num_items + item_index_P)
        train = replace(self, interactions=inter.take(~held), truths={})
        return Split(train, Truth(user_index_P.astype(np.int64), item_index_P.astype(np.int64)))


@dataclass(frozen=True)
class Split:
    """Training data and what was held out of it. `train` keeps the whole catalogue and all user ids."""

    train: Dataset
    truth: Truth

    @cached_property
    def cold_items(self) -> np.ndarray:
        """Indices of items without an edge in training, sorted; whether or not the truth holds them."""
        return np.flatnonzero(self.train.interactions.item_degree() == 0)


def _warm_holdout(
    user_P: np.ndarray, item_P: np.ndarray, is_open_P: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """A random mask over the open pairs that leaves every user and every item at least one of them."""
    held_P = np.zeros(len(user_P), dtype=bool)
    order = rng.permutation(np.flatnonzero(is_open_P))
    if fraction == 0 or not len(order):
        return held_P
    is_first = np.zeros(len(order), dtype=bool)
    is_first[np.unique(user_P[order], return_index=True)[1]] = True
    is_first[np.unique(item_P[order], return_index=True)[1]] = True
    held_P[order[~is_first][: round(fraction * len(order))]] = True
    return held_P
