"""A file that is whole or not there: written beside its place, synced to disk, then renamed into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrec.disk import delete_leftovers, scratch_folder, share, sync


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that is put in place of `path` after the block; nothing is left where the block raises.

    What a killed process left of its own is deleted; what a living one is still writing is not.
    """
    path = Path(path).resolve()  # a link keeps pointing at the file that it points at
    with scratch_folder(
        path
    ) as folder:  # a folder: some libraries write files of their own beside the one they are told
        scratch = folder / path.name
        yield scratch
        share(scratch)
        sync(scratch)
        os.replace(scratch, path)
        sync(path.parent)


def remove(path: Path) -> None:
    """Delete the file and what killed writers left beside it; no error where there is none."""
    path = Path(path).resolve()
    path.unlink(missing_ok=True)
    delete_leftovers(path)
