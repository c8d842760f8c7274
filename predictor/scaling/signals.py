"""Keeps what a signal does here while a library changes it.

Ray's core puts a handler of its own under SIGTERM, below Python's: it prints a stack and aborts. Python lets only the
main thread set handlers, and only its own; so the C library is asked for the whole entry, which is put back later.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator

_ENTRY_BYTES = 1024
"""More than any C library's `struct sigaction` has; what is in it is nobody's business here."""


@contextmanager
def kept(number: signal.Signals) -> Iterator[None]:
    """Do in the end with a signal what was done with it in the beginning; in any thread."""
    library = ctypes.CDLL(None)
    entry = ctypes.create_string_buffer(_ENTRY_BYTES)
    library.sigaction(int(number), None, entry)
    try:
        yield
    finally:
        library.sigaction(int(number), entry, None)
