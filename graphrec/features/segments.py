"""Cached vectors on disk: append-only .npy files that are whole or not there, each named by the sha256 of its bytes.

A row is a structure of `key` (sha256 of the content, 32 bytes), `is_cut` (1 where the model read only the beginning of
a text) and `vector` (float32). A name that is the content's own cannot collide: two processes that write the same rows
write the same file. A file whose bytes do not give its name was damaged, and is never read from.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from graphrec.atomic_file import replacing
from graphrec.disk import delete_leftovers

KEY = np.dtype("S32")
SUFFIX = ".npy"
_ROWS_AT_ONCE = 8_192


class DamagedSegmentError(Exception):
    """The file is not what its writer wrote."""


def row_dtype(dim: int) -> np.dtype:
    """Of one row with a vector of `dim` numbers."""
    return np.dtype([("key", KEY), ("is_cut", "<u4"), ("vector", "<f4", (dim,))])


def make_rows(key_N: np.ndarray, x_ND: np.ndarray, is_cut_N: np.ndarray) -> np.ndarray:
    """N rows."""
    rows = np.empty(len(key_N), dtype=row_dtype(x_ND.shape[1]))
    rows["key"], rows["is_cut"], rows["vector"] = key_N, is_cut_N, x_ND
    return rows


def write_segment(folder: Path, parts: Sequence[np.ndarray]) -> Path:
    """All rows of the parts in one file. Raises OSError where it cannot be written; then nothing is left of it."""
    name = hashlib.sha256()
    for piece in _pieces(parts):
        name.update(piece)
    path = folder / f"{name.hexdigest()}{SUFFIX}"
    with replacing(path) as part, part.open("wb") as file:
        for piece in _pieces(parts):
            file.write(piece)
    return path


def read_segment(path: Path, dim: int) -> np.ndarray:
    """Its rows, memory-mapped. Raises DamagedSegmentError; FileNotFoundError where somebody has merged it away."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.name.removesuffix(SUFFIX):
            raise DamagedSegmentError(f"{path} was damaged")
    return map_segment(path, dim)


def map_segment(path: Path, dim: int) -> np.ndarray:
    """As `read_segment`, for a file that this process has just written or checked."""
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DamagedSegmentError(f"{path} holds no vectors ({error})") from None
    if rows.ndim != 1 or rows.dtype != row_dtype(dim):
        raise DamagedSegmentError(f"{path} holds no vectors of {dim} numbers")
    return rows


def segment_paths(folder: Path) -> list[Path]:
    """Every segment, in the order of names, so that reading does not depend on the file system."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(Path(e.path) for e in entries if e.name.endswith(SUFFIX) and not e.name.startswith("."))


def delete_unfinished(folder: Path) -> None:
    """Delete what killed processes were writing; what a living one is writing stays."""
    for unfinished in {path.name.removeprefix(".").partition(SUFFIX)[0] for path in folder.glob(f".*{SUFFIX}.*")}:
        delete_leftovers(folder / f"{unfinished}{SUFFIX}")


def _pieces(parts: Sequence[np.ndarray]) -> Iterator[bytes]:
    """The bytes of the .npy file, in pieces: merged segments may be larger than what should be held twice."""
    header = io.BytesIO()
    described = np.lib.format.dtype_to_descr(parts[0].dtype)
    shape = (sum(len(part) for part in parts),)
    np.lib.format.write_array_header_1_0(header, {"descr": described, "fortran_order": False, "shape": shape})
    yield header.getvalue()
    for part in parts:
        for start in range(0, len(part), _ROWS_AT_ONCE):
            yield part[start : start + _ROWS_AT_ONCE].tobytes()
