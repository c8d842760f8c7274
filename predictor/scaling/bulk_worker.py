"""One worker's way from an input to a result that is written and recorded; it knows nothing of Ray."""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol

from predictor.errors import InvalidRequest, OverLimit, PredictorError, StartupError, UnsupportedOption
from predictor.loader import load
from predictor.requests import EncodedPicture
from predictor.scaling.bulk_places import WORK_FOLDER, Place, PlaceFailed, PlaceFull
from predictor.scaling.bulk_records import Record, Records, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.scaling.bulk_listing import Item
    from predictor.scaling.bulk_tasks import Make, Task
    from predictor.service import Service
    from predictor.settings import Settings

RUN_FILE = f"{WORK_FOLDER}/run"
MOST_ATTEMPTS = 3
"""How many workers may die over one picture until it is set aside."""

State = Literal["done", "before", "set_aside"]
_log = logging.getLogger(__name__)


class FileTooLarge(OverLimit):
    """A file has more bytes than PREDICTOR_LIMIT_REQUEST_BYTES."""

    code = "request_too_large"

    def __init__(self, name: str, actual: int, limit: int) -> None:
        super().__init__(f"{name}: {actual:,} bytes; at most {limit:,} are read", limit=limit, actual=actual)


class Attempts(Protocol):
    """Counts who has begun a picture and not finished it, beyond the death of a worker."""

    def begin(self, name: str) -> int:
        """Return how many have begun it, this one included."""

    def end(self, name: str) -> None:
        """Forget a picture that is finished."""


@dataclass(frozen=True, slots=True)
class BulkJob:
    """All that a worker is told; it travels to the workers."""

    task: Task
    input: str
    """Address."""
    output: str
    """Address."""
    settings: Settings
    run: str
    """This run's own name."""
    load: Callable[[Settings], Service] = load

    def started(self, attempts: Attempts) -> Worker:
        """Load the models and look at the source, once.

        Raises:
            StartupError: What keeps this node from working; others may be able to.
        """
        places = Place(self.input), Place(self.output)
        _check_that_this_node_sees(*places, self.run)
        try:
            make = self.task.started(self.load(self.settings))
        except StartupError:
            raise
        except PredictorError as error:
            raise StartupError(error.sentence) from error
        return Worker(self, make, places, attempts)


class Worker:
    """Does one picture after the other.

    Args:
        job: What it was told.
        make: Makes a result of a picture.
        places: Input and output.
        attempts: Who has begun what.
    """

    def __init__(self, job: BulkJob, make: Make, places: tuple[Place, Place], attempts: Attempts) -> None:
        self._make, self._run = make, job.run
        self._input, self._output = places
        self._attempts = attempts
        self._records = Records(self._output)
        self._fingerprint = fingerprint(job.task.described(), job.settings)
        self._limit_bytes = job.settings.limit_request_bytes
        self._name = f"{socket.gethostname()}/{os.getpid()}"

    def do(self, item: Item) -> tuple[State, Record]:
        """Make the result of one picture, unless it is there; what cannot be done is set aside, and never an error.

        Raises:
            StartupError: No picture can be done: the recipe cannot do what is asked.
            PlaceFull: Nothing can be written any more.
        """
        began = time.perf_counter()
        try:
            if item.refused is not None:
                return "set_aside", self._aside(item, None, "refused", item.refused)
            return self._do(item, began)
        except UnsupportedOption as error:
            raise StartupError(error.sentence) from error
        except PlaceFull:
            raise
        except PredictorError as error:  # reading or writing failed, which says nothing about the picture
            return "set_aside", replace(self._aside(item, None, error.code, error.sentence), again=True)

    def _do(self, item: Item, began: float) -> tuple[State, Record]:
        known = self._records.load(item.name)
        if known and known.version == item.version is not None and self._stands(known, item):
            return self._found(known), known
        if (item.size or 0) > self._limit_bytes:
            return self._too_large(item, item.size or 0)
        data = self._input.read(item.name, self._limit_bytes) if item.size != 0 else b""
        if len(data) > self._limit_bytes:  # its size was not told, or it has grown
            return self._too_large(item, len(data))
        digest = sha256(data).hexdigest()
        if known and known.sha256 == digest and self._stands(known, item):
            self._records.save(replace(known, version=item.version))
            return self._found(known), known
        if known:
            self._records.forget(item.name)  # else it would vouch for a result that is being replaced
        record = replace(self._made(item, data, digest), seconds=round(time.perf_counter() - began, 3))
        self._records.save(record)
        self._attempts.end(item.name)
        return ("done" if record.code is None else "set_aside"), record

    def _made(self, item: Item, data: bytes, digest: str) -> Record:
        """Make and write a result; return its record, or that of a picture that has none."""
        if self._attempts.begin(item.name) > MOST_ATTEMPTS:
            reason = f"{item.name}: {MOST_ATTEMPTS} workers died over it"
            return replace(self._aside(item, digest, "worker_died", reason), again=True)
        try:
            made = self._make(EncodedPicture(item.name, data, item.name))
        except UnsupportedOption:
            raise
        except InvalidRequest as error:
            return self._aside(item, digest, error.code, error.sentence)
        except Exception as error:  # noqa: BLE001  # as in the server: a fault of ours, or no memory, is one picture's
            _log.exception("%s failed", item.name)
            sentence = error.sentence if isinstance(error, PredictorError) else type(error).__name__
            return replace(self._aside(item, digest, "internal", f"{item.name}: {sentence}"), again=True)
        record = replace(self._blank(item, digest), faces=made.faces)
        if made.data is None:
            return record
        output = item.result(made.kind)
        self._output.write(output, made.data)
        return replace(record, output=output, output_bytes=len(made.data), altered=True)

    def _stands(self, known: Record, item: Item) -> bool:
        return self._records.stands(known, item, self._fingerprint)

    def _found(self, known: Record) -> State:
        """Return what a record says that stands; one of this run was written by a worker that died before it told."""
        if known.code is not None:
            return "set_aside"
        return "done" if known.run == self._run else "before"

    def _too_large(self, item: Item, size: int) -> tuple[State, Record]:
        error = FileTooLarge(item.name, size, self._limit_bytes)
        return "set_aside", self._aside(item, None, error.code, error.sentence)

    def _aside(self, item: Item, digest: str | None, code: str, reason: str) -> Record:
        return replace(self._blank(item, digest), code=code, reason=reason)

    def _blank(self, item: Item, digest: str | None) -> Record:
        work, limits = self._fingerprint.work, self._fingerprint.limits
        return Record(item.name, work, limits, self._run, self._name, sha256=digest, version=item.version)


def _check_that_this_node_sees(source: Place, target: Place, run: str) -> None:
    """Refuse a node that has folders of its own under these names: results would be scattered over the nodes."""
    node = socket.gethostname()
    try:
        sees_input, told = source.is_folder(), target.read_if_there(RUN_FILE)
    except PlaceFailed as error:
        raise StartupError(f"the node {node}: {error.sentence}") from error
    shown = source.shown if not sees_input else target.shown
    if not sees_input or told != run.encode():
        raise StartupError(f"the node {node} does not see {shown}: take a folder that all nodes share, or a bucket")
