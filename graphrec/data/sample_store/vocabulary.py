"""The words of the sample store: what a product can be, before any site has written about it."""

import numpy as np

SITES = ("harbour", "meadow")

CATEGORIES = (
    "shirt", "jumper", "jacket", "dress", "skirt", "trousers", "shorts", "trainers", "boots", "bag", "hat", "scarf",
)  # fmt: skip
BRANDS = (
    "Northwind", "Tidewell", "Larkham", "Bramblecote", "Fernhollow", "Ostra", "Maribel Quay", "Kestrelby",
    "Halden & Row", "Saltmere", "Wrenfield", "Pellow",
)  # fmt: skip
COLOURS = (
    "navy", "blue", "teal", "green", "olive", "yellow", "orange", "red", "pink", "beige", "grey", "black", "white",
)  # fmt: skip
PATTERNS = ("plain", "striped", "dotted", "checked", "floral", "zigzag", "two-tone")
"""Drawn on the picture; no column holds it and only some titles name it."""
MATERIALS = (
    "cotton", "linen", "wool", "denim", "corduroy", "silk", "leather", "suede", "canvas", "nylon", "straw", "cashmere",
)  # fmt: skip
OCCASIONS = ("everyday", "work", "weekend", "travel", "party", "outdoor", "beach", "evening")

TRAITS = {
    "category": CATEGORIES,
    "brand": BRANDS,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "material": MATERIALS,
    "occasion": OCCASIONS,
}
"""Every trait that a shopper can see somewhere (picture, text or attribute) → its values, coded by position."""

_MATERIALS_OF_CATEGORY = {
    "shirt": ("cotton", "linen", "silk", "denim"),
    "jumper": ("wool", "cashmere", "cotton"),
    "jacket": ("denim", "wool", "leather", "nylon", "corduroy", "suede"),
    "dress": ("cotton", "linen", "silk", "corduroy"),
    "skirt": ("cotton", "denim", "wool", "corduroy", "leather"),
    "trousers": ("cotton", "denim", "wool", "linen", "corduroy"),
    "shorts": ("cotton", "linen", "denim", "nylon"),
    "trainers": ("leather", "canvas", "suede", "nylon"),
    "boots": ("leather", "suede", "canvas"),
    "bag": ("leather", "canvas", "nylon", "straw", "suede"),
    "hat": ("straw", "wool", "cotton", "canvas"),
    "scarf": ("wool", "cashmere", "silk", "cotton"),
}


def material_of(category_N: np.ndarray, draw_N: np.ndarray) -> np.ndarray:
    """Material codes that suit the categories: value number `draw mod count` of each category's own list."""
    choices = [[MATERIALS.index(name) for name in _MATERIALS_OF_CATEGORY[category]] for category in CATEGORIES]
    count_C = np.array([len(names) for names in choices])
    table_CM = np.array([np.resize(names, max(count_C)) for names in choices])
    return table_CM[category_N, draw_N % count_C[category_N]]
