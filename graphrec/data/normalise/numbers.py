"""Numbers that carry a unit or a currency: `12 in`, `$1,299.00`."""

import re

_NUMBER = re.compile(r"(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][+-]?\d+)?|[+-]?\.\d+)")


def split_number(text: str) -> tuple[float, str] | None:
    """(number, what stands around it), such as (12.0, "in"); None where there is not exactly one number.

    A comma counts as a separator of thousands where three digits follow it; `12,99` is no number, since it would be
    1299 to some and 12.99 to others.
    """
    match = _NUMBER.search(text)
    if match is None:
        return None
    around = (text[: match.start()] + text[match.end() :]).strip()
    if re.search(r"[\d,.]", around.rstrip(".")):
        return None
    return float(match["number"].replace(",", "")), around.rstrip(".").strip()
