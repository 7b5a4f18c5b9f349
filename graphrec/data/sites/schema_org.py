"""A shop's own pages: schema.org Products as JSON-LD, in HTML, .jsonld, or lines, with or without a log beside them."""

from pathlib import Path

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription

_PAGES = ("*.jsonld", "*.html", "*.htm")
_PLACES = ("products.jsonl", "products.jsonld", "products", ".")
_LOGS = ("interactions.csv", "interactions.parquet", "interactions.tsv", "interactions.jsonl")


def describe(folder: Path) -> DatasetDescription | None:
    """Products and, where there is one, the log; None where no file holds JSON-LD."""
    place = next((name for name in _PLACES if _holds_json_ld(folder / name)), None)
    if place is None:
        return None
    log = next((name for name in _LOGS if (folder / name).is_file()), None)
    return DatasetDescription(
        format="schema.org",
        items=ItemsDescription(
            file=place,
            layout="json-ld",
            text=("title", "description"),
            categorical=("brand", "color", "material"),
            multi_valued={"category": "|"},
            numeric=("price",),
        ),
        interactions=() if log is None else InteractionsDescription(file=log),
    )


def _holds_json_ld(path: Path) -> bool:
    if path.is_dir():
        return any(next(path.glob(pattern), None) for pattern in _PAGES)
    return path.is_file() and b'"@type"' in path.read_bytes()[: 1 << 16]
