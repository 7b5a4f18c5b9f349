"""Amazon Reviews 2023 (Hou et al. 2024): `<Category>.jsonl` with reviews, `meta_<Category>.jsonl` with products."""

from pathlib import Path
from typing import Any

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription
from graphrec.data.sites.keys_of import first_keys

_SUFFIXES = (".jsonl", ".jsonl.gz")
_RATINGS = (*_SUFFIXES, ".csv", ".csv.gz")
"""Reviews, or the published tables of ratings alone."""
_OF_REVIEWS = ("title", "text", "images", "asin", "helpful_vote", "verified_purchase")
_OF_PRODUCTS = ("images", "videos", "details", "bought_together", "average_rating", "rating_number")
"""What is not used of the two files, and most of their size."""
LIKED = 4
"""Of five stars."""


def describe(folder: Path) -> DatasetDescription | None:
    """Every category with both files; several are sites of their own. None where there is none.

    A product's own average rating and number of ratings are not read: they were counted over all reviews, those that an
    evaluation holds out too. Review texts are not read for the same reason.
    """
    found = _categories(folder)
    if not found:
        return None
    several = len(found) > 1
    return DatasetDescription(
        format="amazon-reviews-2023",
        licence="Amazon Reviews 2023 (McAuley Lab): research use",
        items=tuple(_items(folder, meta, category if several else None) for category, (meta, _) in found.items()),
        interactions=tuple(
            InteractionsDescription(
                file=reviews,
                site=category if several else None,
                columns={"item_id": "parent_asin"},
                minimum_rating=LIKED,
                skip=_OF_REVIEWS,
            )
            for category, (_, reviews) in found.items()
        ),
    )


def _categories(folder: Path) -> dict[str, tuple[str, str]]:
    """Category → (meta file, reviews file)."""
    found: dict[str, tuple[str, str]] = {}
    for meta in sorted(folder.glob("meta_*.jsonl*")):
        category = meta.name.removeprefix("meta_").removesuffix(".gz").removesuffix(".jsonl")
        reviews = [f"{category}{suffix}" for suffix in _RATINGS if (folder / f"{category}{suffix}").is_file()]
        if meta.name.endswith(_SUFFIXES) and reviews and {"parent_asin", "title"} <= first_keys(meta):
            found.setdefault(category, (meta.name, reviews[0]))
    return found


def _items(folder: Path, meta: str, site: str | None) -> ItemsDescription:
    keys = first_keys(folder / meta)
    about: dict[str, Any] = {
        "file": meta,
        "site": site,
        "columns": {"item_id": "parent_asin", "asin": "parent_asin"},
        "text": [name for name in ("title", "features", "description") if name in keys],
        "categorical": [name for name in ("main_category", "store") if name in keys],
        "multi_valued": {"categories": "|"} if "categories" in keys else {},
        "skip": _OF_PRODUCTS,
        "image_folder": "images",
        "image_name": "{item_id}.jpg",
    }
    if "price" in keys:
        nothing = {"None": None, "": None, "—": None, "-": None}
        dollars = {"price": {"from": "USD", "to": "USD"}}  # reads "$19.99" as 19.99
        about |= {"numeric": ["price"], "values": {"price": nothing}, "currency": dollars}
    return ItemsDescription.model_validate(about)
