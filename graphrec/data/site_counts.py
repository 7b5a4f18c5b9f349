"""What one site tells of its log: items by id, and how many people they have and share."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from graphrec.data.cooccurrence import MOST_ITEMS_PER_USER, CooccurrenceCounts
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.progress import Progress, silent


@dataclass(frozen=True)
class SiteCounts:
    """N items and their counts."""

    site: str
    item_ids: np.ndarray
    """Sorted; those with at least `counts.minimum` users."""
    counts: CooccurrenceCounts

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        site: str | None = None,
        minimum: int = 5,
        most_items_per_user: int = MOST_ITEMS_PER_USER,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Self:
        """Count the events of one site; `site` may be left out where there is only one.

        Raises GraphRecError where the dataset has no such site, the site has no events, or no item of it has as many
        users as the minimum.
        """
        inter = _events_of(dataset, site)
        counts = CooccurrenceCounts.of(inter, minimum, most_items_per_user, seed, progress)
        shown = np.flatnonzero(counts.users_of_item)
        if not len(shown):
            raise GraphRecError(
                f"No item has {minimum} users: the most that one has is {inter.item_degree().max()}. Nothing is "
                "told of smaller groups; count over a longer time."
            )
        shown = shown[np.argsort(dataset.catalogue.item_ids[shown])]
        index_I = np.full(inter.num_items, -1, dtype=np.int64)
        index_I[shown] = np.arange(len(shown))
        return cls(site or "", dataset.catalogue.item_ids[shown], counts.moved(index_I, len(shown)))

    def placed(self, id_index: pd.Index) -> CooccurrenceCounts:
        """The counts by the indices of a catalogue (`Catalogue.id_index`); items that it does not have are left out."""
        return self.counts.moved(id_index.get_indexer(pd.Index(self.item_ids, dtype=object)), len(id_index))


def _events_of(dataset: Dataset, site: str | None) -> Interactions:
    inter, names = dataset.interactions, dataset.site_names
    have = f"it has: {', '.join(names) or 'none'}"
    if site is None:
        if len(names) > 1:
            raise GraphRecError(f"Dataset {dataset.name!r} has several sites ({have}): choose one with --site.")
        events = inter
    elif site not in names:
        raise GraphRecError(f"Dataset {dataset.name!r} has no site {site!r} ({have}).")
    else:
        events = inter.take(inter.site_index_E == names.index(site))
    if not len(events):
        raise GraphRecError(f"Dataset {dataset.name!r} has no interactions{f' on site {site!r}' if site else ''}.")
    return events
