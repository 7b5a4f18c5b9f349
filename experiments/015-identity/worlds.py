"""Pairs of sites whose right pairs are known: films under noise, the sample store, made-up catalogues of any size."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from corrupter import Noise, corrupted

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.data.sample_store import SampleStoreConfig, write_sample_store
from graphrec.features.clip import ClipConfig
from graphrec.features.modality import Modality
from graphrec.identity.item_vectors import with_pictures

PROJECT = Path(__file__).parents[2]
FILMS = ("ml1m", "small")


@dataclass(frozen=True)
class World:
    dataset: Dataset
    truth: frozenset[tuple[int, int]]
    """The right pairs of item indices, the lower one first."""
    vectors: dict[str, Modality]


def films(root: Path, noise: Noise | None, seed: int, left_parity: int, right_parity: int) -> World:
    """Films of MovieLens-1M and MovieLens-latest-small, those of an even or an odd movie number on each site.

    The noise falls on the second site's titles, in which its years stand. `movie_id` is the truth and nothing else.
    """
    dataset = Dataset.load(PROJECT / "configs/data/films-two-sites.yaml", root)
    catalogue, rng = dataset.catalogue, np.random.default_rng(seed)
    ids = pd.read_csv(root / "ml1m-posters/items.csv", dtype=str).set_index("item_id")["movie_id"]
    name_I, site_I = catalogue.item_ids, catalogue.site
    number_I = np.array([int(ids[name[5:]] if name.startswith("ml1m:") else name[6:]) for name in name_I])
    title_I = catalogue.title.copy()
    if noise is not None:
        for item in np.flatnonzero(site_I == FILMS[1]):
            title_I[item] = corrupted(title_I[item], noise, rng)
    text_I = np.where(site_I == FILMS[1], title_I, catalogue.text)
    wanted = np.where(site_I == FILMS[0], left_parity, right_parity)
    kept = np.flatnonzero(number_I % 2 == wanted)
    catalogue = _taken(replace(catalogue, title=title_I, text=text_I), kept)
    place = pd.Series(np.arange(len(kept)), index=pd.MultiIndex.from_arrays([site_I[kept], number_I[kept]]))
    one, other = place[FILMS[0]], place[FILMS[1]]
    shared = one.index.intersection(other.index)
    return World(_only_items(dataset, catalogue), _pairs(one[shared], other[shared]), {})


def store(seed: int, pictures: bool) -> World:
    """The sample store's two sites, with the pictures through the small CLIP or without."""
    folder = PROJECT / "runs/015-identity" / f"store-{seed}"
    if not folder.exists():
        write_sample_store(folder, SampleStoreConfig(seed=seed))
    dataset = Dataset.load(folder)
    same = pd.read_csv(folder / "same_products.csv", dtype=str)
    one, other = (dataset.catalogue.id_index.get_indexer(same[name]) for name in ("item_id", "same_item_id"))
    cache = PROJECT / "runs/015-identity" / "cache"
    vectors = with_pictures(dataset, {}, ClipConfig(), cache=cache) if pictures else {}
    return World(dataset, _pairs(one, other), vectors)


def made_up(per_site: int, noise: Noise, seed: int) -> World:
    """Titles of two to five words out of 20,000, with Zipf's frequencies, and years; 60 % of each site on both."""
    rng = np.random.default_rng(seed)
    syllables = np.array([first + second for first in "bdklmnpqrstvwz" for second in "aeiou"])
    words = np.array(["".join(rng.choice(syllables, size=rng.integers(2, 5))) for _ in range(20_000)])
    chance = 1 / (np.arange(len(words)) + 20)
    shared = int(0.6 * per_site)
    num_films = 2 * per_site - shared
    lengths = rng.integers(2, 6, size=num_films)
    drawn = np.split(rng.choice(words, size=lengths.sum(), p=chance / chance.sum()), np.cumsum(lengths)[:-1])
    year = rng.integers(1950, 2020, size=num_films)
    titles = [f"{' '.join(some)} ({when})" for some, when in zip(drawn, year, strict=True)]
    left, right = np.arange(per_site), rng.permutation(np.arange(num_films - per_site, num_films))
    title_I = np.array([*(titles[i] for i in left), *(corrupted(titles[i], noise, rng) for i in right)], dtype=object)
    site_I = np.repeat(np.array(["one", "other"], dtype=object), per_site)
    item_ids = np.array([f"{site}{number}" for number, site in enumerate(site_I)], dtype=object)
    empty = np.full(len(title_I), "", dtype=object)
    catalogue = Catalogue(item_ids, title_I, title_I, empty, None, site_I, Attributes())
    place = np.full(num_films, -1)
    place[right] = per_site + np.arange(per_site)
    both = left[place[left] >= 0]
    dataset = Dataset("made-up", catalogue, np.zeros(0, dtype=object), ("one", "other"), _nothing(len(catalogue)))
    return World(dataset, _pairs(both, place[both]), {})


def _pairs(one: np.ndarray | pd.Series, other: np.ndarray | pd.Series) -> frozenset[tuple[int, int]]:
    one, other = np.asarray(one), np.asarray(other)
    return frozenset(zip(np.minimum(one, other).tolist(), np.maximum(one, other).tolist(), strict=True))


def _only_items(dataset: Dataset, catalogue: Catalogue) -> Dataset:
    return replace(dataset, catalogue=catalogue, interactions=_nothing(len(catalogue)), truths={}, own_vectors={})


def _nothing(num_items: int) -> Interactions:
    nobody = np.zeros(0, dtype=np.int64)
    return Interactions.from_pairs(nobody, nobody, 0, num_items)


def _taken(catalogue: Catalogue, kept: np.ndarray) -> Catalogue:
    given = catalogue.attributes
    return replace(
        catalogue,
        item_ids=catalogue.item_ids[kept],
        title=catalogue.title[kept],
        text=catalogue.text[kept],
        image=catalogue.image[kept],
        site=catalogue.site[kept],
        keys={name: values[kept] for name, values in catalogue.keys.items()},
        attributes=Attributes(
            categorical={name: values[kept] for name, values in given.categorical.items()},
            multi_valued={name: [values[row] for row in kept] for name, values in given.multi_valued.items()},
            numeric={name: values[kept] for name, values in given.numeric.items()},
        ),
    )
