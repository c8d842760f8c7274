"""What is known of every file of weights: `manifest.toml` as frozen records, and the operator's own beside it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from predictor.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OWN = Path(__file__).with_name("manifest.toml")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_URL = re.compile(r"https?://\S+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _file_name(text: str) -> str:
    if not _FILE_NAME.fullmatch(text):
        raise ValueError("a file's name, not hidden and in no folder, of letters, digits and ._+- is needed")
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("an address that begins with http:// or https:// is needed")
    return text


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text.lower()):
        raise ValueError("64 hex digits are needed")
    return text.lower()


FileName = Annotated[str, AfterValidator(_file_name)]
Url = Annotated[str, AfterValidator(_url)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
# What an answer of commercial_use means: "check" is for a lawyer.
CommercialUse = Literal["yes", "no", "check"]
Pin = Literal["publisher", "several", "single"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Table):
    """Terms that weights or code come under."""

    id: str
    title: str
    url: Url
    needs_acceptance: bool


class _Download(_Table):
    """Bytes that can be had from somewhere.

    Attributes:
        size: In bytes, if known.
        sha256: 64 hex digits, if known.
        pin: How strong the sha256 is; manifest.toml explains.
        url: The official address.
        mirrors: Other addresses of the same bytes.
    """

    name: FileName
    size: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    pin: Pin = "publisher"
    url: Url | None = None
    mirrors: tuple[Url, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """Every address, the official one first."""
        return [*([self.url] if self.url else []), *self.mirrors]


class Archive(_Download):
    """A zip that holds files of weights."""

    url: Url


class WeightFile(_Download):
    """One file of weights.

    Attributes:
        architecture: The network in it, in words.
        used_by: The models of the registries that ask for it.
        archive: The archive that holds it.
        member: Its name there.
        made_from: The files that `weights convert` makes it from.
        code_licence: The licence of the network's code.
        weights_licence: The licence of the file itself, an id of the manifest's licences.
        commercial_use: Whether both allow it.
    """

    architecture: str
    used_by: tuple[str, ...] = ()
    archive: FileName | None = None
    member: Annotated[str, Field(min_length=1)] | None = None
    made_from: tuple[FileName, ...] = ()
    code_licence: str
    weights_licence: str
    commercial_use: CommercialUse

    @property
    def is_made_here(self) -> bool:
        """Whether `weights convert` makes it and nobody offers it."""
        return bool(self.made_from) and not self.is_downloadable

    @property
    def is_downloadable(self) -> bool:
        """Whether somebody offers it."""
        return bool(self.addresses or self.archive)

    @model_validator(mode="after")
    def _names_archive_and_member_together(self) -> WeightFile:
        if (self.archive is None) != (self.member is None):
            raise ValueError("archive and member go together")
        return self


class Manifest(_Table):
    """All files, archives and licences, by name."""

    licences: dict[str, Licence] = {}
    archives: dict[str, Archive] = {}
    files: dict[str, WeightFile] = {}

    def file(self, name: str) -> WeightFile:
        """Return what is known of a file.

        Raises:
            StartupError: Nothing is.
        """
        if name not in self.files:
            raise StartupError(
                f"{name}: the manifest of weights has no such file; "
                "`python -m predictor weights list` shows those it has, PREDICTOR_WEIGHTS_MANIFEST can add others"
            )
        return self.files[name]

    def licence(self, file: WeightFile) -> Licence:
        """Return the licence of a file's weights."""
        return self.licences[file.weights_licence]

    def alternatives(self, model: str) -> list[WeightFile]:
        """Return the files that a model of a registry can run on; any one will do, those made here are the fastest."""
        users = [file for file in self.files.values() if model in file.used_by]
        return sorted(users, key=lambda file: not file.is_made_here)


def read_manifest(path: Path | None = None) -> Manifest:
    """Read the package's own manifest, and the operator's over it: a key of theirs takes the place of ours.

    Raises:
        StartupError: The operator's file cannot be read or is wrong; the sentence names the file and the key.
    """
    tables = _tables(_OWN)
    if path is None:
        return _checked(_OWN, tables)
    given = _tables(path)
    unknown = sorted(set(given) - set(Manifest.model_fields))
    if unknown:
        raise _wrong(path, unknown[0], f"is none of {', '.join(Manifest.model_fields)}")
    for kind, entries in given.items():
        for name, entry in entries.items():
            tables[kind][name] = {**tables[kind].get(name, {}), **entry}
    return _checked(path, tables)


def _tables(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    """Return the tables of a file, each entry told its own name."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StartupError(f"the manifest of weights {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"the manifest of weights {path} is no TOML: {error}") from error
    for kind, entries in content.items():
        if not isinstance(entries, dict):
            raise _wrong(path, kind, "must be tables")
        key = "id" if kind == "licences" else "name"
        for name, entry in entries.items():
            if not isinstance(entry, dict) or key in entry:
                raise _wrong(path, _key((kind, name)), f"must be a table without {key}: the table's name is the {key}")
            if any(isinstance(value, dict) for value in entry.values()):
                raise _wrong(path, _key((kind, name)), f'a name with a dot needs quotes: [{kind}."{name}.…"]')
            entry[key] = name
    return content


def _checked(path: Path, tables: Mapping[str, Mapping[str, object]]) -> Manifest:
    try:
        manifest = Manifest.model_validate(tables)
    except ValidationError as error:
        problem = error.errors()[0]
        plainer = {"missing": "is needed", "extra_forbidden": "there is no such key"}
        reason = plainer.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        raise _wrong(path, _key(problem["loc"]), reason) from error
    for name, file in manifest.files.items():
        _check_references(path, manifest, name, file)
    return manifest


def _check_references(path: Path, manifest: Manifest, name: str, file: WeightFile) -> None:
    references: Sequence[tuple[str, Iterable[str], Mapping[str, object]]] = [
        ("weights_licence", [file.weights_licence], manifest.licences),
        ("code_licence", [file.code_licence], manifest.licences),
        ("archive", [file.archive] if file.archive else [], manifest.archives),
        ("made_from", file.made_from, manifest.files),
    ]
    for key, named, known in references:
        for one in named:
            if one not in known:
                raise _wrong(path, _key(("files", name, key)), f"there is no {one!r}; there are {', '.join(known)}")


def _key(location: Sequence[str | int]) -> str:
    """Return where something stands, as TOML writes it: files."det_10g.onnx".size."""
    return ".".join(str(part) if str(part).isidentifier() else f'"{part}"' for part in location)


def _wrong(path: Path, key: str, reason: str) -> StartupError:
    return StartupError(f"the manifest of weights {path} is wrong: {key}: {reason}")
