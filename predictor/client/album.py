"""Saves pictures under names of their own; nothing that is there already is ever replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_STEM = 100
_KINDS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"))


class Album:
    """A folder of pictures.

    Args:
        folder: Made if needed.

    Raises:
        StartupError: It cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(f"{folder}: the folder cannot be made") from error

    def save(self, name: str, picture: bytes) -> Path:
        """Save a picture under a name like this one, with the ending of its format, and return where.

        Args:
            name: A file's name, or a server's word, of which no part is taken for a path.
            picture: The encoded picture.

        Raises:
            StartupError: It cannot be written.
        """
        for path in self._free(_stem(name), _ending(picture)):
            try:
                with path.open("xb") as file:
                    file.write(picture)
            except FileExistsError:
                continue
            except OSError as error:
                raise StartupError(f"{path}: cannot be written") from error
            return path
        raise AssertionError  # there is always another number

    def _free(self, stem: str, ending: str) -> Iterator[Path]:
        yield self._folder / f"{stem}{ending}"
        number = 2
        while True:
            yield self._folder / f"{stem}-{number}{ending}"
            number += 1


def _stem(name: str) -> str:
    stem = Path(name.replace("\\", "/")).name.rpartition(".")[0] or name
    return _NOT_IN_NAMES.sub("_", stem).strip("._")[:_LONGEST_STEM] or "picture"


def _ending(picture: bytes) -> str:
    return next((ending for magic, ending in _KINDS if picture.startswith(magic)), ".bin")
