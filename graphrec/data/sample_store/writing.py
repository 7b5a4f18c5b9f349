"""What the two sites write about a product: titles and descriptions, in two voices and of uneven quality.

Text says things that no picture shows (material, occasion, model name) and mostly keeps quiet about the pattern.
"""

import numpy as np

from graphrec.data.sample_store.products import Listings, Products
from graphrec.data.sample_store.vocabulary import BRANDS, CATEGORIES, COLOURS, MATERIALS, OCCASIONS, PATTERNS, SITES

_NOUNS = {
    "harbour": {
        "shirt": ("shirt",), "jumper": ("jumper", "pullover"), "jacket": ("jacket",), "dress": ("dress",),
        "skirt": ("skirt",), "trousers": ("trousers",), "shorts": ("shorts",), "trainers": ("trainers",),
        "boots": ("boots", "ankle boots"), "bag": ("bag", "shoulder bag"), "hat": ("hat",), "scarf": ("scarf",),
    },
    "meadow": {
        "shirt": ("shirt", "button-down", "blouse"), "jumper": ("sweater", "knit", "jumper"),
        "jacket": ("jacket", "coat"), "dress": ("dress", "frock"), "skirt": ("skirt",),
        "trousers": ("trousers", "slacks", "chinos"), "shorts": ("shorts",), "trainers": ("sneakers", "trainers"),
        "boots": ("boots",), "bag": ("tote", "handbag", "bag"), "hat": ("hat", "sun hat"), "scarf": ("scarf", "wrap"),
    },
}  # fmt: skip
_PLURAL = ("trousers", "shorts", "trainers", "boots")

_MEADOW_COLOURS = {
    "navy": "midnight", "beige": "sand", "green": "forest green", "grey": "stone", "red": "poppy", "yellow": "mustard",
    "white": "off-white", "pink": "rose",
}  # fmt: skip

_MODEL_STARTS = (
    "Sker",
    "Bran",
    "Lun",
    "Mar",
    "Tol",
    "Hav",
    "Fen",
    "Als",
    "Cor",
    "Quin",
    "Wex",
    "Dun",
    "Ros",
    "Iv",
    "Brel",
)
_MODEL_ENDS = ("ra", "na", "low", "den", "mor", "ick", "a", "ley", "wyn", "by")

_MARKETING = {
    "harbour": ("New in", "Bestseller", "Limited edition", "Last pieces", "Back in stock", "The {model}"),
    "meadow": (
        "Our favourite", "Must-have", "As seen on you", "You asked, it’s back", "Little treasure",
        "Say hello to {model}",
    ),
}  # fmt: skip

_FITS = ("Regular fit", "Relaxed fit", "Slim fit", "Generous fit")
_FITS_OF_CATEGORY = {
    "trainers": ("True to size", "Wide fit"), "boots": ("True to size", "Wide fit"),
    "bag": ("Inner pocket", "Zipped"), "hat": ("One size", "Two sizes"), "scarf": ("Extra long", "One size"),
}  # fmt: skip
_CARE = {
    "cotton": "Machine wash at 40 °C", "linen": "Machine wash at 30 °C", "wool": "Wash by hand",
    "denim": "Wash inside out", "corduroy": "Machine wash at 30 °C", "silk": "Dry clean",
    "leather": "Wipe with a damp cloth", "suede": "Brush when dry", "canvas": "Wipe clean",
    "nylon": "Machine wash at 30 °C", "straw": "Keep dry", "cashmere": "Wash by hand",
}  # fmt: skip
_USES = {
    "everyday": "every day", "work": "the office", "weekend": "slow weekends", "travel": "travelling light",
    "party": "nights with friends", "outdoor": "long walks", "beach": "days by the sea", "evening": "an evening out",
}  # fmt: skip
_FEELS = {
    "cotton": "crisp cotton", "linen": "airy linen", "wool": "warm wool", "denim": "sturdy denim",
    "corduroy": "soft corduroy", "silk": "smooth silk", "leather": "real leather", "suede": "velvety suede",
    "canvas": "tough canvas", "nylon": "light nylon", "straw": "woven straw", "cashmere": "feather-soft cashmere",
}  # fmt: skip

_TITLE_QUALITY = {"harbour": (0.42, 0.35, 0.15, 0.08), "meadow": (0.30, 0.42, 0.14, 0.14)}
"""Share of full, usual, short and marketing-only titles."""
_TITLE_SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "full": {
        "harbour": (
            "{brand} {pattern}{material} {noun} {colour}",
            "{brand} {model} {pattern}{material} {noun}, {colour}",
        ),
        "meadow": (
            "{Pattern}{material} {noun} by {brand} in {colour}",
            "{model} – {pattern}{colour} {material} {noun} ({brand})",
        ),
    },
    "usual": {
        "harbour": ("{brand} {noun} {colour}", "{brand} {model} {noun}", "{Noun} {material} {colour}"),
        "meadow": ("{Colour} {noun}", "{model} {noun}", "{brand} {noun} for {use}"),
    },
    "short": {"harbour": ("{Noun}",), "meadow": ("{Noun}", "{Colour} one")},
}  # fmt: skip
_PATTERN_NAMED_SHARE = 0.35
_SHOUTED_SHARE = 0.05
_DESCRIBED_SHARE = 0.75


def write_titles(rng: np.random.Generator, products: Products, listings: Listings) -> list[str]:
    """One title per listing; never empty here."""
    titles = []
    for listing in range(len(listings)):
        site = SITES[listings.site_I[listing]]
        words = _words(rng, products, listings.product_I[listing], site)
        quality = int(np.searchsorted(np.cumsum(_TITLE_QUALITY[site])[:-1], rng.random(), side="right"))
        shapes = [shapes[site] for shapes in _TITLE_SHAPES.values()]
        title = _pick(rng, (*shapes, _MARKETING[site])[quality]).format(**words)
        titles.append(title.upper() if rng.random() < _SHOUTED_SHARE else title[0].upper() + title[1:])
    return titles


def write_descriptions(rng: np.random.Generator, products: Products, listings: Listings) -> list[str]:
    """One description per listing, "" for a quarter of them."""
    texts = []
    for listing in range(len(listings)):
        site = SITES[listings.site_I[listing]]
        words = _words(rng, products, listings.product_I[listing], site)
        text = _harbour_text(rng, words) if site == "harbour" else _meadow_text(rng, words)
        texts.append(text if rng.random() < _DESCRIBED_SHARE else "")
    return texts


def _harbour_text(rng: np.random.Generator, words: dict[str, str]) -> str:
    """Facts in short sentences."""
    parts = ["{fit}", "{Material}", "{care}", "Suits {use}", "Model: {model}"]
    kept = [part for part, draw in zip(parts, rng.random(len(parts)), strict=True) if draw < 0.8]
    return (". ".join(kept or parts[1:3]) + ".").format(**words)


def _meadow_text(rng: np.random.Generator, words: dict[str, str]) -> str:
    """A friend's voice."""
    shapes = (
        "{These} {noun} in {feel} {are} made for {use}. {care}, and enjoy {them} for years.",
        "Think {use}, think {model}: {feel}, an easy cut and nothing that itches.",
        "We fell for the {feel} first. Wear {them} for {use}, or just because.",
        "{brand} makes {this} from {feel}. Perfect for {use}.",
    )
    return _pick(rng, shapes).format(**words)


def _words(rng: np.random.Generator, products: Products, product: int, site: str) -> dict[str, str]:
    """What a template may say about the product, in the site's own words; capitalised keys start a sentence."""
    category, brand, colour, pattern, material, occasion = (
        values[code]
        for values, code in zip(
            (CATEGORIES, BRANDS, COLOURS, PATTERNS, MATERIALS, OCCASIONS), products.trait_PT[product], strict=True
        )
    )
    names_pattern = rng.random() < _PATTERN_NAMED_SHARE and pattern != "plain"
    is_plural = category in _PLURAL
    words = {
        "brand": brand,
        "model": _model_name(products.model_P[product]),
        "material": material,
        "feel": _FEELS[material],
        "care": _CARE[material],
        "use": _USES[occasion],
        "fit": _pick(rng, _FITS_OF_CATEGORY.get(category, _FITS)),
        "noun": _pick(rng, _NOUNS[site][category]),
        "colour": _MEADOW_COLOURS.get(colour, colour) if site == "meadow" else colour,
        "pattern": f"{pattern} " if names_pattern else "",
        "them": "them" if is_plural else "it",
        "these": "these" if is_plural else "this",
        "this": "these" if is_plural else "this one",
        "are": "are" if is_plural else "is",
    }
    return words | {key.capitalize(): word[:1].upper() + word[1:] for key, word in words.items()}


def _model_name(number: int) -> str:
    """A maker's name for the model; after all names are used up, they come again."""
    return _MODEL_STARTS[number % len(_MODEL_STARTS)] + _MODEL_ENDS[number // len(_MODEL_STARTS) % len(_MODEL_ENDS)]


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
