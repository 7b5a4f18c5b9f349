"""Which format a folder has, and its description."""

from collections.abc import Callable
from pathlib import Path

from graphrec.data.dataset_yaml import altered
from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription
from graphrec.data.sites import amazon, hm, movielens, schema_org, xmarket
from graphrec.data.sites.format_name import FormatName
from graphrec.errors import GraphRecError

Describe = Callable[[Path], DatasetDescription | None]


def _recbole(folder: Path) -> DatasetDescription | None:
    """RecBole's atomic files have names of their own, which are found like the usual ones."""
    return DatasetDescription(format="recbole") if any(folder.glob("*.item")) and any(folder.glob("*.inter")) else None


_FORMATS: dict[FormatName, tuple[Describe, str]] = {
    "recbole": (_recbole, "*.item and *.inter"),
    "movielens": (movielens.describe, "u.item and u.data, movies.dat and ratings.dat, or movies.csv and ratings.csv"),
    "amazon-reviews-2023": (amazon.describe, "meta_<Category>.jsonl and <Category>.jsonl (or .jsonl.gz)"),
    "xmarket": (xmarket.describe, "ratings_<market>_<Category>.txt (or .txt.gz), or <market>_5core.txt"),
    "hm": (hm.describe, "articles.csv and transactions_train.csv"),
    "schema.org": (schema_org.describe, "products as .jsonld, .html or products.jsonl"),
}
"""Name → (how it is described, which files tell it)."""


def recognise(folder: Path) -> DatasetDescription | None:
    """The description of a folder in a known format; None where its files are of none."""
    return next((found for describe, _ in _FORMATS.values() if (found := describe(folder)) is not None), None)


def in_format(given: DatasetDescription, folder: Path) -> DatasetDescription:
    """A description that names a format, filled in from the folder's files; what it says itself counts more.

    Raises GraphRecError where the folder has not the format's files.
    """
    if given.format is None:
        return given
    describe, files = _FORMATS[given.format]
    found = describe(folder)
    if found is None:
        raise GraphRecError(f"{folder} is not in the format {given.format}: expected {files}.")
    said = {name: getattr(given, name) for name in given.model_fields_set - {"items", "interactions"}}
    update = dict(said)
    if "items" in given.model_fields_set:
        update["items"] = given.items if _names_files(given.item_files) else _over(found.item_files, given.item_files)
    if "interactions" in given.model_fields_set:
        whole = _names_files(given.interaction_files)
        update["interactions"] = (
            given.interactions if whole else _over(found.interaction_files, given.interaction_files)
        )
    return altered(found, update, f"dataset.yaml, format {given.format}")


def _names_files(sources: tuple[ItemsDescription, ...] | tuple[InteractionsDescription, ...]) -> bool:
    return len(sources) != 1 or sources[0].file is not None


def _over(
    found: tuple[ItemsDescription, ...] | tuple[InteractionsDescription, ...],
    given: tuple[ItemsDescription, ...] | tuple[InteractionsDescription, ...],
) -> tuple[ItemsDescription | InteractionsDescription, ...]:
    """Every source of the format, with what the one given entry says in place of its own."""
    said = {name: getattr(given[0], name) for name in given[0].model_fields_set}
    return tuple(source.model_copy(update=said) for source in found)
