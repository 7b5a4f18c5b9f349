"""A dataset in memory, its held-out part, and the splits that keep cold items out of training."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from graphrec.data.catalogue import Catalogue
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.description import DatasetDescription
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs, product_nodes
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
    model_version: str | None = None
    """Of the graphrec model that they were exported from; None: they come from elsewhere."""


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
    same_as: SameAs = field(default_factory=SameAs.none)
    """Items of different sites that are one product."""
    counts: dict[str, CooccurrenceCounts] = field(default_factory=dict)
    """Other site → what it tells of its log in place of it: how many people its items have and share."""
    target_site: str | None = None
    """The site whose items are recommended: the others only help. None: all items of all sites are."""
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

    def for_site(self, site: str | None) -> "Dataset":
        """The same data, of which the items of this site are recommended; raises GraphRecError where it has none.

        Where else an item is sold becomes an attribute of it, `sold on <site>`: a site that leaves out what few want
        tells something about what it sells and what it does not, whether or not anybody touched it there.
        """
        if site is not None and site not in self.catalogue.site:
            have = ", ".join(self.site_names) or "no site is named"
            raise GraphRecError(f"Dataset {self.name!r} has no items of site {site!r} (it has: {have}).")
        catalogue = self.catalogue.with_offers(self.same_as.sites_beside(self.catalogue.site, site))
        return replace(self, catalogue=catalogue, target_site=site)

    def with_borrowed_log(self) -> "Dataset":
        """The same data; before its first day, what others did with products that the site sells counts as its own.

        That is so where the target site has items but no event: there is nothing else to learn from. Those events then
        stand at the target's items, and no longer at those of their own sites.
        """
        inter = self.interactions
        if self.target_site is None or not len(inter) or self.is_served_I[inter.item_index_E].any():
            return self
        node_I = product_nodes(self.same_as, self.is_served_I)
        return replace(self, interactions=replace(inter, item_index_E=node_I[inter.item_index_E]))

    @cached_property
    def is_served_I(self) -> np.ndarray:
        """Boolean mask of the items that are recommended: those of the target site, or all."""
        if self.target_site is None:
            return np.ones(len(self.catalogue), dtype=bool)
        return (self.catalogue.site == self.target_site).astype(bool)

    @cached_property
    def own_interactions(self) -> Interactions:
        """What was done on the target site: the events of the items that are recommended."""
        if self.target_site is None:
            return self.interactions
        return self.interactions.take(self.is_served_I[self.interactions.item_index_E])

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
        from graphrec.data.splits.items import split_cold_items

        return split_cold_items(self, fraction, seed, warm_fraction)

    def cold_item_folds(self, num_folds: int = 5, seed: int = 0) -> list["Split"]:
        """Splits in which every item with interactions is cold exactly once; sizes differ by at most one item."""
        from graphrec.data.splits.items import cold_item_folds

        return cold_item_folds(self, num_folds, seed)

    def split_by_time(self, fraction: float = 0.2, date: datetime | str | None = None) -> "Split":
        """Hold out everything from one moment on, and with it whole the items that nobody had touched before.

        The moment is `date` (UTC where no zone is named), or the birth (first interaction) from which on about
        `fraction` of the items with interactions are born. Nothing at or after it is learned from, of whichever item:
        a random split lets a model learn today from tomorrow (Ji et al. 2020, "A critical study on data leakage in
        recommender system offline evaluation"). The truth holds all later pairs, of cold and warm items, but those that
        were touched before as well. Events without a time can be placed on neither side: they leave, and are counted in
        `train.set_aside.left_out`.

        Raises GraphRecError where no event has a time, the date lies outside the log, or no item is born after it.
        """
        from graphrec.data.splits.time import split_by_time

        return split_by_time(self, fraction, date)

    def split_cold_users(self, fraction: float = 0.2, visible: float = 0.8, seed: int = 0) -> "Split":
        """Hold out a random `fraction` of the users with at least two items, whole; training sees nothing of them.

        A random share `visible` of each one's items (at least one, never all) is what an evaluation encodes them from,
        and the rest is what they are judged by: strong generalisation, as Liang et al. 2018 ("Variational autoencoders
        for collaborative filtering") measure it. An item that only such users touched is cold then.
        """
        from graphrec.data.splits.users import split_cold_users

        return split_cold_users(self, fraction, visible, seed)

    def split_visitors(self, fraction: float = 0.5, seed: int = 0) -> "Split":
        """Hold out a random `fraction` of the users of the target site who are also known elsewhere, whole.

        An evaluation encodes them from what they did on other sites, and judges by what they did on this one: what a
        site can know on a visitor's first day. Training sees nothing of them. The others keep both histories and tie
        the sites together. Raises GraphRecError without a target site or without such users.
        """
        from graphrec.data.splits.visitors import split_visitors

        return split_visitors(self, fraction, seed)

    def split_site(self, visible: float = 0.8, seed: int = 0) -> "Split":
        """Leave the target site's whole log out: what it could know from the other sites before its first day.

        Its users with at least two items are encoded from a random share `visible` of theirs and judged by the rest.
        """
        from graphrec.data.splits.visitors import split_site

        return split_site(self, visible, seed)

    def split_warm_pairs(self, fraction: float = 0.1, seed: int = 0) -> "Split":
        """Hold out a random `fraction` of the (user, item) pairs; every user and every item keeps at least one."""
        from graphrec.data.splits.pairs import split_warm_pairs

        return split_warm_pairs(self, fraction, seed)

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


@dataclass(frozen=True)
class Split:
    """Training data and what was held out of it. `train` keeps the whole catalogue and all user ids."""

    train: Dataset
    truth: Truth
    visible: Interactions | None = None
    """What an evaluation may know of users that training never saw, of weight 1; None where it knows them all."""
    cutoff: float | None = None
    """Seconds since 1970: nothing from then on is in `train`; None where the split is not by time."""
    is_disjoint: bool = False
    """Whether what is held out or shown was taken out of the log that `train` is the rest of, so that no pair of it may
    be there. A truth that came as a file may repeat known pairs, which do not count."""

    @cached_property
    def cold_items(self) -> np.ndarray:
        """Indices of items without an edge in training, sorted; whether or not the truth holds them."""
        return np.flatnonzero(self.train.interactions.item_degree() == 0)

    @cached_property
    def known(self) -> sp.csr_matrix:
        """Users × items: what is known of each user when they are recommended to, from training or shown since."""
        matrix_UI = self.train.interactions.user_item_matrix()
        return matrix_UI if self.visible is None else (matrix_UI + self.visible.user_item_matrix()).tocsr()
