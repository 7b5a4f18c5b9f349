"""MovieLens in all its layouts: 100k, 1M, 10M, and 20M and later (GroupLens; Harper and Konstan 2015)."""

from pathlib import Path

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription

_YEAR = {"year": {"from": "title", "pattern": r"\((\d{4})\)\s*$"}}
_RATING_HEADER = ("user_id", "item_id", "rating", "timestamp")
LIKED = 3.5
"""Ratings run from 0.5 or 1 to 5; those from here on count as liking."""


def describe(folder: Path) -> DatasetDescription | None:
    """The films with year and genres, the ratings; None where the folder is no MovieLens."""
    if (folder / "u.data").is_file() and (folder / "u.item").is_file():
        return _of(
            {"file": "u.item", "layout": "u.item"}, {"file": "u.data", "delimiter": "\t", "header": _RATING_HEADER}
        )
    if (folder / "ratings.dat").is_file() and (folder / "movies.dat").is_file():
        encoding = _encoding(folder / "movies.dat")  # 1M is Latin-1, 10M is UTF-8
        header = ("item_id", "title", "genres")
        return _of(
            {"file": "movies.dat", "delimiter": "::", "header": header, "encoding": encoding},
            {"file": "ratings.dat", "delimiter": "::", "header": _RATING_HEADER},
        )
    if _starts_with(folder / "ratings.csv", "userId,movieId,rating") and (folder / "movies.csv").is_file():
        return _of(
            {"file": "movies.csv", "columns": {"item_id": "movieId"}},
            {"file": "ratings.csv", "columns": {"user_id": "userId", "item_id": "movieId"}},
        )
    return None


def _of(items: dict[str, object], ratings: dict[str, object]) -> DatasetDescription:
    about: dict[str, object] = {
        "text": ("title",),
        "multi_valued": {"genres": "|"},
        "numeric": ("year",),
        "extract": _YEAR,
        "values": {"genres": {"(no genres listed)": None}},
    }
    return DatasetDescription(
        format="movielens",
        licence="MovieLens terms of use (GroupLens): no redistribution without permission",
        items=ItemsDescription.model_validate(about | items),
        interactions=InteractionsDescription.model_validate({"minimum_rating": LIKED} | ratings),
    )


def _encoding(path: Path) -> str:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _starts_with(path: Path, header: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(header) + 3).removeprefix(b"\xef\xbb\xbf").startswith(header.encode())
