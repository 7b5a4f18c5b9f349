"""What the two sites sell: products with visible traits and a hidden scene, and their listings on each site.

A *scene* (think of sailing or a festival; it has no name and is written nowhere) is a fixed random table of *looks*,
each one combination of traits. Two products of one scene may share no visible trait at all; only those who like both
tie them together. Strengths are integers in thousandths of a logit, so that sums are exact on every platform.
"""

from dataclasses import dataclass

import numpy as np

from graphrec.data.sample_store.vocabulary import CATEGORIES, OCCASIONS, SITES, TRAITS, material_of

NUM_SCENES = 10
NUM_DAYS = 546
"""Eighteen months of trade; day 0 is the first."""

_LOOKS_PER_SCENE = 16
_FAVOURITES_PER_SCENE = 3
_FAVOURITE_SHARE = 0.4
_SCENELESS_SHARE = 0.15
_DEVIATION_SHARE = {"category": 0.1, "brand": 0.25, "colour": 0.25, "pattern": 0.25, "material": 0.25, "occasion": 0.25}
_SECOND_OCCASION_SHARE = 0.4
_OPENING_SHARE = 0.55
_BASE_PRICE = {
    "shirt": 45, "jumper": 65, "jacket": 120, "dress": 80, "skirt": 55, "trousers": 70, "shorts": 40, "trainers": 90,
    "boots": 130, "bag": 85, "hat": 30, "scarf": 35,
}  # fmt: skip


@dataclass(frozen=True)
class Products:
    """Products as they really are (P of them), whatever a site says about them."""

    trait_PT: np.ndarray
    """Codes into the values of `TRAITS`, one column per trait in its order."""
    second_occasion_P: np.ndarray
    """Code into `OCCASIONS`, -1 where the product has only one occasion."""
    scene_P: np.ndarray
    """The hidden scene, -1 where the product belongs to none."""
    quality_P: np.ndarray
    """Hidden: how good the product is; neither picture, text nor attribute shows it. Thousandths of a logit."""
    price_P: np.ndarray
    """Recommended price in whole units of money."""
    model_P: np.ndarray
    """Which of the model names (a running number) the maker gave it."""

    def trait(self, name: str) -> np.ndarray:
        """Codes of one trait, shape (P,)."""
        return self.trait_PT[:, list(TRAITS).index(name)]

    def __len__(self) -> int:
        return len(self.trait_PT)


@dataclass(frozen=True)
class Listings:
    """The items: one product on one site each (I of them), the first site's before the second's."""

    item_ids: np.ndarray
    product_I: np.ndarray
    site_I: np.ndarray
    arrival_day_I: np.ndarray
    """First day on which anyone can meet the item."""
    price_I: np.ndarray
    """In hundredths of a unit of money."""
    popularity_I: np.ndarray
    """How often everybody looks at the item: partly its category and brand, partly hidden. Thousandths of a logit."""

    def __len__(self) -> int:
        return len(self.item_ids)


def make_products(rng: np.random.Generator, num_products: int) -> Products:
    """Draw products from the looks of hidden scenes; each trait may deviate from the look, and some have no scene."""
    look_SLT = _make_looks(rng)
    scene_P = rng.integers(NUM_SCENES, size=num_products)
    trait_PT = look_SLT[scene_P, rng.integers(_LOOKS_PER_SCENE, size=num_products)]
    is_sceneless_P = rng.random(num_products) < _SCENELESS_SHARE
    for column, (name, values) in enumerate(TRAITS.items()):
        deviates_P = is_sceneless_P | (rng.random(num_products) < _DEVIATION_SHARE[name])
        other_P = rng.integers(len(values), size=num_products)
        if name == "material":
            suits_P = _suits(trait_PT[:, 0], trait_PT[:, column])
            deviates_P, other_P = (
                deviates_P | ~suits_P,
                material_of(trait_PT[:, 0], rng.integers(60, size=num_products)),
            )
        trait_PT[:, column] = np.where(deviates_P, other_P, trait_PT[:, column])
    second_P = rng.integers(len(OCCASIONS), size=num_products)
    has_second_P = (rng.random(num_products) < _SECOND_OCCASION_SHARE) & (second_P != trait_PT[:, -1])
    base_P = np.array([_BASE_PRICE[name] for name in CATEGORIES])[trait_PT[:, 0]]
    return Products(
        trait_PT=trait_PT,
        second_occasion_P=np.where(has_second_P, second_P, -1),
        scene_P=np.where(is_sceneless_P, -1, scene_P),
        quality_P=thousandths(rng, 0.8, num_products),
        price_P=base_P * rng.integers(60, 161, size=num_products) // 100,
        model_P=rng.permutation(num_products),
    )


def make_listings(rng: np.random.Generator, products: Products, per_site: int) -> Listings:
    """List products on the two sites: the first `per_site` on the first one, the last `per_site` on the second.

    What lies in both ranges is sold on both. Neither the order of a site's items nor their ids say which.
    """
    num_sites = len(SITES)
    product_I = np.concatenate([rng.permutation(per_site), len(products) - 1 - rng.permutation(per_site)])
    site_I = np.repeat(np.arange(num_sites), per_site)
    traits = list(TRAITS)
    shown_I = np.zeros(len(product_I), dtype=np.int64)
    for name, spread in (("category", 0.35), ("brand", 0.5)):
        effect_V = thousandths(rng, spread, len(TRAITS[name]))
        shown_I += effect_V[products.trait_PT[product_I, traits.index(name)]]
    return Listings(
        item_ids=np.concatenate([_harbour_ids(rng, per_site), _meadow_ids(rng, per_site)]).astype(object),
        product_I=product_I,
        site_I=site_I,
        arrival_day_I=np.concatenate([_arrival_days(rng, per_site) for _ in SITES]),
        price_I=products.price_P[product_I] * rng.integers(92, 109, size=len(product_I)) // 100 * 100 - 10 + 5 * site_I,
        popularity_I=shown_I + products.quality_P[product_I] + thousandths(rng, 0.4, len(product_I)),
    )


def thousandths(rng: np.random.Generator, spread: float, size: int | tuple[int, ...]) -> np.ndarray:
    """Normal draws of standard deviation `spread`, rounded to integers in thousandths."""
    return np.rint(1000 * spread * rng.standard_normal(size)).astype(np.int64)


def _make_looks(rng: np.random.Generator) -> np.ndarray:
    """The hidden table: trait codes of every scene's looks, shape (scenes, looks, traits)."""
    shape = (NUM_SCENES, _LOOKS_PER_SCENE)
    columns: list[np.ndarray] = []
    for name, values in TRAITS.items():
        if name == "material":
            columns.append(material_of(columns[0], rng.integers(60, size=shape)))
            continue
        value_SL = rng.integers(len(values), size=shape)
        if name != "category":  # a scene dresses people from head to toe, so it has no favourite category
            favourite_SF = rng.integers(len(values), size=(NUM_SCENES, _FAVOURITES_PER_SCENE))
            chosen_SL = rng.integers(_FAVOURITES_PER_SCENE, size=shape)
            is_favourite_SL = rng.random(shape) < _FAVOURITE_SHARE
            value_SL = np.where(is_favourite_SL, np.take_along_axis(favourite_SF, chosen_SL, axis=1), value_SL)
        columns.append(value_SL)
    return np.stack(columns, axis=-1)


def _suits(category_P: np.ndarray, material_P: np.ndarray) -> np.ndarray:
    """Whether the material is one that the category is made of."""
    every_suitable_PM = np.stack(
        [material_of(category_P, np.full(len(category_P), draw)) for draw in range(60)], axis=1
    )
    return (every_suitable_PM == material_P[:, None]).any(axis=1)


def _arrival_days(rng: np.random.Generator, num_items: int) -> np.ndarray:
    """Day 0 for a little more than half of the items, any later day for the others."""
    day_I = rng.integers(1, NUM_DAYS, size=num_items)
    day_I[rng.permutation(num_items)[: round(_OPENING_SHARE * num_items)]] = 0
    return day_I


def _harbour_ids(rng: np.random.Generator, count: int) -> list[str]:
    """Six digits with leading zeros, which a careless reader would turn into numbers."""
    return [f"{number:06d}" for number in 100 + rng.permutation(20 * count)[:count]]


def _meadow_ids(rng: np.random.Generator, count: int) -> list[str]:
    return [f"MW-{number}" for number in 10_000 + rng.permutation(20 * count)[:count]]
