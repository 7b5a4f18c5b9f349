"""Everything about a catalogue's items that pairs of them are compared by, prepared once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from graphrec.data.catalogue import Catalogue
from graphrec.features.modality import Modality
from graphrec.identity.titles import Titles
from graphrec.identity.weighted_sets import WeightedSets, words_of

_YEAR_NAME = re.compile(r"(^|_)year($|_)", re.IGNORECASE)
_NOT_A_WORD = re.compile(r"[^\w]+")


@dataclass(frozen=True)
class Profiles:
    """What I items are compared by. Every part knows which items lack it."""

    titles_I: np.ndarray
    """Normalised titles, "" where missing."""
    title_ngrams: WeightedSets
    title_words: WeightedSets
    all_words: WeightedSets
    """Words of all text columns, the title among them."""
    description_words: WeightedSets
    """Words of the text columns without the title."""
    numbers: WeightedSets
    """The numbers in the titles."""
    year_I: np.ndarray
    """From a numeric attribute with `year` in its name, or in brackets in the title; nan where neither."""
    categorical: dict[str, np.ndarray]
    """Attribute → code of each item's value, -1 where missing; case and surrounding space do not count."""
    multi_valued: dict[str, WeightedSets]
    numeric: dict[str, np.ndarray]
    vectors: dict[str, Modality]
    """Name → vectors of unit length."""

    @classmethod
    def of(cls, catalogue: Catalogue, vectors: Mapping[str, Modality] | None = None) -> Self:
        """Of all items of a catalogue; `vectors` stand beside, such as those of CLIP: name → modality of its items."""
        titles = Titles.of(catalogue.title)
        attributes = catalogue.attributes
        year_names = [name for name in attributes.numeric if _YEAR_NAME.search(name)]
        year_I = titles.year_I
        for name in year_names:
            year_I = np.where(np.isnan(attributes.numeric[name]), year_I, attributes.numeric[name])
        rests = [text.removeprefix(title) for text, title in zip(catalogue.text, catalogue.title, strict=True)]
        return cls(
            titles_I=titles.words_I,
            title_ngrams=WeightedSets.of(titles.words_I, "char_wb", (2, 3)),
            title_words=WeightedSets.of(titles.words_I, words_of, (1, 1)),
            all_words=WeightedSets.of([_plain(text) for text in catalogue.text], words_of, (1, 1)),
            description_words=WeightedSets.of([_plain(text) for text in rests], words_of, (1, 1)),
            numbers=WeightedSets.of(titles.numbers_I, words_of, (1, 1)),
            year_I=year_I,
            categorical=cls.codes(catalogue),
            multi_valued={
                name: WeightedSets.of(["\n".join(values).casefold() for values in lists], _lines_of, (1, 1))
                for name, lists in attributes.multi_valued.items()
            },
            numeric={name: values for name, values in attributes.numeric.items() if name not in year_names},
            vectors={name: _unit(modality) for name, modality in (vectors or {}).items()},
        )

    @staticmethod
    def codes(catalogue: Catalogue) -> dict[str, np.ndarray]:
        """Categorical attribute → code of each item's value, -1 where missing; case and space around do not count."""
        return {name: _codes(values) for name, values in catalogue.attributes.categorical.items()}

    @property
    def num_items(self) -> int:
        """I."""
        return len(self.year_I)

    def values(self) -> sp.csr_matrix:
        """Items × values of all categorical and multi-valued attributes (CSR float32), rows of unit length."""
        parts = [_one_hot(code_I) for code_I in self.categorical.values()]
        parts += [sets.root_IT for sets in self.multi_valued.values()]
        if not parts:
            return sp.csr_matrix((self.num_items, 1), dtype=np.float32)
        joined = sp.hstack(parts, format="csr", dtype=np.float32)
        length_I = np.sqrt(np.asarray(joined.multiply(joined).sum(axis=1)).ravel())
        return (sp.diags((1 / np.maximum(length_I, 1e-12)).astype(np.float32)) @ joined).tocsr()


def _plain(text: str) -> str:
    return " ".join(_NOT_A_WORD.sub(" ", text.casefold()).split())


def _codes(values: np.ndarray) -> np.ndarray:
    folded = np.array([value.strip().casefold() or None for value in values], dtype=object)
    return pd.factorize(folded)[0].astype(np.int64)


def _lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _one_hot(code_I: np.ndarray) -> sp.csr_matrix:
    """Weighted as `WeightedSets` weighs terms."""
    rows = np.flatnonzero(code_I >= 0)
    count_V = np.bincount(code_I[rows], minlength=1)
    root_V = np.sqrt(np.log(len(code_I) / np.maximum(count_V, 1)) + 0.1).astype(np.float32)
    return sp.csr_matrix((root_V[code_I[rows]], (rows, code_I[rows])), shape=(len(code_I), len(count_V)))


def _unit(modality: Modality) -> Modality:
    length_I = np.linalg.norm(modality.x_IF, axis=1, keepdims=True)
    return Modality(modality.x_IF / np.maximum(length_I, np.float32(1e-12)), modality.present_I)
