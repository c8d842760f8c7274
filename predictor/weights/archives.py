"""Unpacks one named member of a zip, and nothing else of it."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from typing import TYPE_CHECKING

from predictor.weights.download import SourceFailed

if TYPE_CHECKING:
    from pathlib import Path

# Where the manifest has no size: no network of ours is larger, and a bomb is.
_LARGEST_BYTES = 2 * 1024**3


def unpack(archive: Path, member: str, target: Path, size: int | None) -> None:
    """Write one member's bytes to a file; paths and links that the archive names are not followed.

    Args:
        archive: A zip.
        member: Its name in it, exactly.
        target: The file to write.
        size: The size it must have, if known.

    Raises:
        SourceFailed: The archive is broken, has no such member, or one of another size.
        OSError: The target cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(member)
            if info.file_size != size and (size is not None or info.file_size > _LARGEST_BYTES):
                raise SourceFailed(f"{member} in it has {info.file_size:,} bytes, not {size or _LARGEST_BYTES:,}")
            with opened.open(info) as source, target.open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked, 1024 * 1024)
    except KeyError as error:
        raise SourceFailed(f"it has no {member}") from error
    # zipfile's own words for the rest: encrypted, compressed in an unknown way, cut off in the middle
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise SourceFailed(f"it is no whole zip: {error}") from error
