"""Drawn pictures and their texts, of products that the default sample store does not sell.

The drawing and writing code is the sample store's own; what is drawn is not: traits are uniform, where the store has
favourites, and no combination of category, brand, colour, pattern, material and occasion is one of the store's.
"""

import csv
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from graphrec.data.sample_store.pictures import draw_picture
from graphrec.data.sample_store.products import Listings, Products
from graphrec.data.sample_store.store import SampleStoreConfig, make_sample_world
from graphrec.data.sample_store.vocabulary import SITES, TRAITS, material_of
from graphrec.data.sample_store.writing import write_descriptions, write_titles
from graphrec.errors import GraphRecError
from graphrec.progress import Progress, silent

DATASET_YAML = """\
name: drawn-products
licence: CC0-1.0
items:
  file: items.csv
  text: [title, description]
interactions: []
"""
_OPENINGS = ("", "", "a photo of ", "a picture of ", "product: ")
_SIZES = (48, 64, 64, 80, 96, 128)


def write_drawn_products(folder: Path, num_products: int, seed: int, progress: Progress = silent) -> Path:
    """A catalogue: each product as each site pictures and describes it, and each picture once more in plain words.

    Raises GraphRecError where a product of the default sample store would be drawn.
    """
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    products = other_products(rng, num_products)
    num_shared = len(trait_combinations(products) & default_store_combinations())
    if num_shared:
        raise GraphRecError(f"{num_shared} products of the default sample store were drawn: expected none.")
    listings = _on_both_sites(num_products)
    titles, descriptions = write_titles(rng, products, listings), write_descriptions(rng, products, listings)
    (folder / "images").mkdir(parents=True)
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "description", "image"])
        for item in progress(range(len(listings)), "Drawing products"):
            product, site = int(listings.product_I[item]), int(listings.site_I[item])
            image = f"images/{item:06}.jpg"
            _varied(rng, draw_picture(rng, products, product, site)).save(folder / image, quality=92)
            rows.writerow([f"{item}-site", titles[item], descriptions[item], image])
            rows.writerow([f"{item}-words", plain_words(rng, products, product), "", image])
    (folder / "dataset.yaml").write_text(DATASET_YAML, encoding="utf-8")
    seconds = round(time.perf_counter() - started, 1)
    about = {"products": num_products, "seed": seed, "shared_combinations": num_shared, "seconds": seconds}
    (folder / "drawn.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    return folder


def other_products(rng: np.random.Generator, count: int) -> Products:
    """Products with uniform traits, none of them in the default store."""
    taken = default_store_combinations()
    drawn: list[np.ndarray] = []
    while len(drawn) < count:
        trait_PT = np.stack([rng.integers(len(values), size=count) for values in TRAITS.values()], axis=1)
        material = list(TRAITS).index("material")
        trait_PT[:, material] = material_of(trait_PT[:, 0], rng.integers(60, size=count))
        drawn += [row for row in trait_PT if tuple(row.tolist()) not in taken]
    nothing_P = np.zeros(count, dtype=np.int64)
    return Products(
        trait_PT=np.array(drawn[:count]),
        second_occasion_P=nothing_P - 1,
        scene_P=nothing_P - 1,
        quality_P=nothing_P,
        price_P=nothing_P,
        model_P=rng.permutation(count),
    )


def default_store_combinations() -> set[tuple[int, ...]]:
    """The trait codes of every product that the default sample store sells."""
    return trait_combinations(make_sample_world(SampleStoreConfig()).products)


def trait_combinations(products: Products) -> set[tuple[int, ...]]:
    return {tuple(row) for row in products.trait_PT.tolist()}


def plain_words(rng: np.random.Generator, products: Products, product: int) -> str:
    """What a shopper would type: the category and some of the traits that the picture shows."""
    named = {name: values[int(products.trait(name)[product])] for name, values in TRAITS.items()}
    pattern = "" if named["pattern"] == "plain" and rng.random() < 0.7 else named["pattern"]
    parts = [
        named["colour"] if rng.random() < 0.8 else "",
        pattern if rng.random() < 0.7 else "",
        named["material"] if rng.random() < 0.2 else "",
        named["category"] if rng.random() < 0.9 else "",
        f"by {named['brand']}" if rng.random() < 0.25 else "",
    ]
    if not any(parts[:2] + parts[3:4]):
        parts[3] = named["category"]
    if rng.random() < 0.2:
        parts = [parts[3], parts[2], parts[1], parts[0], parts[4]]
    return _OPENINGS[int(rng.integers(len(_OPENINGS)))] + " ".join(part for part in parts if part)


def _on_both_sites(num_products: int) -> Listings:
    product_I = np.tile(np.arange(num_products), len(SITES))
    nothing_I = np.zeros(len(product_I), dtype=np.int64)
    return Listings(
        item_ids=np.arange(len(product_I)).astype(str).astype(object),
        product_I=product_I,
        site_I=np.repeat(np.arange(len(SITES)), num_products),
        arrival_day_I=nothing_I,
        price_I=nothing_I,
        popularity_I=nothing_I,
    )


def _varied(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Half of the pictures as drawn; the others cut, of another size or out of focus, as strangers' pictures are."""
    if rng.random() < 0.5:
        return picture
    width, height = picture.size
    side = int(rng.integers(round(0.8 * width), width + 1))
    left, top = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    size = _SIZES[int(rng.integers(len(_SIZES)))]
    cut = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)
    return cut.filter(ImageFilter.GaussianBlur(0.6)) if rng.random() < 0.2 else cut
