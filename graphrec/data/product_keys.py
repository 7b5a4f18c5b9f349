"""Keys that identify a product across sites, in one spelling each: own keys, GTIN, URL, ASIN."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import numpy as np

from graphrec.data.same_as_description import KEY_COLUMNS, KeyName
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize

_TRACKING = re.compile(r"utm_.*|gclid|fbclid|msclkid|dclid|mc_[ce]id", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MISSING = "the key counts as missing, the item stays"


def read_keys(table: Table, columns: dict[str, str], collector: SetAsideCollector) -> dict[str, np.ndarray]:
    """Key name → normalised value per row ("" where missing), for the keys that `columns` maps to a column.

    A value that is no such key is reported and counts as missing.
    """
    keys: dict[str, np.ndarray] = {}
    for name in KEY_COLUMNS:
        if name in columns:
            code_N, distinct = factorize(table.text(columns[name]))
            normal = [_NORMALISE[name](value) if value else "" for value in distinct]
            is_wrong_N = np.array([value is None for value in normal], dtype=bool)[code_N]
            collector.report(table, is_wrong_N, columns[name], f"{_EXPECTED[name]}; {_MISSING}")
            keys[name] = np.array([value or "" for value in normal], dtype=object)[code_N]
    return keys


def normal_gtin(value: str) -> str | None:
    """14 digits, or None where the value is no GTIN that holds across shops.

    GTIN-8, -12, -13 and -14 are one number with zeros in front, and zeros that a spreadsheet dropped come back. The
    check digit must be right (GS1 General Specifications, 7.9: weights 3 and 1 from the right). Numbers that GS1 leaves
    to each shop for its own use (prefixes 02, 04 and 2) say nothing about another shop.
    """
    digits = re.sub(r"[\s-]|\.0$", "", value)  # .0: a number that went through a float
    if not re.fullmatch(r"[0-9]{8,14}", digits) or not digits.strip("0"):
        return None
    digits = digits.zfill(14)
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    is_of_one_shop = digits[0] == "0" and (digits[1] == "2" or digits[1:3] in ("02", "04"))
    return None if weighted % 10 or is_of_one_shop else digits


def normal_url(value: str) -> str | None:
    """Host, path and query in one spelling, without scheme, `www.`, fragment and tracking; None where it is no URL."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    host = host.removeprefix("www.").rstrip(".")
    host = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = quote(unquote(parts.path)).rstrip("/")
    query = urlencode(sorted(pair for pair in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(pair[0])))
    return f"{host}{path}?{query}" if query else f"{host}{path}"


def normal_asin(value: str) -> str | None:
    """Ten capital letters and digits, or None."""
    asin = value.upper()
    return asin if re.fullmatch(r"[A-Z0-9]{10}", asin) else None


def _as_it_is(value: str) -> str | None:
    return value


_NORMALISE: dict[KeyName, Callable[[str], str | None]] = {
    "product_key": _as_it_is,
    "gtin": normal_gtin,
    "url": normal_url,
    "asin": normal_asin,
}
_EXPECTED: dict[KeyName, str] = {
    "product_key": "",
    "gtin": "not a GTIN that holds across shops (8 to 14 digits with a right check digit, no number of one shop's own)",
    "url": "not a URL: expected https://host/path",
    "asin": "not an ASIN: expected ten letters and digits",
}
