"""Scratch folders beside the place that they are for, and why the disk refused to take something."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphrec.locks import try_lock, wait_for_lock

_ONLY_A_PART = "only a part of it could be written, the disk may be full"


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """An empty folder beside `place`, deleted after the block unless the block renames it.

    What killed processes left there is deleted; what a living one is still writing is not, because it is locked.
    """
    delete_leftovers(place)
    path, lock = _made_and_locked(place)
    try:
        yield path
    finally:
        if lock is not None:
            os.close(lock)
        shutil.rmtree(path, ignore_errors=True)


def scratch_path(place: Path) -> Path:
    """A name beside `place` that does not exist, and whose content counts as left by a killed process."""
    return place.parent / f"{_start_of_scratch(place)}{secrets.token_hex(4)}"


def delete_leftovers(place: Path) -> None:
    """Delete what killed processes left beside `place`."""
    if not place.parent.is_dir():
        return
    for leftover in [one for one in place.parent.iterdir() if one.name.startswith(_start_of_scratch(place))]:
        with suppress(FileNotFoundError):  # its writer has just finished
            lock = try_lock(leftover)
            if lock is not None:  # its writer is dead
                shutil.rmtree(leftover, ignore_errors=True)
                os.close(lock)


def share(path: Path) -> None:
    """Let others read the file where the system lets them read its folder; some libraries keep it to its owner."""
    path.chmod(path.parent.stat().st_mode & 0o666)


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, onto the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_refuses(error: OSError) -> bool:
    """Whether it is about a disk that is full, over its quota or not to be written to: nothing a program can mend."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def why_not_written(error: Exception) -> str | None:
    """What kept something from being written, in the system's words; None where the error is about something else."""
    if isinstance(error, OSError):
        if re.fullmatch(r"\d+ requested and \d+ written", str(error)):  # NumPy names no reason
            return _ONLY_A_PART
        return os.strerror(error.errno) if error.errno else str(error)  # its own words may be the library's
    # safetensors and FAISS have exceptions of their own, with the system's words inside.
    found = re.search(r"I/O error: (.+) \(os error \d+\)|write error in .*\((.+)\)", str(error))
    return (found[1] or found[2]) if found else None


def lacks_room(reason: str) -> bool:
    """Whether what `why_not_written` told is mended by making room."""
    full = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
    return reason in (*full, _ONLY_A_PART)


def why_refused(error: OSError) -> str | None:
    """One line on a file that the system does not let the user touch; None where the error is about something else."""
    if isinstance(error, PermissionError):
        advice = "ask its owner to share it, or name another"
        return f"{error.filename or 'A file'}: permission denied; {advice}."
    if not disk_refuses(error):
        return None
    where = f"{error.filename} cannot be written" if error.filename else "The disk refuses"
    return f"{where}: {why_not_written(error)}."


def _made_and_locked(place: Path) -> tuple[Path, int | None]:
    while True:
        path = scratch_path(place)
        path.mkdir()
        with suppress(FileNotFoundError):
            lock = wait_for_lock(path)
            if path.exists():
                return path, lock
            if lock is not None:
                os.close(lock)
        # Another process took it for a leftover before it had its lock.


def _start_of_scratch(place: Path) -> str:
    return f".{place.name}.writing-"
