"""Writing the sample store's folder, whole or not at all, and telling two such folders apart by content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import BaseModel, Field, NonNegativeInt, model_validator

from graphrec.data.sample_store.flaws import PictureFlaws, cut_off_png, spoil_interactions, spoil_items
from graphrec.data.sample_store.people import (
    EVENTS,
    Events,
    choose_items,
    independent_tastes,
    make_events,
    make_visits,
    permute_items,
    scene_tastes,
)
from graphrec.data.sample_store.pictures import draw_picture
from graphrec.data.sample_store.products import Listings, Products, make_listings, make_products
from graphrec.data.sample_store.vocabulary import MATERIALS, OCCASIONS, SITES, TRAITS
from graphrec.data.sample_store.writing import write_descriptions, write_titles
from graphrec.disk import scratch_folder, why_not_written
from graphrec.errors import GraphRecError
from graphrec.progress import Progress, silent

_START = np.datetime64("2023-02-01T00:00:00", "s")

DATASET_YAML = """\
# Two small made-up fashion sites that share users and part of their products.
# A few rows and one picture are broken on purpose: `graphrec check` shows which.
# same_products.csv is the true identity across sites: for evaluation only, nothing may train on it.
name: sample-store
licence: CC0-1.0
items:
  file: items.csv
  text: [title, description]
  categorical: [category, brand, colour]
  multi_valued: {tags: "|"}
  numeric: [price]
interactions:
  file: interactions.csv
  events: {purchase: 1.0, wishlist: 0.5, browse: 0.2}
  minimum_rating: 3
"""


class SampleStoreConfig(BaseModel, extra="forbid", frozen=True):
    """What to generate; the defaults are the store that `DEFAULT_SAMPLE_STORE_DIGEST` freezes."""

    seed: NonNegativeInt = 0
    signal: Literal["graph", "content", "none"] = "graph"
    """What the interactions can teach.

    `graph`: hidden scenes, personal likings and hidden quality: content tells a part, moving between items tells more.
    `content`: every user follows only their own likings for visible traits, drawn independently of all other users.
    `none`: the events of `graph` with their items permuted within each site: only degrees remain.
    Items, pictures, users, times and the number of events are the same for all three.
    """
    products_per_site: int = Field(default=700, ge=40)
    shared_products: NonNegativeInt = 250
    """Products that both sites sell, each under an id, title and picture of its own."""
    num_users: int = Field(default=1800, ge=10)

    @model_validator(mode="after")
    def _shared_fit(self) -> Self:
        if self.shared_products > self.products_per_site:
            raise ValueError(f"Expected shared_products up to {self.products_per_site}, got {self.shared_products}.")
        return self


_DEFAULTS = SampleStoreConfig()


@dataclass(frozen=True)
class SampleWorld:
    """The store before it is written, without its flaws and with everything that the files hide."""

    products: Products
    listings: Listings
    user_ids: np.ndarray
    events: Events


def make_sample_world(config: SampleStoreConfig = _DEFAULTS, progress: Progress = silent) -> SampleWorld:
    """Products, listings, users and events; the signals differ in nothing but which item an event is about."""
    rngs = _rngs(config.seed)
    products = make_products(rngs["products"], 2 * config.products_per_site - config.shared_products)
    listings = make_listings(rngs["listings"], products, config.products_per_site)
    visits = make_visits(rngs["visits"], config.num_users, most_visits=config.products_per_site // 4)
    make_tastes = independent_tastes if config.signal == "content" else scene_tastes
    tastes = make_tastes(rngs["tastes"], config.num_users, listings)
    chosen_V, taste_V = choose_items(rngs["choices"], visits, tastes, products, listings, progress)
    quality_shows = config.signal != "content"
    liking_V = taste_V + quality_shows * products.quality_P[listings.product_I[chosen_V]]
    events = make_events(visits, chosen_V, liking_V)
    if config.signal == "none":
        events = permute_items(rngs["permutation"], events)
    return SampleWorld(products, listings, visits.user_ids, events)


def write_sample_store(folder: Path, config: SampleStoreConfig = _DEFAULTS, progress: Progress = silent) -> Path:
    """Generate a store and write it to `folder`, which must not exist or be empty; gives `folder` back.

    Files: dataset.yaml, items.csv, interactions.csv, same_products.csv (item_id, same_item_id; the true identity across
    sites, for evaluation only) and images/. All of it appears in one step: it is written beside `folder` and renamed.
    Raises GraphRecError where the folder holds anything, so that nothing is ever overwritten, and where the disk
    refuses.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GraphRecError(
            f"Cannot write the sample store to {folder}: it is not empty; remove it or name another folder."
        )
    world = make_sample_world(config, progress)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as store:
            _write_files(store, world, _rngs(config.seed), progress)
            if folder.exists():
                folder.rmdir()
            store.replace(folder)
    except OSError as error:
        raise GraphRecError(f"The sample store cannot be written to {folder}: {why_not_written(error)}.") from error
    return folder


def sample_store_digest(folder: Path) -> str:
    """SHA-256 of a store's content, in hexadecimal: file names, texts byte for byte, pictures as decoded RGB pixels.

    It does not depend on how a PNG was compressed. A picture that cannot be decoded counts with its bytes.
    """
    folder = Path(folder)
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        content = _canonical_bytes(folder / name)
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _write_files(store: Path, world: SampleWorld, rngs: dict[str, np.random.Generator], progress: Progress) -> None:
    items, picture_flaws = spoil_items(rngs["item flaws"], _items_table(world, rngs["writing"]))
    rows = spoil_interactions(rngs["interaction flaws"], _interactions_table(world))
    _write_csv(items, store / "items.csv")
    _write_csv(rows, store / "interactions.csv")
    _write_csv(_same_products_table(world), store / "same_products.csv")
    (store / "dataset.yaml").write_bytes(DATASET_YAML.encode())
    _write_pictures(store / "images", world, picture_flaws, rngs["pictures"], progress)


def _items_table(world: SampleWorld, rng: np.random.Generator) -> pd.DataFrame:
    products, listings = world.products, world.listings
    value_I = {
        name: np.array(values, dtype=object)[products.trait(name)[listings.product_I]]
        for name, values in TRAITS.items()
    }
    return pd.DataFrame(
        {
            "item_id": listings.item_ids,
            "site": np.array(SITES, dtype=object)[listings.site_I],
            "title": write_titles(rng, products, listings),
            "description": write_descriptions(rng, products, listings),
            "category": value_I["category"],
            "brand": value_I["brand"],
            "colour": value_I["colour"],
            "tags": [_tags(products, product) for product in listings.product_I],
            "price": [f"{price // 100}.{price % 100:02d}" for price in listings.price_I],
            "image": [f"images/{item_id}.png" for item_id in listings.item_ids],
        }
    )


def _tags(products: Products, product: int) -> str:
    """Material and occasions, separated by "|"; the pattern is left to the picture."""
    tags = [MATERIALS[products.trait("material")[product]], OCCASIONS[products.trait("occasion")[product]]]
    if products.second_occasion_P[product] >= 0:
        tags.append(OCCASIONS[products.second_occasion_P[product]])
    return "|".join(tags)


def _interactions_table(world: SampleWorld) -> pd.DataFrame:
    events = world.events
    rating = np.array(["", "1", "2", "3", "4", "5"], dtype=object)
    return pd.DataFrame(
        {
            "user_id": world.user_ids[events.user_E],
            "item_id": world.listings.item_ids[events.listing_E],
            "timestamp": [f"{moment}Z" for moment in np.datetime_as_string(_START + events.second_E, unit="s")],
            "event": np.array(EVENTS, dtype=object)[events.kind_E],
            "rating": rating[events.rating_E],
            "site": np.array(SITES, dtype=object)[events.site_E],
        }
    )


def _same_products_table(world: SampleWorld) -> pd.DataFrame:
    """Pairs of items that are one product: the first site's item, the second site's."""
    listings = world.listings
    sides = [
        pd.Series(listings.item_ids[listings.site_I == site], index=listings.product_I[listings.site_I == site])
        for site in range(len(SITES))
    ]
    pairs = pd.concat(sides, axis=1, join="inner", keys=["item_id", "same_item_id"])
    return pairs.sort_values("item_id", ignore_index=True)


def _write_pictures(
    folder: Path, world: SampleWorld, flaws: PictureFlaws, rng: np.random.Generator, progress: Progress
) -> None:
    folder.mkdir()
    listings = world.listings
    unwritten = {*flaws.nameless.tolist(), *flaws.absent.tolist()}
    for item in progress(range(len(listings)), "Drawing pictures"):
        picture = draw_picture(rng, world.products, listings.product_I[item], listings.site_I[item])
        path = folder / f"{listings.item_ids[item]}.png"
        if item == flaws.damaged:
            path.write_bytes(cut_off_png(picture))
        elif item not in unwritten:
            picture.save(path, compress_level=1)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode())


def _canonical_bytes(path: Path) -> bytes:
    if path.suffix != ".png":
        return path.read_bytes()
    try:
        with Image.open(path) as image:
            return image.convert("RGB").tobytes()
    except (OSError, SyntaxError):  # what Pillow raises for a file that is no whole picture
        return path.read_bytes()


def _rngs(seed: int) -> dict[str, np.random.Generator]:
    """One stream of random numbers per purpose, so that no part of the store depends on how another one is drawn."""
    purposes = (
        "products", "listings", "visits", "tastes", "choices", "permutation",
        "writing", "pictures", "item flaws", "interaction flaws",
    )  # fmt: skip
    children = np.random.SeedSequence(seed).spawn(len(purposes))
    return dict(zip(purposes, (np.random.default_rng(child) for child in children), strict=True))
