"""The sha256 of files that no manifest can know: made by `weights convert`, or pulled with --trust-first.

They stand in `recorded_hashes.toml` beside the files, so that a folder can be mounted elsewhere as it is.
"""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from predictor.errors import WeightsUnknown
from predictor.weights.locks import locked
from predictor.weights.manifest import FileName, Sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDS_NAME = "recorded_hashes.toml"
_HEADER = (
    "# Written by `python -m predictor weights pull --trust-first` and `weights convert`. Keep it beside the files.\n"
)


class Record(BaseModel):
    """What was seen of a file when it came into being here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Sha256
    made_from: tuple[FileName, ...] = ()


_RECORDS = TypeAdapter(dict[FileName, Record])


def recorded(folder: Path) -> dict[str, Record]:
    """Return what is recorded of the files of a folder, by name; nothing where there is no record.

    Raises:
        WeightsUnknown: The record is there and cannot be read.
    """
    path = folder / RECORDS_NAME
    try:
        return _RECORDS.validate_python(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise WeightsUnknown(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise WeightsUnknown(
            f"{path} is no record of sha256 any more; delete it, and make or pull the files of {folder} again"
        ) from error


def record(folder: Path, name: str, sha256: str, made_from: Sequence[str] = ()) -> None:
    """Record the sha256 of a file of a folder, in place of what was recorded of it before.

    Args:
        folder: Where the file is.
        name: As the manifest has it.
        sha256: 64 hex digits.
        made_from: The files it was made from, if any.

    Raises:
        OSError: The folder cannot be written.
        WeightsUnknown: A record is there and cannot be read.
    """
    path = folder / RECORDS_NAME
    with locked(path):
        records = {**recorded(folder), name: Record(sha256=sha256, made_from=tuple(made_from))}
        unfinished = path.with_name(f".{RECORDS_NAME}.part")
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(_HEADER + "".join(_table(known, records[known]) for known in sorted(records)))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def _table(name: str, record: Record) -> str:
    # names are plain ASCII, so JSON's strings and lists are TOML's
    made_from = f"made_from = {json.dumps(record.made_from)}\n" if record.made_from else ""
    return f'\n["{name}"]\nsha256 = "{record.sha256}"\n{made_from}'
