"""Titles as another site might write them: a seeded corrupter with three levels."""

import re
from dataclasses import dataclass

import numpy as np

_ARTICLE = "The|A|An|Les|Le|La|El|Il|Los|Das|Der"
_MOVED = re.compile(rf"^(.*), ({_ARTICLE})$")
_LEADING = re.compile(rf"^({_ARTICLE}) (.+)$")
_YEAR = re.compile(r"^(.*?)\s*\((\d{4})\)$")
_SUBTITLE = re.compile(r"\s*[:(]|\s-\s")
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


@dataclass(frozen=True)
class Noise:
    """The chance of each kind of damage to a title."""

    typos: float
    """One or two letters are left out, doubled, swapped or changed."""
    article: float
    """An article is dropped, moved behind or moved before."""
    subtitle: float
    """What follows a colon, a dash or a bracket is dropped."""
    year_missing: float
    year_off: float
    """By one, either way."""


LEVELS = {
    "light": Noise(typos=0.1, article=0.1, subtitle=0.1, year_missing=0.1, year_off=0.1),
    "middle": Noise(typos=0.3, article=0.3, subtitle=0.3, year_missing=0.2, year_off=0.25),
    "heavy": Noise(typos=0.6, article=0.5, subtitle=0.5, year_missing=0.35, year_off=0.4),
}


def corrupted(title: str, noise: Noise, rng: np.random.Generator) -> str:
    """The title, with or without a year in brackets, after every kind of damage has had its chance."""
    with_year = _YEAR.match(title.strip())
    name, year = (with_year[1], int(with_year[2])) if with_year else (title.strip(), None)
    if rng.random() < noise.article:
        name = _other_article(name, rng)
    if rng.random() < noise.subtitle:
        name = _SUBTITLE.split(name)[0] or name
    if rng.random() < noise.typos:
        for _ in range(rng.integers(1, 3)):
            name = _typo(name, rng)
    chance = rng.random()
    if year is None or chance < noise.year_missing:
        return name
    return f"{name} ({year + (rng.choice([-1, 1]) if chance < noise.year_missing + noise.year_off else 0)})"


def _other_article(name: str, rng: np.random.Generator) -> str:
    moved, leading = _MOVED.match(name), _LEADING.match(name)
    if moved:
        rest, article = moved.groups()
    elif leading:
        article, rest = leading.groups()
    else:
        return name
    return (rest, f"{rest}, {article}", f"{article} {rest}")[rng.integers(3)]


def _typo(name: str, rng: np.random.Generator) -> str:
    if len(name) < 4:
        return name
    place = int(rng.integers(1, len(name) - 1))
    before, letter, after = name[:place], name[place], name[place + 1 :]
    return (
        before + after,
        before + letter + letter + after,
        before[:-1] + letter + before[-1] + after,
        before + str(rng.choice(_LETTERS)) + after,
    )[rng.integers(4)]
