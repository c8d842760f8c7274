"""Finds the files of weights that this deployment may run: their licence accepted, their sha256 checked.

Places are searched in order: PREDICTOR_WEIGHTS_DIR, KServe's /mnt/models, the cache. In each, a file lies flat or in a
folder of its own, as KServe mounts `storageUris`. Nothing here downloads anything: that is `weights pull`, by hand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import WeightsDamaged, WeightsMissing, WeightsUnknown
from predictor.settings import cache_folder
from predictor.weights.hashes import HashMemory
from predictor.weights.licences import Licences, licences_of
from predictor.weights.manifest import Manifest, WeightFile, read_manifest
from predictor.weights.records import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.settings import Settings

_KSERVE_MODELS = Path("/mnt/models")
_COMMAND = "python -m predictor weights"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A file of weights that a model runs."""

    name: str
    sha256: str
    licence: str
    """Of the weights, an id of the manifest's licences."""


@dataclass(frozen=True, slots=True)
class Store:
    """Folders with files of weights, searched in order.

    Attributes:
        folders: Need not exist.
        manifest: What is known of each file.
        licences: What the operator decided.
        memory: Hashes computed before.
        loaded: What `find` has returned, by name.
    """

    folders: Sequence[Path]
    manifest: Manifest = field(default_factory=read_manifest)
    licences: Licences = field(default_factory=Licences)
    memory: HashMemory = field(default_factory=HashMemory)
    loaded: dict[str, LoadedWeights] = field(default_factory=dict)

    def find(self, *names: str) -> Path:
        """Return the first of these files that is there, its sha256 checked and its licence accepted.

        Args:
            names: As the manifest lists them, the preferred one first.

        Raises:
            LicenceNotAccepted: None of them may be used.
            WeightsMissing: None of those that may be used is in any of the folders, or it cannot be read.
            WeightsDamaged: The first that is there is truncated or has another sha256.
            WeightsUnknown: The first that is there has no sha256 that it could be checked against.
            StartupError: The manifest has no such file.
        """
        files = [self.manifest.file(name) for name in names]
        usable = [file for file in files if self.may_use(file)]
        if not usable:
            self.licences.check(self.manifest, files[0])
        for file in usable:
            for path in self.locate(file.name):
                self.check(file, path)
                sha256 = self.expected_sha256(file, path)
                self.loaded[file.name] = LoadedWeights(file.name, sha256, file.weights_licence)
                return path
        raise self.missing(usable)

    def locate(self, name: str) -> list[Path]:
        """Return where a file is, in the order of the search, unchecked."""
        return [path for folder in self.folders for path in _in(folder, name)]

    def check(self, file: WeightFile, path: Path) -> None:
        """Compare a file with what is known of it.

        Raises:
            WeightsMissing, WeightsDamaged, WeightsUnknown: As `find` says.
        """
        self.check_size(file, path)
        try:
            expected = self.expected_sha256(file, path)
            actual = self.memory.sha256_of(path)
        except OSError as error:
            raise WeightsMissing(f"{path} cannot be read: {error.strerror}") from error
        if actual != expected:
            source = "the manifest has" if file.sha256 else "its making recorded"
            raise WeightsDamaged(
                f"{path} is damaged: its sha256 is {actual[:12]}… where {source} {expected[:12]}…; {_replace(file)}"
            )

    def check_size(self, file: WeightFile, path: Path) -> None:
        """Compare no more than a file's size, which takes no time.

        Raises:
            WeightsMissing, WeightsDamaged: As `find` says.
        """
        try:
            size = path.stat().st_size
            if file.size and size != file.size:
                raise _of_wrong_size(file, path, size)
        except OSError as error:
            raise WeightsMissing(f"{path} cannot be read: {error.strerror}") from error

    def expected_sha256(self, file: WeightFile, path: Path) -> str:
        """Return the sha256 a file must have.

        Raises:
            WeightsUnknown: Neither the manifest nor a record beside the file has one.
        """
        if file.sha256:
            return file.sha256
        record = recorded(path.parent).get(file.name)
        if record:
            return record.sha256
        remedy = (
            "bring recorded_hashes.toml from the folder it was made in"
            if file.is_made_here
            else f"if you trust it, record it: {_COMMAND} pull {file.name} --trust-first"
        )
        raise WeightsUnknown(
            f"{path} has no known sha256, so nothing tells whether it is the right file; {remedy}, "
            "or name its sha256 in a manifest of your own (PREDICTOR_WEIGHTS_MANIFEST)"
        )

    def searched(self) -> str:
        """Return the places that are searched, in words."""
        return ", ".join(_described(folder) for folder in self.folders) or "any folder: none is searched"

    def may_use(self, file: WeightFile) -> bool:
        """Return whether the profile and the accepted licences allow a file."""
        return not self.licences.leaves_out(file) and self.licences.accepts(self.manifest, file)

    def missing(self, files: Sequence[WeightFile]) -> WeightsMissing:
        """Return the error that none of some files is there, and how to get one."""
        names = [file.name for file in files]
        subject = names[0] if len(names) == 1 else f"neither {' nor '.join(names)}"
        is_in = "is in none of" if len(names) == 1 and self.folders else "is not in" if len(names) == 1 else "is in"
        remedies = [f"`{_COMMAND} pull {file.name}`" for file in files if file.is_downloadable]
        remedies += [f"`{_COMMAND} convert {file.name}`" for file in files if file.is_made_here]
        remedy = f"get it with {' or '.join(remedies)}" if remedies else "put it there"
        return WeightsMissing(f"{subject} {is_in} {self.searched()}; {remedy}")


def store_of(settings: Settings, accepted_licences: Sequence[str] = ()) -> Store:
    """Return the files that the settings describe.

    Args:
        settings: What the operator decided.
        accepted_licences: Licences accepted besides those of the settings.

    Raises:
        StartupError: The operator's manifest is wrong, or there is no licence of a name they accepted.
    """
    manifest = read_manifest(settings.weights_manifest)
    licences = licences_of(manifest, [*settings.accepted_licences, *accepted_licences], settings.profile)
    cache = cache_folder()
    places = (settings.weights_dir, _KSERVE_MODELS, cache)
    folders = list(dict.fromkeys(place for place in places if place))
    return Store(folders, manifest, licences, HashMemory(cache))


def _in(folder: Path, name: str) -> list[Path]:
    """Return where a file is in a folder: flat first, then in the folders right below it, by name."""
    try:
        # hidden ones are the volume's own: Kubernetes keeps the data behind its links there
        below = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:  # not there, no folder, or not ours to read: `searched` says which
        below = []
    # os.path, because a folder below that may not be entered (lost+found) is no error
    return [path for place in (folder, *below) if os.path.isfile(path := place / name)]  # noqa: PTH113


def _described(folder: Path) -> str:
    if os.path.isdir(folder):  # noqa: PTH112  # as above: a parent may not be ours to enter
        return str(folder) if os.access(folder, os.R_OK | os.X_OK) else f"{folder} (may not be read)"
    return f"{folder} (no folder)" if os.path.exists(folder) else f"{folder} (not there)"  # noqa: PTH110


def _of_wrong_size(file: WeightFile, path: Path, size: int) -> WeightsDamaged:
    with path.open("rb") as opened:
        is_pointer = opened.read(len(_LFS_POINTER)) == _LFS_POINTER
    what = "a git-lfs pointer, not the file" if is_pointer else f"damaged: it has {size:,} bytes, not {file.size:,}"
    return WeightsDamaged(f"{path} is {what}; {_replace(file)}")


def _replace(file: WeightFile) -> str:
    word = "convert" if file.is_made_here else "pull"
    return f"delete it and run `{_COMMAND} {word} {file.name}`"
