"""Locks between processes, on the files and folders themselves; a lock file only where work is long, see `lock_file`.

The system releases the locks of a process that ends, however it ends.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no lock, so two writers of one folder must not finish at the same moment
    fcntl = None  # type: ignore[assignment]


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock of a file or folder until it is closed; None where another process holds it."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def wait_for_lock(path: Path) -> int | None:
    """A descriptor that holds the lock; waits where another process holds it. None on a system without locks."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@contextmanager
def lock_file(path: Path) -> Iterator[bool]:
    """Make a file and hold its lock; it is deleted after the block. False where another process holds it.

    For long work, during which the folder's own lock must stay free. A file that a killed process left is taken over.
    Always True on a system without locks. OSError where the file cannot be made.
    """
    if fcntl is None:
        yield True
        return
    descriptor = _made_and_locked(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)  # while it is locked: nobody else's can be meant
            os.close(descriptor)


def _made_and_locked(path: Path) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # some network file systems have no locks
            return descriptor
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # its holder has deleted it between the two calls


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; wait for it where another process holds it."""
    lock = wait_for_lock(folder)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)
