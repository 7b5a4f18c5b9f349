"""A file that is whole or not there: written beside its place, synced to disk, then renamed into it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphrec.locks import try_lock


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, put in place of `path` when the block ends; nothing is left of it where the block raises.

    What a killed process left of its own is deleted; what a living one is still writing is not, because it is locked.
    """
    path = Path(path).resolve()  # a link keeps pointing at the file that it points at
    _delete_leftovers(path)
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    part.touch(exist_ok=False)
    lock = try_lock(part)
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def remove(path: Path) -> None:
    """Delete the file and what killed writers left beside it; no error where there is none."""
    path = Path(path).resolve()
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _delete_leftovers(path)


def _delete_leftovers(path: Path) -> None:
    start, end = f".{path.name}.", ".part"
    for leftover in [one for one in path.parent.iterdir() if one.name.startswith(start) and one.name.endswith(end)]:
        with suppress(FileNotFoundError):  # its writer has just finished
            lock = try_lock(leftover)
            if lock is not None:
                leftover.unlink(missing_ok=True)
                os.close(lock)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
