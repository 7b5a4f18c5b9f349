"""schema.org Products as JSON-LD: from web pages, from .json/.jsonld files, or one object per line."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.json_lines import table_of_objects
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError

_HTML = (".html", ".htm")
_JSON = (".json", ".jsonld")
_LINES = (".jsonl", ".ndjson", ".jsonl.gz")
_MAX_BYTES = 64 << 20
"""Of one page or JSON file; a file of lines may be larger."""
_MAX_DEPTH = 8
_GTINS = ("gtin14", "gtin13", "gtin12", "gtin8", "gtin")
_IDS = ("sku", "productID", "mpn", "@id", *_GTINS, "url")
_MARK = re.compile(rb"<!--|<script\b")
_LD_JSON = re.compile(rb"type\s*=\s*[\"']?\s*application/ld\+json")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def read_json_ld(root: Path, file: str, collector: SetAsideCollector) -> Table:
    """A row per Product in `root/file`: a page, a JSON file, a file of lines, or a folder of such files.

    Columns: item_id (sku, or the first other identifier), title, description, brand, category, color, material, price,
    price_currency, gtin, url, image (a path; the first that is no URL), image_url (never fetched). Rows are numbered
    over all files. Set aside: files that cannot be read, and products without any identifier. Raises GraphRecError
    where there is no such file or folder.
    """
    path = root / file
    if not path.exists():
        raise GraphRecError(f"{file} does not exist under {root}; name the right file in dataset.yaml, or give --root.")
    paths = [path]
    if path.is_dir():
        known = (*_HTML, *_JSON, *_LINES)
        paths = sorted(one for one in path.rglob("*") if one.is_file() and one.name.lower().endswith(known))
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    number = 0
    for one in paths:
        name = one.relative_to(root).as_posix()
        for product in _products_of_file(one, name, collector):
            number += 1
            row = _flat(product)
            if row["item_id"]:
                rows.append(row)
                numbers.append(number)
            else:
                title = row["title"] or "(no name)"
                collector.add(file, [number], "item_id", [title], "a product without sku or other identifier")
    return table_of_objects(rows, np.array(numbers, dtype=np.int64), file)


def _products_of_file(path: Path, name: str, collector: SetAsideCollector) -> Iterator[dict[str, Any]]:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.name.endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        collector.add(name, [1], "", [name], f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    is_lines = path.name.lower().endswith(_LINES)
    if not is_lines and len(data) > _MAX_BYTES:
        collector.add(name, [1], "", [name], f"larger than {_MAX_BYTES >> 20} MiB")
        return
    for number, piece in enumerate(_pieces(path, data, is_lines), start=1):
        if not piece.strip():
            continue
        try:
            content = _DECODER.decode(piece.strip())
        except (ValueError, RecursionError):
            collector.add(name, [number], "", [piece.strip()[:200]], "not readable as JSON-LD")
            continue
        yield from _products(content)


def _pieces(path: Path, data: bytes, is_lines: bool) -> list[str]:
    """The JSON texts of a file."""
    if path.suffix.lower() in _HTML:
        return _scripts(data)
    text = data.decode("utf-8-sig", "replace")
    return text.split("\n") if is_lines else [text]


def _scripts(html: bytes) -> list[str]:
    """The contents of `<script type="application/ld+json">`, those in comments left out.

    A search for the next mark instead of a whole parser: pages are long, and a shop has many.
    """
    plain = html.lower()  # bytes: only ASCII letters change, so places stay
    texts = []
    place = 0
    while mark := _MARK.search(plain, place):
        if mark[0] == b"<!--":
            end = plain.find(b"-->", mark.end())
        else:
            body = plain.find(b">", mark.end()) + 1
            end = plain.find(b"</script", body) if body else -1
            if end >= 0 and _LD_JSON.search(plain, mark.end(), body):
                texts.append(html[body:end].decode("utf-8", "replace"))
        if end < 0:  # the page is cut off
            break
        place = end
    return texts


def _products(content: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every Product in a JSON-LD document, the variants of a ProductGroup each for itself."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(content, list):
        for part in content:
            yield from _products(part, depth + 1)
    elif isinstance(content, dict):
        variants = content.get("hasVariant")
        if _is_a(content, "ProductGroup") and variants:
            shared = {
                key: value for key, value in content.items() if key in ("name", "brand", "category", "description")
            }
            for variant in _products(variants, depth + 1):
                yield shared | variant
        elif _is_a(content, "Product"):
            yield content
        else:
            for key in ("@graph", "mainEntity", "itemListElement", "item"):
                yield from _products(content.get(key), depth + 1)


def _is_a(content: dict[str, Any], kind: str) -> bool:
    types = content.get("@type")
    types = types if isinstance(types, list) else [types]
    return any(isinstance(one, str) and one.rpartition("/")[2].rpartition(":")[2] == kind for one in types)


def _flat(product: dict[str, Any]) -> dict[str, Any]:
    offer = _first(product.get("offers"))
    offer = offer if isinstance(offer, dict) else {}
    images = [text for text in _texts(product.get("image"), ("contentUrl", "url")) if text]
    return {
        "item_id": next((text for name in _IDS if (text := _text(product.get(name)))), ""),
        "title": _text(product.get("name")),
        "description": _text(product.get("description")),
        "brand": _text(product.get("brand") or product.get("manufacturer")),
        "category": _texts(product.get("category"), ("name",)),
        "color": _text(product.get("color")),
        "material": _text(product.get("material")),
        "price": _text(offer.get("price") or offer.get("lowPrice")),
        "price_currency": _text(offer.get("priceCurrency")),
        "gtin": next((text for name in _GTINS if (text := _text(product.get(name)))), ""),
        "url": _text(product.get("url")),
        "image": next((image for image in images if "://" not in image and not image.startswith("//")), ""),
        "image_url": next((image for image in images if "://" in image or image.startswith("//")), ""),
    }


def _first(value: Any) -> Any:
    return (value[0] if value else None) if isinstance(value, list) else value


def _text(value: Any) -> str:
    """A plain text: of a list its first, of an object its name."""
    texts = _texts(value, ("name", "@id"))
    return texts[0] if texts else ""


def _texts(value: Any, names: tuple[str, ...]) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [next((one[name] for name in names if name in one), "") if isinstance(one, dict) else one for one in values]
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]
