"""One file's rows as strings, each with the number a person would give it."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LIST_SEPARATOR = "\x1f"
"""Joins the values of a list column (JSON, parquet): no text holds this control character."""


@dataclass(frozen=True)
class Table:
    """N rows. Every column is an Arrow array of strings without nulls; "" stands for a missing value."""

    file: str
    """As the user would name it: relative to the dataset's root."""
    row_N: np.ndarray
    """Number of each row, counted from 1 without the header; rows that could not be read leave gaps."""
    columns: dict[str, pa.Array]
    list_separator: dict[str, str] = field(default_factory=dict)
    """Columns that the file itself declares to be lists → separator of their values."""
    discrete: frozenset[str] = frozenset()
    """Columns that the file itself declares to be categories, even where they look like numbers."""

    def __len__(self) -> int:
        return len(self.row_N)

    def text(self, column: str) -> pa.Array:
        """A column without surrounding spaces; a list shows as its values joined by ", "."""
        array = self.columns[column]
        if self.list_separator.get(column) == LIST_SEPARATOR:
            array = pc.replace_substring(array, LIST_SEPARATOR, ", ")
        return pc.utf8_trim_whitespace(array)

    def without(self, names: Collection[str]) -> "Table":
        """The table without some columns; those it has not are not missed."""
        if not names:
            return self
        return replace(self, columns={name: array for name, array in self.columns.items() if name not in names})

    def take(self, is_kept_N: np.ndarray) -> "Table":
        """The rows under a boolean mask."""
        if is_kept_N.all():
            return self
        mask = pa.array(is_kept_N)
        columns = {name: array.filter(mask) for name, array in self.columns.items()}
        return Table(self.file, self.row_N[is_kept_N], columns, self.list_separator, self.discrete)


def to_objects(array: pa.Array) -> np.ndarray:
    """An Arrow string array as a NumPy object array of str."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=object)


def to_strings(values: "np.ndarray | list[str] | pa.Array | pa.ChunkedArray") -> pa.Array:
    """One contiguous Arrow array of strings, nulls as ""; large offsets, so that a file may pass 2 GiB."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        strings = pc.fill_null(pc.cast(values, pa.large_string()), "")
    else:
        strings = pa.array(values, type=pa.large_string())
    if isinstance(strings, pa.ChunkedArray):
        strings = strings.combine_chunks()
    # Depending on its version, Arrow hands a combined chunked array back as one chunk.
    return pa.concat_arrays(strings.chunks) if isinstance(strings, pa.ChunkedArray) else strings


def factorize(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Codes (int64, one per row) and distinct values (object array of str) in order of first appearance."""
    encoded = array.dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), to_objects(encoded.dictionary)
