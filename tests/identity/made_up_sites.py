"""Two made-up sites: products with known names, so that every right pair is known."""

import numpy as np

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs

SYLLABLES = ["ba", "do", "ku", "le", "mi", "no", "pra", "qui", "ros", "sta", "tem", "vul", "wex", "zor"]


def catalogue_of(rows, year=None):
    """From (item id, site, title) rows; `year` of each as a numeric attribute."""
    ids, sites, titles = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    empty = np.full(len(ids), "", dtype=object)
    attributes = Attributes(numeric={} if year is None else {"year": np.array(year, dtype=np.float64)})
    return Catalogue(ids, titles, titles, empty, None, sites, attributes)


def dataset_of(catalogue, same_as=None):
    nobody = np.zeros(0, dtype=np.int64)
    return Dataset(
        name="made-up",
        catalogue=catalogue,
        user_ids=np.zeros(0, dtype=object),
        site_names=tuple(dict.fromkeys(site for site in catalogue.site if site)),
        interactions=Interactions.from_pairs(nobody, nobody, 0, len(catalogue)),
        same_as=same_as or SameAs.none(),
    )


def names(rng, count):
    """Distinct titles of three made-up words."""
    made = set()
    while len(made) < count:
        made.add(" ".join("".join(rng.choice(SYLLABLES, size=3)) for _ in range(3)))
    return rng.permutation(sorted(made)).tolist()


def pairs_of(matches, at_least=0.0):
    """The proposed pairs of ids from this probability on, without those that a person refused."""
    ids = matches.catalogue.item_ids
    chosen = (matches.probability_P >= at_least) & (matches.verdict_P != "no")
    return set(zip(ids[matches.pairs.left_P[chosen]], ids[matches.pairs.right_P[chosen]], strict=True))
