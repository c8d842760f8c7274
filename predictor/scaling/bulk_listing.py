"""What lies in a folder or a bucket, one folder at a time, and under which name each result will lie."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from predictor.scaling.bulk_places import PlaceFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from predictor.imaging.picture import OutputKind
    from predictor.scaling.bulk_places import Place

_SUFFIXES: Mapping[OutputKind, Sequence[str]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
}
_NEW = tuple(suffixes[0] for suffixes in _SUFFIXES.values())
# What tells that a file is another than before, of fsspec's many kinds of it; names, sizes and owners do not.
_MARKS = (
    "mtime",
    "created",
    "ino",
    "ETag",
    "etag",
    "LastModified",
    "last_modified",
    "updated",
    "generation",
    "md5Hash",
)


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the input."""

    name: str
    """Relative to the input, parts separated by a slash."""
    base: str = ""
    """What its result is called, up to the suffix, where it cannot keep its name."""
    size: int | None = None
    """Bytes; None where its file system does not tell."""
    version: str | None = None
    """Another one where the file has changed; None where its file system does not tell."""
    refused: str | None = None
    """Why it is not even read."""

    def as_text(self) -> str:
        """Return it as JSON, in ASCII: a name of a file system may be no Unicode."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Item:
        """Return what `as_text` wrote."""
        return cls(**json.loads(text))

    def result(self, kind: OutputKind) -> str:
        """Return the name of its result: its own if that says the kind, else one that no other file's result has."""
        path = PurePosixPath(self.name)
        if path.suffix.lower() in _SUFFIXES[kind]:
            return self.name
        return str(path.with_name(self.base + _SUFFIXES[kind][0]))


def listed(place: Place) -> Iterator[Item]:
    """Walk a place in order of names, files before folders; hidden files and folders are left out.

    Only the names of one folder are in memory at a time, and those of folders still to come.

    Raises:
        PlaceFailed: The place itself cannot be listed.
    """
    coming = [""]
    while coming:
        folder = coming.pop()
        try:
            entries = place.entries(folder)
        except PlaceFailed as error:
            if not folder:
                raise
            yield Item(folder, refused=error.sentence)
            continue
        yield from _files(place, folder, entries)
        folders = (place.relative(one) for one in entries if one["type"] == "directory")
        coming += sorted((name for name in folders if name != folder and _is_shown(name)), reverse=True)


def _files(place: Place, folder: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    files = {name: one for one in entries if one["type"] == "file" and (name := place.relative(one)) != folder}
    shown = {name: one for name, one in sorted(files.items()) if _is_shown(name)}
    bases = _bases([_last(name) for name in shown])
    for name, entry in shown.items():
        if refused := _refusal(name):
            yield Item(name, refused=refused)
            continue
        yield Item(name, bases[_last(name)], entry["size"], _version(entry))


def _bases(names: Sequence[str]) -> dict[str, str]:
    """Return for each file of a folder what its result is called without suffix, so that no two results are one.

    A name without its suffix; with it where another file has the same without; with a number after that where a file
    has the name that the result would have.
    """
    stems, there, bases, taken = Counter(map(_stem, names)), set(names), dict[str, str](), set[str]()
    for name in names:
        first = base = _stem(name) if stems[_stem(name)] == 1 else name
        number = 2
        while base in taken or any((made := base + suffix) in there and made != name for suffix in _NEW):
            base, number = f"{first}-{number}", number + 1
        taken.add(base)
        bases[name] = base
    return bases


def _refusal(name: str) -> str | None:
    """Return why a name is not to be read or written; a bucket's keys may be anything."""
    if any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
        return f"{name!r} is no name of a file: it would lead elsewhere"
    return None


def _is_shown(name: str) -> bool:
    last = _last(name)
    return not last.startswith(".") or last in {".", ".."}  # those are refused by name


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _version(entry: Mapping[str, Any]) -> str | None:
    marks = [f"{mark}={entry[mark]}" for mark in _MARKS if entry.get(mark) is not None]
    return sha256(" ".join([*marks, f"size={entry['size']}"]).encode()).hexdigest() if marks else None
