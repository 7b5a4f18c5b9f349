"""Locks between processes, on the files and folders themselves: no lock file to leave behind.

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
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; wait for it where another process holds it."""
    lock = wait_for_lock(folder)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)
