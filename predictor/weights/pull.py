"""`weights pull`: gets files of weights, and gives each its name only after its sha256 was checked.

Two pulls at once wait for each other, one that was stopped is gone on with, and nothing is ever half there.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from predictor.errors import PullFailed, WeightsDamaged, WeightsMissing, WeightsUnknown
from predictor.weights.archives import unpack
from predictor.weights.download import Downloader, Patience, SourceFailed, Wanted, Watcher, forget
from predictor.weights.hashes import sha256_of
from predictor.weights.locks import locked
from predictor.weights.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from predictor.weights.manifest import Archive, WeightFile
    from predictor.weights.store import Store

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Puller:
    """Gets files into one folder.

    Attributes:
        store: What is known, what was accepted, and what is there already.
        folder: Where files go; made if needed.
        watcher: Told how it goes.
        trust_first: Take a file of which no sha256 is known, and record the sha256 of what came.
        patience: How long a source is waited for.
    """

    store: Store
    folder: Path
    watcher: Watcher
    trust_first: bool = False
    patience: Patience = field(default_factory=Patience)

    def pull(self, name: str, asked: frozenset[str] = frozenset()) -> Path:
        """Get a file unless it is there.

        Args:
            name: As the manifest has it.
            asked: Other files that are wanted: if one lies in the same archive, it is unpacked with this one.

        Returns:
            Where it is.

        Raises:
            LicenceNotAccepted: Its licence was not accepted.
            WeightsUnknown: No sha256 is known of it, and `trust_first` was not asked for.
            WeightsDamaged: A damaged one stands where the search finds it first.
            PullFailed: None of its addresses gave it, or it cannot be written.
            StartupError: The manifest has no such file.
        """
        file = self.store.manifest.file(name)
        self.store.licences.check(self.store.manifest, file)
        with self._disk(), self._alone(self.folder / name):
            there = self._there(file)
            return there or self._fetched(file, asked)

    def _there(self, file: WeightFile) -> Path | None:
        """Return where a file is already, sound; one in our own folder that is not will be replaced."""
        for path in self.store.locate(file.name):
            try:
                self.store.check(file, path)
            except WeightsUnknown:
                if not self.trust_first:
                    raise
                self._trust(file, path)
            except (WeightsDamaged, WeightsMissing) as error:
                if path.parent != self.folder or not file.is_downloadable:
                    raise
                self.watcher.said(f"{error.sentence.split(';')[0]}; it is replaced")
                return None
            else:
                self.watcher.said(f"{file.name}: already there, {path}")
            return path
        return None

    def _trust(self, file: WeightFile, path: Path) -> None:
        digest = sha256_of(path)
        try:
            record(path.parent, file.name, digest)
        except OSError as error:
            raise PullFailed(
                f"{path.parent} cannot be written ({error.strerror}), so the sha256 of {file.name} cannot be recorded "
                f'there; name it in a manifest of your own (PREDICTOR_WEIGHTS_MANIFEST): sha256 = "{digest}"'
            ) from error
        self.watcher.said(f"{file.name}: recorded the sha256 of {path}, {digest}")

    def _fetched(self, file: WeightFile, asked: frozenset[str]) -> Path:
        if not file.is_downloadable:
            raise PullFailed(_not_offered(file))
        if not file.sha256 and not self.trust_first:
            raise WeightsUnknown(
                f"{file.name}: no sha256 of it is known, so nothing would tell whether the right file came; "
                "--trust-first takes what comes and records its sha256"
            )
        failures: list[str] = []
        downloader = Downloader(self.watcher, self.patience)
        try:
            if file.archive and (target := self._from_archive(downloader, file, asked, failures)):
                return target
            return self._from_addresses(downloader, file, failures)
        finally:
            downloader.close()

    def _from_addresses(self, downloader: Downloader, file: WeightFile, failures: list[str]) -> Path:
        partial, target = self._partial(file.name), self.folder / file.name
        wanted = Wanted(file.name, file.size, file.sha256)
        digest = self._downloaded(downloader, file.addresses, wanted, failures)
        if digest is None:
            raise PullFailed(f"{file.name} could not be had: {'; '.join(failures)}{_doubt(file, failures)}")
        self._place(file, partial, target, digest)
        return target

    def _from_archive(
        self, downloader: Downloader, file: WeightFile, asked: frozenset[str], failures: list[str]
    ) -> Path | None:
        """Return the file unpacked from its archive, with the others of it that are asked for; None if that failed."""
        archive = self.store.manifest.archives[str(file.archive)]
        others = [self.store.manifest.files[name] for name in sorted(asked - {file.name})]
        members = [file, *(other for other in others if other.archive == archive.name and self._lacks(other))]
        with self._alone(self.folder / archive.name):
            wanted = Wanted(archive.name, archive.size, archive.sha256)
            if self._downloaded(downloader, archive.addresses, wanted, failures) is None:
                return None
            partial = self._partial(archive.name)
            try:
                for member in members:
                    self._unpack(archive, partial, member)
            except SourceFailed as error:
                failures.append(f"{archive.name}: {error}")
                return None
            finally:
                forget(partial)
        return self.folder / file.name

    def _lacks(self, file: WeightFile) -> bool:
        """Return whether a file is not there and may be put there."""
        is_known = bool(file.sha256) or self.trust_first
        return is_known and self.store.may_use(file) and not self.store.locate(file.name)

    def _unpack(self, archive: Archive, partial: Path, file: WeightFile) -> None:
        unpacked = self.folder / f".{file.name}.unpacked"
        try:
            unpack(partial, str(file.member), unpacked, file.size)
            digest = sha256_of(unpacked)
            if file.sha256 and digest != file.sha256:
                raise SourceFailed(f"{file.member} in it has another sha256: {_differing(digest, file.sha256)}")
            self.watcher.said(f"{file.name}: unpacked from {archive.name}")
            self._place(file, unpacked, self.folder / file.name, digest)
        finally:
            unpacked.unlink(missing_ok=True)

    def _downloaded(
        self, downloader: Downloader, addresses: list[str], wanted: Wanted, failures: list[str]
    ) -> str | None:
        """Bring the partial file to what is wanted and return its sha256; None if no address could."""
        partial = self._partial(wanted.name)
        self._check_room(partial, wanted)
        for address in addresses:
            self.watcher.said(f"{wanted.name}: from {_shown(address)}")
            try:
                return self._from(downloader, address, partial, wanted)
            except SourceFailed as error:
                failures.append(f"{_shown(address)}: {error}")
                self.watcher.said(f"{wanted.name}: {error}")
        return None

    def _from(self, downloader: Downloader, address: str, partial: Path, wanted: Wanted) -> str:
        """Fetch from one address; twice if what an earlier run left turns out to be of another file."""
        while True:
            resumed = downloader.fetch(address, partial, wanted)
            digest = sha256_of(partial)
            is_right = digest == wanted.sha256 or wanted.sha256 is None
            if is_right:
                return digest
            forget(partial)
            if not resumed:
                raise SourceFailed(f"it sent other bytes: {_differing(digest, str(wanted.sha256))}")
            self.watcher.said(f"{wanted.name}: what was here before was of another file; from the start")

    def _place(self, file: WeightFile, finished: Path, target: Path, digest: str) -> None:
        """Give a checked file its name, so that it is there whole or not at all, even after a power cut."""
        if not file.sha256:
            record(self.folder, file.name, digest)
            self.watcher.said(f"{file.name}: recorded its sha256, {digest}")
        with finished.open("rb") as opened:
            os.fsync(opened.fileno())
        finished.replace(target)
        forget(self._partial(file.name))
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.watcher.said(f"{file.name}: saved as {target}")

    def _check_room(self, partial: Path, wanted: Wanted) -> None:
        if wanted.size is None:
            return
        needed = wanted.size - (partial.stat().st_size if partial.exists() else 0)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise PullFailed(
                f"{wanted.name} needs {needed:,} bytes more and {self.folder} has {free:,} free; "
                "make room, or choose another folder with --to or PREDICTOR_WEIGHTS_DIR"
            )

    def _partial(self, name: str) -> Path:
        return self.folder / f"{name}.part"

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        with locked(path, lambda: self.watcher.said(f"{path.name}: another pull is at it; waiting")):
            yield

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Say in a sentence what the folder cannot do."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise PullFailed(
                    f"{self.folder} is full; make room and pull again: it goes on where it stopped"
                ) from error
            raise PullFailed(
                f"{self.folder} cannot be written: {error.strerror}; "
                "choose another folder with --to or PREDICTOR_WEIGHTS_DIR"
            ) from error


def _not_offered(file: WeightFile) -> str:
    if file.is_made_here:
        return (
            f"{file.name} is not downloaded but made: `python -m predictor weights convert {file.name}` "
            f"makes it from {' and '.join(file.made_from)}"
        )
    return f"{file.name}: the manifest has no address for it; put the file into the folder yourself"


def _doubt(file: WeightFile, failures: list[str]) -> str:
    if file.pin == "single" and any("other bytes" in failure for failure in failures):
        return "; the manifest's sha256 of it rests on a single source and may itself be wrong"
    return ""


def _differing(actual: str, expected: str) -> str:
    return f"{actual[:12]}… instead of {expected[:12]}…"


def _shown(address: str) -> str:
    """Return an address without the name and password that a private mirror may have in it."""
    return str(httpx.URL(address).copy_with(username=None, password=None)) if "@" in address else address
