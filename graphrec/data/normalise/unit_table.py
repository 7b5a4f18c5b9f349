"""Units that numeric columns may have, each with its dimension and its size in that dimension's first unit."""

UNITS: dict[str, tuple[str, float]] = {
    "mm": ("length", 1.0),
    "cm": ("length", 10.0),
    "m": ("length", 1000.0),
    "in": ("length", 25.4),
    "ft": ("length", 304.8),
    "g": ("mass", 1.0),
    "kg": ("mass", 1000.0),
    "oz": ("mass", 28.349523125),
    "lb": ("mass", 453.59237),
    "ml": ("volume", 1.0),
    "cl": ("volume", 10.0),
    "l": ("volume", 1000.0),
    "s": ("time", 1.0),
    "min": ("time", 60.0),
    "h": ("time", 3600.0),
}
"""Inch, foot, ounce (avoirdupois) and pound as the international agreement of 1959 defines them."""

_ALSO_WRITTEN = {
    '"': "in",
    "inch": "in",
    "inches": "in",
    "'": "ft",
    "feet": "ft",
    "foot": "ft",
    "centimeters": "cm",
    "millimeters": "mm",
    "meters": "m",
    "grams": "g",
    "kilograms": "kg",
    "ounces": "oz",
    "pound": "lb",
    "pounds": "lb",
    "lbs": "lb",
    "milliliters": "ml",
    "liters": "l",
    "minutes": "min",
    "hours": "h",
    "seconds": "s",
}


def unit_called(name: str) -> str | None:
    """The unit that a value names, such as `inches`; None where it is not known."""
    name = name.lower()
    return name if name in UNITS else _ALSO_WRITTEN.get(name)


def factor_between(source: str, to: str) -> float:
    """What a number in unit `source` is multiplied by. Raises ValueError where the two measure different things."""
    (from_dimension, from_size), (to_dimension, to_size) = UNITS[source], UNITS[to]
    if from_dimension != to_dimension:
        raise ValueError(f"{source} is a {from_dimension} and {to} a {to_dimension}")
    return from_size / to_size
