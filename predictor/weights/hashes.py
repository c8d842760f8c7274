"""sha256 of large files, and the memory that spares a restart from hashing them again."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 4 * 1024 * 1024
_MEMORY_NAME = "known-hashes.json"
# A file written a moment ago can be written again within the same tick of its clock, and look the same.
_SETTLED_NS = 2_000_000_000

# What tells a file from any other of the same path: device, inode, size, time of the data and of the inode. Together
# with the path they must all match; the inode's time cannot be set back by hand.
Stamp = tuple[int, int, int, int, int]


def sha256_of(path: Path, advanced: Callable[[int], object] | None = None) -> str:
    """Return a file's sha256 as 64 hex digits.

    Args:
        path: The file.
        advanced: Told how many bytes more have been read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            if advanced:
                advanced(len(chunk))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class HashMemory:
    """Hashes computed before, in a small file; without a folder, or where it cannot be written, nothing is remembered.

    It holds what a file's bytes were, never that they were right: the comparison is made every time.
    """

    folder: Path | None = None

    def sha256_of(self, path: Path) -> str:
        """Return a file's sha256, computed only if the file is not the one that was hashed before.

        Raises:
            OSError: The file cannot be read.
        """
        return self.known(path) or self.computed(path)

    def computed(self, path: Path, advanced: Callable[[int], object] | None = None) -> str:
        """Return a file's sha256, computed whatever is remembered, and remember it.

        Raises:
            OSError: The file cannot be read.
        """
        stamp = _stamp(path)
        digest = sha256_of(path, advanced)
        # what changes meanwhile is no harm: it does not match the stamp taken before
        if time.time_ns() - max(stamp[3], stamp[4]) > _SETTLED_NS:
            self._remember(path, stamp, digest)
        return digest

    def known(self, path: Path) -> str | None:
        """Return the sha256 of exactly this file if it was computed before."""
        entry = self._entries().get(str(path.absolute()))
        with suppress(OSError, ValueError, TypeError):
            if isinstance(entry, dict) and tuple(entry["stamp"]) == _stamp(path):
                return str(entry["sha256"])
        return None

    def _entries(self) -> dict[str, object]:
        if self.folder is None:
            return {}
        try:
            entries = json.loads((self.folder / _MEMORY_NAME).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _remember(self, path: Path, stamp: Stamp, digest: str) -> None:
        if self.folder is None:
            return
        entries = {known: entry for known, entry in self._entries().items() if Path(known).exists()}
        entries[str(path.absolute())] = {"stamp": stamp, "sha256": digest}
        with suppress(OSError):  # a cache that cannot be written costs time at the next start, nothing else
            self.folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=self.folder, prefix=".known-", delete=False, encoding="utf-8") as file:
                json.dump(entries, file)
            Path(file.name).replace(self.folder / _MEMORY_NAME)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
