"""Destination pictures, analysed once and kept, bounded by bytes."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import InvalidRequest, OverLimit, StartupError, UndecodableImage, UnknownDestination
from predictor.imaging.codec import decode
from predictor.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from predictor.faces import Face
    from predictor.imaging.codec import Picture
    from predictor.pipelines import AnyPipeline

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """A picture that receives a face."""

    name: str
    picture: Picture
    faces: Sequence[Face]
    """Left to right."""


class DestinationsFull(OverLimit):
    """The preloaded pictures together need more memory than the settings allow."""

    code = "image_too_large"


class Destinations:
    """The preloaded pictures by name, and the files that could not be read."""

    def __init__(self, loaded: Mapping[str, Destination], rejected: Mapping[str, InvalidRequest]) -> None:
        self._loaded = loaded
        self.rejected = rejected
        """Why a file of the folder is not among the pictures, by file name."""

    @property
    def names(self) -> list[str]:
        """Names of the preloaded pictures, in order."""
        return sorted(self._loaded)

    def get(self, name: str, place: str = "") -> Destination:
        """Return a picture by name.

        Args:
            name: Of its file.
            place: Where the request stands when there are several: `instances[2].`; the error names it.

        Raises:
            UnknownDestination: There is none of that name.
        """
        if name not in self._loaded:
            raise UnknownDestination(name, place)
        return self._loaded[name]


def load_destinations(folder: Path | None, limit_bytes: int, max_pixels: int, pipeline: AnyPipeline) -> Destinations:
    """Read and analyse every picture of a folder, in name order; a bad file is named in the log and never fatal.

    Args:
        folder: Not searched below its first level; hidden files are left out. None loads nothing.
        limit_bytes: What the decoded pictures may need together; those beyond it are rejected.
        max_pixels: What one picture may have.
        pipeline: Finds the faces.

    Raises:
        StartupError: The folder itself cannot be read.
    """
    loaded: dict[str, Destination] = {}
    rejected: dict[str, InvalidRequest] = {}
    free = limit_bytes
    for path in _files(folder) if folder else []:
        name = _shown(path)
        try:
            picture = _read(path, name, limit_bytes, max_pixels)
            if picture.nbytes > free:
                raise DestinationsFull(
                    f"{name} needs {picture.nbytes:,} bytes of memory; {free:,} are left for preloaded pictures",
                    limit=limit_bytes,
                    actual=limit_bytes - free + picture.nbytes,
                )
            destination = Destination(name, picture, pipeline.find_faces(picture.image, name, Job()))
        except InvalidRequest as error:
            rejected[name] = error.detached()
            _log.warning("destination %s is left out: %s", name, error.sentence)
            continue
        free -= picture.nbytes
        loaded[name] = destination
        _log.info("destination %s loaded, faces: %d", name, len(destination.faces))
    return Destinations(loaded, rejected)


def _files(folder: Path) -> list[Path]:
    try:
        # Kubernetes mounts a ConfigMap's files as links beside hidden folders of data; is_file follows links.
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise StartupError(f"PREDICTOR_DESTINATIONS_DIR: the folder {folder} cannot be read") from error


def _shown(path: Path) -> str:
    """Return a file's name as answers can hold it: JSON has no place for bytes that are no UTF-8."""
    return os.fsencode(path.name).decode(errors="replace")


def _read(path: Path, name: str, limit_bytes: int, max_pixels: int) -> Picture:
    try:
        if (size := path.stat().st_size) > limit_bytes:  # reading it might take the memory of the whole process
            raise DestinationsFull(
                f"{name} has {size:,} bytes; at most {limit_bytes:,} are read", limit=limit_bytes, actual=size
            )
        data = path.read_bytes()
    except OSError as error:
        raise UndecodableImage(name, "the file cannot be read") from error
    return decode(data, name, max_pixels)
