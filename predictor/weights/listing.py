"""`weights list` and `weights verify`: what there is, for a person or a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from predictor.errors import WeightsMissing, WeightsUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from predictor.weights.manifest import WeightFile
    from predictor.weights.store import Store

State = Literal["verified", "there", "damaged", "unknown", "missing"]
Use = Literal["allowed", "not accepted", "left out"]
_MEGABYTE = 1e6
_STATES: dict[State, str] = {
    "verified": "verified",
    "there": "there, sha256 checked at start",
    "damaged": "damaged",
    "unknown": "there, sha256 unknown",
    "missing": "missing",
}
_USES: dict[Use, str] = {"allowed": "", "not accepted": "licence not accepted", "left out": "left out"}


@dataclass(frozen=True, slots=True)
class Row:
    """What `weights list` tells of one file."""

    name: str
    size: int | None
    used_by: tuple[str, ...]
    weights_licence: str
    commercial_use: str
    pin: str | None
    use: Use
    state: State
    path: str | None


def rows(store: Store) -> list[Row]:
    """Return every file of the manifest and where it stands; large files are not hashed for it."""
    return [_row(store, file) for file in store.manifest.files.values()]


def as_json(store: Store) -> dict[str, object]:
    """Return the same for a program."""
    licences = [
        {**licence.model_dump(), "accepted": licence.id in store.licences.accepted or not licence.needs_acceptance}
        for licence in store.manifest.licences.values()
    ]
    return {
        "files": [asdict(row) for row in rows(store)],
        "licences": licences,
        "searched": [str(folder) for folder in store.folders],
    }


def as_text(store: Store) -> str:
    """Return the same as a table."""
    listed = rows(store)
    table = [("FILE", "MB", "FOR", "LICENCE", "COMMERCIAL", "STATE")]
    table += [
        (row.name, _megabytes(row.size), _for(store, row), row.weights_licence, row.commercial_use, _state(row))
        for row in listed
    ]
    lines = _aligned(table, right=1)
    lines += ["", *_aligned([_licence_line(store, name) for name in store.manifest.licences])]
    lines += ["", f"searched, in this order: {store.searched()}"]
    left_out = [row.name for row in listed if row.use == "left out"]
    if left_out:
        lines.append(f"PREDICTOR_PROFILE=permissive leaves out {', '.join(left_out)}")
    single = [row.name for row in listed if row.pin == "single" and row.state != "verified"]
    if single:
        lines.append(f"sha256 known from a single source, and not yet seen right here: {', '.join(single)}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `weights verify` found of one file."""

    path: Path
    state: Literal["OK", "damaged", "unknown"]
    sentence: str


def verdicts(store: Store, names: Sequence[str], advanced: Callable[[int], object]) -> Iterator[Verdict]:
    """Hash every file that is anywhere in the places searched, whatever is remembered of it.

    Args:
        store: Where to look.
        names: Which files; all if none are named.
        advanced: Told how many bytes more have been read.

    Raises:
        WeightsMissing: A file that was named, or every file, is nowhere.
    """
    files = [store.manifest.file(name) for name in names] or list(store.manifest.files.values())
    found = [(file, path) for file in files for path in store.locate(file.name)]
    missing = [name for name in names if not any(file.name == name for file, _ in found)]
    yield from (_verdict(store, file, path, advanced) for file, path in found)
    if missing:
        raise WeightsMissing(f"{', '.join(missing)}: nothing of that name in {store.searched()}")
    if not found:
        raise WeightsMissing(f"there is no file of weights in {store.searched()}")


def bytes_to_verify(store: Store, names: Sequence[str]) -> int:
    """Return how many bytes `verdicts` will read."""
    return sum(path.stat().st_size for name in names or store.manifest.files for path in store.locate(name))


def _verdict(store: Store, file: WeightFile, path: Path, advanced: Callable[[int], object]) -> Verdict:
    try:
        expected, actual = store.expected_sha256(file, path), store.memory.computed(path, advanced)
    except WeightsUnknown as error:
        return Verdict(path, "unknown", error.sentence)
    except OSError as error:
        return Verdict(path, "damaged", f"{path} cannot be read: {error.strerror}")
    if actual == expected:
        return Verdict(path, "OK", f"{path}: sha256 {actual}")
    return Verdict(path, "damaged", f"{path} is damaged: its sha256 is {actual}, not {expected}")


def _row(store: Store, file: WeightFile) -> Row:
    paths = store.locate(file.name)
    use: Use = "allowed"
    if store.licences.leaves_out(file):
        use = "left out"
    elif not store.licences.accepts(store.manifest, file):
        use = "not accepted"
    return Row(
        name=file.name,
        size=file.size,
        used_by=file.used_by,
        weights_licence=file.weights_licence,
        commercial_use=file.commercial_use,
        pin=file.pin if file.sha256 else None,
        use=use,
        state=_state_of(store, file, paths[0]) if paths else "missing",
        path=str(paths[0]) if paths else None,
    )


def _state_of(store: Store, file: WeightFile, path: Path) -> State:
    known = store.memory.known(path)
    try:
        if file.size and path.stat().st_size != file.size:
            return "damaged"
        expected = store.expected_sha256(file, path)
    except WeightsUnknown:
        return "unknown"
    if known is None:
        return "there"
    return "verified" if known == expected else "damaged"


def _state(row: Row) -> str:
    return "; ".join(part for part in (_STATES[row.state], _USES[row.use]) if part)


def _for(store: Store, row: Row) -> str:
    file = store.manifest.files[row.name]
    makes = [made.name for made in store.manifest.files.values() if row.name in made.made_from]
    return ", ".join(file.used_by) or (f"makes {', '.join(makes)}" if makes else "")


def _licence_line(store: Store, name: str) -> tuple[str, ...]:
    licence = store.manifest.licences[name]
    accepted = "accepted" if name in store.licences.accepted else "not accepted"
    return name, accepted if licence.needs_acceptance else "needs no acceptance", f"{licence.title}, {licence.url}"


def _megabytes(size: int | None) -> str:
    return f"{size / _MEGABYTE:.1f}" if size else ""


def _aligned(table: Sequence[Sequence[str]], right: int | None = None) -> list[str]:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
