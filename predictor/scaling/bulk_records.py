"""What is done already: a small file for every picture, beside the results, written after its result.

A picture counts as done where its record fits and its result is there. So a kill at any time leaves nothing that is
taken for done and is not; what it leaves undone is at most the picture that each worker had in hand.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from predictor import __version__
from predictor.scaling.bulk_places import WORK_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.scaling.bulk_listing import Item
    from predictor.scaling.bulk_places import Place
    from predictor.settings import Settings

# How a server answers, and how fast; no pixel depends on it. What is not listed counts, so that a new setting is safe.
_NOT_OF_PIXELS = frozenset(
    {
        *("model_name", "http_port", "grpc_port", "destinations_dir", "destinations_limit_bytes", "threads", "workers"),
        *("queue_length", "queue_seconds", "request_timeout_seconds", "client_seconds"),
        *("drain_delay_seconds", "grace_seconds", "log_level", "log_format"),
        *("ray_replicas", "ray_cpus", "ray_gpus", "ray_batch", "ray_connection_seconds"),
    }
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a result depends on besides its input."""

    work: str
    """Of the version, the source, the options and the settings, as hexadecimal sha256."""
    limits: str
    """Of the limits, which only say what is set aside."""


def fingerprint(task: Mapping[str, object], settings: Settings) -> Fingerprint:
    """Return the fingerprint of some work.

    Args:
        task: What is done, its source as sha256, its options.
        settings: The operator's.
    """
    values = settings.model_dump(mode="json", exclude=set(_NOT_OF_PIXELS))
    limits = {name: values.pop(name) for name in list(values) if name.startswith("limit_")}
    return Fingerprint(_hash({"version": __version__, "task": task, "settings": values}), _hash(limits))


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one picture."""

    input: str
    """Its name, relative to the input."""
    fingerprint: str
    limits: str
    run: str
    """Which run did it."""
    worker: str
    """Node and process that did it."""
    output: str | None = None
    """The name of its result, relative to the output; None where there is none to be."""
    output_bytes: int = 0
    code: str | None = None
    """Why it was set aside, for programs; None where it was not."""
    reason: str | None = None
    """The same for a person."""
    again: bool = False
    """Whether the next run tries it again: another time it may work."""
    altered: bool = False
    faces: Sequence[Mapping[str, object]] = ()
    """Left to right: what each is and what happened to it."""
    seconds: float = 0.0
    """From reading the input to writing the result."""
    sha256: str | None = None
    """Of the input; None where it was not read."""
    version: str | None = None
    """The input's when it was read, see Item."""

    def as_text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str | bytes) -> Record:
        """Return what `as_text` wrote.

        Raises:
            ValueError, TypeError: It is something else.
        """
        return cls(**json.loads(text))


class Records:
    """The records in the work folder of an output."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def load(self, name: str) -> Record | None:
        """Return the record of an input; None where there is none, or what is there is no whole one."""
        data = self._place.read_if_there(_path(name))
        if data is None:
            return None
        try:
            return Record.of_text(data)
        except (ValueError, TypeError):
            return None

    def save(self, record: Record) -> None:
        """Keep a record; its result has to be there already."""
        self._place.write(_path(record.input), record.as_text().encode())

    def forget(self, name: str) -> None:
        """Remove the record of an input, before its result is replaced."""
        self._place.remove(_path(name))

    def stands(self, record: Record, item: Item, wanted: Fingerprint) -> bool:
        """Return whether a record of the same input bytes makes doing it again needless."""
        if record.fingerprint != wanted.work or record.again:
            return False
        if record.code is not None:
            return record.limits == wanted.limits
        if record.output is None:
            return True
        is_its_name = record.output in {item.name, *(item.result(kind) for kind in ("jpeg", "png", "webp"))}
        return is_its_name and self._place.size(record.output) == record.output_bytes


def _path(name: str) -> str:
    digest = sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f"{WORK_FOLDER}/records/{digest[:2]}/{digest}.json"  # in folders of a size that every file system bears


def _hash(values: Mapping[str, Any]) -> str:
    return sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
