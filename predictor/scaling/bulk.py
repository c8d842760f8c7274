"""Many pictures: from a folder or a bucket to another, over a cluster, and on from where it was stopped."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from predictor.errors import StartupError
from predictor.scaling.bulk_places import Place, PlaceFailed
from predictor.scaling.bulk_pool import outcomes
from predictor.scaling.bulk_progress import Progress
from predictor.scaling.bulk_report import Report
from predictor.scaling.bulk_worker import RUN_FILE, BulkJob
from predictor.scaling.cluster import cluster

if TYPE_CHECKING:
    from predictor.scaling.bulk_pool import Pool
    from predictor.scaling.bulk_report import Summary
    from predictor.scaling.bulk_tasks import Task
    from predictor.settings import Settings

# Names and records are all that it holds; Ray takes no less than 75 MiB.
_OBJECT_STORE_BYTES = 96 * 1024 * 1024


def run(task: Task, addresses: tuple[str, str], settings: Settings, pool: Pool) -> Summary:
    """Do a task to every picture of a folder or bucket; Ctrl-C ends it cleanly.

    Args:
        task: What is done.
        addresses: Of the input and of the output.
        settings: Of the pipeline, and the limits.
        pool: How many work at once, and on what.

    Raises:
        StartupError: What keeps it from working.
        PlaceFull: The output takes no more.
        BulkBroken: Ray could not go on.
    """
    source, target = _checked(*(Place(address) for address in addresses))
    target.make()
    job = BulkJob(task, source.address, target.address, _of_a_worker(settings, pool), uuid.uuid4().hex)
    report, progress = Report(target), Progress()
    try:
        target.write(RUN_FILE, job.run.encode())
        with cluster(_OBJECT_STORE_BYTES), report:
            progress.count(source)
            progress.wait(pool.needs)
            for state, record in outcomes(job, pool):
                report.add(state, record)
                progress.add(state)
    except PlaceFailed as error:
        raise StartupError(error.sentence) from error
    except KeyboardInterrupt:
        return report.summary
    finally:
        progress.close()
    return report.summary


def read_source(address: str, settings: Settings) -> bytes:
    """Return the picture that gives the face.

    Raises:
        StartupError: It cannot be read, or has more bytes than the settings allow.
    """
    folder, separator, name = address.rpartition("/")
    place, limit = Place(folder + separator if separator else "."), settings.limit_request_bytes
    try:
        data = place.read(name, limit)
    except PlaceFailed as error:
        raise StartupError(error.sentence) from error
    if len(data) > limit:
        raise StartupError(f"{name}: more than {limit:,} bytes, which is PREDICTOR_LIMIT_REQUEST_BYTES")
    return data


def _checked(source: Place, target: Place) -> tuple[Place, Place]:
    for place in (source, target):
        if place.is_of_one_process:
            raise StartupError(f"{place.shown}: the memory of one process cannot be seen by the workers")
    try:
        if not source.is_folder():
            raise StartupError(f"{source.shown}: there is no such folder, or nothing in it")
    except PlaceFailed as error:
        raise StartupError(error.sentence) from error
    if source.overlaps(target):
        raise StartupError(
            f"{target.shown}: results of an earlier run would be read as pictures of {source.shown}, or replace them; "
            f"neither may lie in the other"
        )
    return source, target


def _of_a_worker(settings: Settings, pool: Pool) -> Settings:
    """Return the settings with as many threads as a worker has processors, unless they say how many."""
    return settings if settings.threads else settings.model_copy(update={"threads": pool.cpus})
