"""Folders and buckets that pictures are read from and written to, by fsspec; under its name a file is whole.

A file system's package raises what it likes: here it becomes PlaceFailed, which tells the name and a reason.
"""

from __future__ import annotations

import errno
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from predictor.errors import PredictorError, StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORK_FOLDER = ".bulk"
_PARTIAL = f"{WORK_FOLDER}/partial"
# Nothing can be written any more, whatever its name.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class PlaceFailed(PredictorError):
    """A file cannot be read or written; another time it may."""

    code = "unreadable"


class PlaceFull(PredictorError):
    """Nothing can be written any more."""


class Place:
    """A folder or a bucket.

    Args:
        address: A path or an address of fsspec, such as s3://bucket/folder.

    Raises:
        StartupError: fsspec does not know the kind of address, or its package is not installed.
    """

    def __init__(self, address: str) -> None:
        self.shown = _without_secrets(address)
        self._fs, root = _file_system(address, self.shown)
        self._root = str(root).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)
        self.address = self._root or "/" if self._local else address
        """The same place, from any working directory."""

    @property
    def is_of_one_process(self) -> bool:
        """Whether another process would see nothing of it: fsspec's memory."""
        return "memory" in self._fs.protocol

    def is_folder(self) -> bool:
        """Whether there is anything to list."""
        with self.translated("", "cannot be read"):
            return bool(self._fs.isdir(self._root or "/"))

    def overlaps(self, other: Place) -> bool:
        """Whether one of the two lies in the other, or they are the same."""
        if type(self._fs) is not type(other._fs):
            return False
        mine, theirs = (Path(place._resolved) for place in (self, other))  # noqa: SLF001  # the other is a Place too
        return mine.is_relative_to(theirs) or theirs.is_relative_to(mine)

    @property
    def _resolved(self) -> str:
        return str(Path(self._root or "/").resolve()) if self._local else f"/{self._root.lstrip('/')}"

    def entries(self, folder: str) -> list[Mapping[str, Any]]:
        """Return what a folder holds, as fsspec tells it; links are followed to files, not to folders.

        Args:
            folder: Relative to this place; empty for itself.
        """
        with self.translated(folder, "cannot be listed"):
            found = self._fs.ls(self._path(folder), detail=True)
            self._fs.invalidate_cache(self._path(folder))  # a listing is needed once, and may be long
        return [self._followed(one) if one.get("islink") else one for one in found]

    def relative(self, entry: Mapping[str, Any]) -> str:
        """Return the name of an entry relative to this place; empty for the place itself."""
        return str(entry["name"]).rstrip("/").removeprefix(self._root).removeprefix("/")

    def read(self, name: str, limit: int) -> bytes:
        """Return a file, not more than one byte beyond the limit of it."""
        with self.translated(name, "cannot be read"):
            return cast("bytes", self._fs.cat_file(self._path(name), start=0, end=limit + 1))

    def read_if_there(self, name: str) -> bytes | None:
        """Return a small file of ours, or None where there is none."""
        with self.translated(name, "cannot be read"):
            try:
                return cast("bytes", self._fs.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is none."""
        with self.translated(name, "cannot be read"):
            try:
                return cast("int | None", self._fs.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file that has its name only when it is whole.

        On a file system of this machine it is renamed; a bucket gets it in one put, whole by its nature. On others
        (sftp, hdfs) a kill can leave a part of it.

        Raises:
            PlaceFull: No file can be written any more.
        """
        with self.translated(name, "cannot be written"):
            if self._local:
                self._write_and_rename(name, data)
                return
            try:
                self._fs.pipe_file(self._path(name), data)
            except FileNotFoundError:  # no bucket: it has folders, and this one is not there yet
                self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(self._path(name), data)

    def open(self, name: str) -> IO[bytes]:
        """Open a file to write to: seen as it grows in a folder, and in a bucket when it is closed."""
        with self.translated(name, "cannot be written"):
            return cast("IO[bytes]", self._fs.open(self._path(name), "wb"))

    def remove(self, name: str) -> None:
        """Remove a file of ours, if it is there."""
        with self.translated(name, "cannot be removed"):
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def make(self) -> None:
        """Make a folder of this machine if needed, and throw away what a killed run has not finished in it."""
        if not self._local:
            return
        try:
            partial = Path(self._path(_PARTIAL))
            partial.mkdir(parents=True, exist_ok=True)
            for left in partial.iterdir():
                left.unlink()
        except OSError as error:
            raise StartupError(f"{self.shown}: the folder cannot be made or written: {error.strerror}") from error

    def _write_and_rename(self, name: str, data: bytes) -> None:
        partial, target = Path(self._path(f"{_PARTIAL}/{uuid.uuid4().hex}")), Path(self._path(name))
        try:
            partial.write_bytes(data)
            try:
                partial.replace(target)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _followed(self, link: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a link to a file leads to, under the link's name; a link to a folder is left out as no file."""
        try:
            target = self._fs.info(link["name"])
        except OSError:
            return {**link, "type": "file", "size": None}  # reading it tells why it cannot be read
        return {**target, "name": link["name"], "type": "other" if target["type"] == "directory" else target["type"]}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root or "/"

    @contextmanager
    def translated(self, name: str, what: str) -> Iterator[None]:
        """Tell in our words what goes wrong with a file.

        Args:
            name: Of the file, relative to this place; empty for the place itself.
            what: What cannot be done with it, such as `cannot be read`.

        Raises:
            PlaceFull: Nothing can be written any more.
            PlaceFailed: Anything else.
        """
        try:
            yield
        except PredictorError:
            raise
        except OSError as error:
            if error.errno in _FULL:
                raise PlaceFull(f"{self.shown}: nothing can be written any more: {error.strerror}") from error
            reason = error.strerror or type(error).__name__
            raise PlaceFailed(f"{name or self.shown} {what}: {reason}") from error
        except Exception as error:  # file systems raise whatever the client they are built on raises
            raise PlaceFailed(f"{name or self.shown} {what}: {type(error).__name__}") from error


def _file_system(address: str, shown: str) -> tuple[Any, str]:
    kind = address.partition("://")[0]
    try:
        return cast("tuple[Any, str]", url_to_fs(address))
    except ImportError as error:
        needed = str(known_implementations.get(kind, {}).get("err", f"install the package for {kind}"))
        raise StartupError(f"{shown}: a package for such addresses is not installed here: {needed}") from error
    except Exception as error:  # whatever a file system thinks of its address
        raise StartupError(f"{shown}: no address of a folder or a bucket: {type(error).__name__}") from error


def _without_secrets(address: str) -> str:
    """Return an address as it may be printed: some hold a password."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
