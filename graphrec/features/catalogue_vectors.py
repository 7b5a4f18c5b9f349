"""A catalogue's pictures and texts as CLIP vectors, each distinct one encoded once; whole, or one shard of many."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.pictures import stays_inside
from graphrec.errors import GraphRecError
from graphrec.features.content_encoder import ContentEncoder, EncodedContents
from graphrec.features.modality import Modality
from graphrec.progress import Progress, silent

_MANY_SEGMENTS = 16
_LEAVES_FOLDER = "leaves the dataset folder through a link"


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count` parts. Each picture and text is in one of them, by its name or words alone."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From "i/N". Raises GraphRecError where that is not what it is."""
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and int(index) < int(count):
            return cls(int(index), int(count))
        raise GraphRecError(f"Expected a shard as i/N with i from 0 to N - 1, such as 0/8, got {text!r}.")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, names: Sequence[str]) -> np.ndarray:
        """Which of the names are in this shard: the same on every machine, and in every catalogue that has them."""
        if self.count == 1:
            return np.ones(len(names), dtype=bool)
        hashes = (hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8] for name in names)
        return np.array([int.from_bytes(one, "big") % self.count == self.index for one in hashes], dtype=bool)


WHOLE = Shard()


@dataclass(frozen=True)
class CatalogueVectors:
    """What became of the distinct pictures or texts of a catalogue, or of a shard of them."""

    row_I: np.ndarray
    """Row of each item's content in `contents`; -1 where it has none, or one that is not in the shard."""
    contents: EncodedContents
    failures: dict[str, tuple[int, str]]
    """Why a content has no vector → how many there are, and one of them."""

    @cached_property
    def num_items(self) -> int:
        """Items that have a vector."""
        row_I = self.row_I[self.row_I >= 0]
        return int((self.contents.key_N[row_I] != b"").sum())

    def modality(self) -> Modality:
        """The items' vectors."""
        x_ND, present_N = self.contents.take()
        row_I = np.where((self.row_I >= 0) & np.append(present_N, False)[self.row_I], self.row_I, -1)
        return Modality.from_rows(x_ND, row_I)


def catalogue_images(
    encoder: ContentEncoder, catalogue: Catalogue, progress: Progress = silent, shard: Shard = WHOLE
) -> CatalogueVectors:
    """The pictures that items name, each once: the sizes and colours of one product often share theirs."""
    code_I, names = _distinct(catalogue.image)
    root = Path() if catalogue.image_root is None else catalogue.image_root
    resolved = root.resolve()
    in_shard = np.flatnonzero(shard.holds(names)).tolist()
    is_inside = [stays_inside(resolved, root / names[code]) for code in in_shard]
    read = [code for code, inside in zip(in_shard, is_inside, strict=True) if inside]
    contents = encoder.encode_images([root / names[code] for code in read], progress, len(names))
    refused = [(names[code], _LEAVES_FOLDER) for code, inside in zip(in_shard, is_inside, strict=True) if not inside]
    failed = [(names[read[row]], reason) for row, reason in contents.problems.items()]
    _tidy(contents, shard)
    return CatalogueVectors(_rows(code_I, len(names), read), contents, _summed_up(failed + refused))


def catalogue_texts(
    encoder: ContentEncoder, catalogue: Catalogue, progress: Progress = silent, shard: Shard = WHOLE
) -> CatalogueVectors:
    """The items' texts, without the space around them, each once."""
    code_I, texts = _distinct([text.strip() for text in catalogue.text])
    read = np.flatnonzero(shard.holds(texts)).tolist()
    contents = encoder.encode_texts([texts[code] for code in read], progress, len(texts))
    _tidy(contents, shard)
    return CatalogueVectors(_rows(code_I, len(texts), read), contents, {})


def cut_note(num_cut: int, num_tokens: int) -> str:
    """That texts were cut, in words."""
    texts = "1 text is" if num_cut == 1 else f"{num_cut:,} texts are"
    return f"{texts} longer than the {num_tokens} tokens that the model reads, and the rest was cut"


def _distinct(values_I: Sequence[str] | np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Code of each item's value, -1 where it is empty, and the values in the order in which they come."""
    code_I, values = pd.factorize(np.array([value or None for value in values_I], dtype=object))
    return code_I, list(values)


def _tidy(contents: EncodedContents, shard: Shard) -> None:
    """Join many small files into one; a shard leaves that to whoever runs when all are done."""
    if shard == WHOLE:
        with suppress(GraphRecError):  # a cache that cannot be written can still be read
            contents.vectors.merge(at_least=_MANY_SEGMENTS)


def _rows(code_I: np.ndarray, num_codes: int, read: list[int]) -> np.ndarray:
    row_of_code = np.full(num_codes + 1, -1)  # the last one is that of code -1
    row_of_code[read] = np.arange(len(read))
    return row_of_code[code_I]


def _summed_up(failed: list[tuple[str, str]]) -> dict[str, tuple[int, str]]:
    example = {reason: name for name, reason in reversed(failed)}
    return {reason: (count, example[reason]) for reason, count in Counter(r for _, r in failed).most_common()}
