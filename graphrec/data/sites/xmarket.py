"""XMarket and FOREC (Bonab et al. 2021): markets of one shop that sell the same ASINs to different people."""

import re
from pathlib import Path
from typing import Any

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription
from graphrec.data.same_as_description import SameAsDescription
from graphrec.data.sites.keys_of import first_keys

_RATINGS = re.compile(r"ratings_(?P<market>[a-z]{2})_(?P<category>\w+)\.txt(\.gz)?")
_CORE = re.compile(r"(?P<market>[a-z]{2})_\d+core\.txt(\.gz)?")
_HEADER = ("userId", "itemId", "rate", "date")
LIKED = 4
"""Of five stars."""


def describe(folder: Path) -> DatasetDescription | None:
    """Every market is a site with items and users of its own; equal ASINs are one product. None where there is none.

    Products come from `metadata_<market>_<category>.json` where that is there, otherwise from the ratings alone.
    """
    items, ratings, markets = [], [], set()
    for path in sorted(folder.rglob("*.txt*")):
        found = _RATINGS.fullmatch(path.name) or _CORE.fullmatch(path.name)
        if found is None:
            continue
        market, file = found["market"], path.relative_to(folder).as_posix()
        plain: dict[str, Any] = {"delimiter": " ", "header": _HEADER if found.re is _RATINGS else None}
        markets.add(market)
        ratings.append(_ratings(file, market, plain))
        metadata = [path.parent / f"metadata_{path.name[8:].split('.')[0]}.json{gz}" for gz in ("", ".gz")]
        named = next((one for one in metadata if found.re is _RATINGS and one.is_file()), None)
        if named is None:
            log = {"layout": "log", "columns": {"item_id": "itemId", "asin": "itemId"}, "categorical": ()}
            items.append(_items(file, market, plain | log))
        else:
            items.append(_items(named.relative_to(folder).as_posix(), market, _metadata(named)))
    if not ratings:
        return None
    return DatasetDescription(
        format="xmarket",
        licence="XMarket (Bonab et al. 2021): research use",
        items=tuple(items),
        interactions=tuple(ratings),
        same_as=SameAsDescription(keys=("asin",)) if len(markets) > 1 else None,
    )


def _ratings(file: str, market: str, plain: dict[str, Any]) -> InteractionsDescription:
    return InteractionsDescription(
        file=file,
        site=market,
        columns={"user_id": "userId", "item_id": "itemId", "rating": "rate", "timestamp": "date"},
        minimum_rating=LIKED,
        item_prefix=f"{market}:",
        user_prefix=f"{market}:",
        **plain,
    )


def _items(file: str, market: str, about: dict[str, Any]) -> ItemsDescription:
    return ItemsDescription.model_validate({"file": file, "site": market, "item_prefix": f"{market}:"} | about)


def _metadata(path: Path) -> dict[str, Any]:
    """What of a market's metadata is used; ratings counted over all reviews are not."""
    keys = first_keys(path)
    return {
        "columns": {"item_id": "asin", "asin": "asin"},
        "text": [name for name in ("title", "features", "description") if name in keys],
        "categorical": [name for name in ("main_category", "brand") if name in keys],
        "multi_valued": {"categories": "|"} if "categories" in keys else {},
    }
