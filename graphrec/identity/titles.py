"""Titles in the form in which they are compared: case, accents, articles and the year taken off, numbers read."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

_ARTICLES = "the|an?|les?|la|il|lo|el|los|las|der|das|eine?|une?|den|det|het|l'"
_LEADING = re.compile(rf"^(?:{_ARTICLES})(?:\s+|(?<='))(?=\w)")
_MOVED = re.compile(rf",\s*(?:{_ARTICLES}|die|de|o|os|as)\s*(?=$|[():\[\]-])")
_YEAR = re.compile(r"[(\[]\s*((?:18|19|20)\d\d)\s*[)\]]")
_NOT_A_WORD = re.compile(r"[^\w]+|_")
_NUMERALS = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii")
_ROMAN = {numeral: str(number) for number, numeral in enumerate(_NUMERALS, start=2)}


@dataclass(frozen=True)
class Titles:
    """The titles of I items. `words_I` are normalised, "" where nothing is left; `year_I` is nan where none stands."""

    words_I: np.ndarray
    numbers_I: np.ndarray
    """The numbers in each title, written with spaces between them; Roman ones from II on read as numbers."""
    year_I: np.ndarray

    @classmethod
    def of(cls, titles: Iterable[str]) -> Self:
        """Normalise every title; see `normalized`."""
        parts = [_parts(title) for title in titles]
        return cls(
            words_I=np.array([words for words, _ in parts], dtype=object),
            numbers_I=np.array([_numbers(words) for words, _ in parts], dtype=object),
            year_I=np.array([year for _, year in parts], dtype=np.float64),
        )


def normalized(title: str) -> str:
    """Lower case without accents, punctuation, a year in brackets, and an article before or, moved, behind.

    "Matrix, The (1999)", "the matrix" and "The Matrix [1999]" are all "matrix"; a title of nothing else keeps it.
    """
    return _parts(title)[0]


def _parts(title: str) -> tuple[str, float]:
    """The normalised title, and the last year in brackets (nan where there is none)."""
    text = unicodedata.normalize("NFKD", title.casefold())
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).replace("’", "'").strip()
    years = _YEAR.findall(text)
    text = _YEAR.sub(" ", text).strip()
    bare = _LEADING.sub("", _MOVED.sub(" ", text))
    words = " ".join(_NOT_A_WORD.sub(" ", bare.replace("&", " and ")).split())
    words = words or " ".join(_NOT_A_WORD.sub(" ", text).split())
    return words, float(years[-1]) if years else np.nan


def _numbers(words: str) -> str:
    found = (_ROMAN.get(word, word) for word in words.split())
    return " ".join(dict.fromkeys(word.lstrip("0") or "0" for word in found if word.isascii() and word.isdigit()))
