"""A folder or a bucket of small pictures, and workers over fakes."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
from PIL import Image as PillowImage

from predictor.destinations import Destinations
from predictor.faces import Face
from predictor.options import OutputOptions, SwapOptions
from predictor.scaling.bulk_listing import Item, listed
from predictor.scaling.bulk_places import Place
from predictor.scaling.bulk_records import Record
from predictor.scaling.bulk_tasks import SwapTask, Task
from predictor.scaling.bulk_worker import RUN_FILE, BulkJob, Worker
from predictor.service import Service
from predictor.settings import Settings
from tests.unit.fakes import FakeDetector, FakeEmbedder, Fakes, face_at, plain

# The fake detector tells pictures apart by the red of their first pixel.
NOBODY, ONE, TWO, SOURCE = 10, 20, 30, 200
FACES: Mapping[int, list[Face]] = {
    ONE: [face_at(10, 20)],
    TWO: [face_at(10, 20), face_at(120, 20)],
    SOURCE: [face_at(10, 20)],
}


def encoded(red: int = ONE, kind: str = "png", width: int = 200) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(plain((red, 0, 0), 100, width)).save(buffer, kind)
    return buffer.getvalue()


@dataclass
class Counting:
    """Attempts, counted here."""

    begun: dict[str, int] = field(default_factory=dict)

    def begin(self, name: str) -> int:
        self.begun[name] = self.begun.get(name, 0) + 1
        return self.begun[name]

    def end(self, name: str) -> None:
        self.begun.pop(name, None)


class Bench:
    """An input, an output, and the run over them, without Ray.

    Args:
        address: Where both lie; what ends all of them is made.
    """

    def __init__(self, address: str) -> None:
        self.fakes = Fakes(FakeDetector(dict(FACES)), FakeEmbedder())
        self.input, self.output = Place(f"{address}/in"), Place(f"{address}/out")
        self.attempts = Counting()
        self.load: Callable[[Settings], Service] = self._load
        self.loaded = 0
        self.output.make()

    def _load(self, settings: Settings) -> Service:
        self.loaded += 1
        return Service(self.fakes.pipeline(settings.limit_faces), Destinations({}, {}), settings)

    def picture(self, name: str, red: int = ONE, kind: str = "png") -> bytes:
        return self.file(name, encoded(red, kind))

    def file(self, name: str, data: bytes) -> bytes:
        files, path = fsspec.core.url_to_fs(f"{self.input.address}/{name}")
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(path, data)
        return data

    def worker(self, task: Task | None = None, settings: Settings | None = None, run: str | None = None) -> Worker:
        run = run or uuid.uuid4().hex
        self.output.write(RUN_FILE, run.encode())
        job = BulkJob(task or swap(), self.input.address, self.output.address, settings or Settings(), run, self.load)
        return job.started(self.attempts)

    def run(
        self, task: Task | None = None, settings: Settings | None = None, run: str | None = None
    ) -> dict[str, tuple[str, Record]]:
        """Do every picture, one after the other; return what became of each by its name."""
        worker = self.worker(task, settings, run)
        return {item.name: worker.do(item) for item in self.items()}

    def states(self, task: Task | None = None, settings: Settings | None = None) -> dict[str, str]:
        return {name: state for name, (state, _) in self.run(task, settings).items()}

    def items(self) -> list[Item]:
        return list(listed(self.input))

    def results(self) -> set[str]:
        """The names below the output, those of the run's own left out."""
        return {item.name for item in listed(self.output)}


def swap(**options: object) -> SwapTask:
    return SwapTask("me.png", encoded(SOURCE), SwapOptions(**options), OutputOptions())  # type: ignore[arg-type]


def folder(path: Path) -> Bench:
    for name in ("in", "out"):
        (path / name).mkdir()
    return Bench(str(path))


def bucket() -> Bench:
    """What has puts and no renames: fsspec's memory, at an address of its own."""
    address = f"memory://{uuid.uuid4().hex}"
    files, root = fsspec.core.url_to_fs(address)
    files.makedirs(f"{root}/in")
    return Bench(address)


def touch_later(path: Path) -> None:
    """Change the times of a file and nothing else."""
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now + 10**9, now + 10**9))
