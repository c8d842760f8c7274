"""One process at a time: a lock that the kernel takes back from a process that died."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def locked(path: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock while the block runs; it is a hidden file beside `path` and is gone afterwards.

    Args:
        path: What is locked; need not exist.
        waits: Called once if another process holds the lock.

    Raises:
        OSError: The folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _opened(lock, waits)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # before it is let go: who waits sees that it holds a file that is gone
        os.close(descriptor)


def _opened(lock: Path, waits: Callable[[], None] | None) -> int:
    told = False
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waits and not told:
                waits()
                told = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_still(lock, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(lock: Path, descriptor: int) -> bool:
    """Return whether the file that was locked is the one that has the name."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
