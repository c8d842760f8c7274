"""Bulk work over a Ray cluster: one task that lists, and a pool of actors that each hold the models; Ray Data between.

Only names and records travel. Each picture is a task of its own, so that what a killed worker had in hand is all that
is done again; it is read and written by the worker, and never enters Ray's memory.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from predictor.errors import PredictorError, StartupError
from predictor.scaling.bulk_listing import Item, listed
from predictor.scaling.bulk_places import Place, PlaceFull
from predictor.scaling.bulk_records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from predictor.scaling.bulk_worker import BulkJob, State

_TASKS_IN_FLIGHT = 2  # one that is worked on, and the next


class BulkBroken(PredictorError):
    """Ray could not go on."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How many workers there are, and what each of them takes."""

    workers: int | None = None
    """None is as many as the cluster has room for."""
    cpus: int = 1
    gpus: float = 0.0

    def size(self, nodes: Sequence[Mapping[str, float]]) -> int:
        """Return how many workers there will be.

        Args:
            nodes: The resources of each node, as Ray names them; a worker must fit onto one.

        Raises:
            StartupError: There is no room for a single one.
        """
        room = sum(map(self._room, nodes))
        if room < 1:
            told = ", ".join(f"{node.get('CPU', 0.0):g} and {node.get('GPU', 0.0):g}" for node in nodes) or "none"
            raise StartupError(
                f"a worker shall have {self.needs}, and no node has as much (processors and graphics cards: {told})"
            )
        return min(self.workers or room, room)

    @property
    def needs(self) -> str:
        """What a node must have free for a worker."""
        return f"processors: {self.cpus}, graphics cards: {self.gpus:g}"

    def _room(self, node: Mapping[str, float]) -> int:
        room = int(node.get("CPU", 0.0) // self.cpus)
        return min(room, int(node.get("GPU", 0.0) / self.gpus + 1e-9)) if self.gpus else room


def outcomes(job: BulkJob, pool: Pool) -> Iterator[tuple[State, Record]]:
    """Do all pictures on the cluster that is joined, and yield what became of each as it is finished.

    Raises:
        StartupError: A worker cannot work.
        PlaceFull: The output takes no more.
        BulkBroken: Ray could not go on.
    """
    context = DataContext.get_current()
    context.enable_progress_bars = False  # ours counts what was done before, and can be read in a log
    context.target_max_block_size = 1  # a row a block: a task is one picture, and told as soon as it is finished
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    size = pool.size([node["Resources"] for node in ray.nodes() if node["Alive"]])  # type: ignore[no-untyped-call]
    # On the node of this process, without which the run ends in any case: with another's it must not.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    attempts = ray.remote(num_cpus=0)(_Attempts).options(scheduling_strategy=here).remote()
    found = ray.data.read_datasource(_Listing(job.input), override_num_blocks=1, num_cpus=0)
    done = found.map_batches(
        _Actor,
        fn_constructor_args=(job, attempts),
        batch_size=1,
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=_TASKS_IN_FLIGHT),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
    )
    try:
        for row in done.iter_rows():
            yield _told(row)
    except RayError as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise BulkBroken(f"Ray could not go on: {words[-1]}") from error


def _told(row: Mapping[str, Any]) -> tuple[State, Record]:
    state, text = str(row["state"]), str(row["text"])
    if state == "cannot_start":
        raise StartupError(text)
    if state == "full":
        raise PlaceFull(text)
    return cast("State", state), Record.of_text(text)


class _Listing(Datasource):
    """Names of the input, listed while the first ones are worked on.

    Args:
        address: Of the input.
    """

    def __init__(self, address: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._address = address

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows before it is listed."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """Return the one task that lists; Ray lets it wait where the workers do not keep up."""
        del parallelism, per_task_row_limit, data_context
        address = self._address
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: _blocks(address), unknown)]


def _blocks(address: str) -> Iterator[pa.Table]:
    for item in listed(Place(address)):
        yield pa.table({"item": [item.as_text()]})


class _Attempts:
    """Counts on one node for all workers; it holds the pictures in hand, and those over which workers died."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, name: str) -> int:
        self._begun[name] += 1
        return self._begun[name]

    def end(self, name: str) -> None:
        del self._begun[name]


class _AttemptsByRay:
    """The same, asked from another process."""

    def __init__(self, actor: Any) -> None:  # noqa: ANN401  Ray has no type for the handle of an actor
        self._actor = actor

    def begin(self, name: str) -> int:
        return int(ray.get(self._actor.begin.remote(name)))

    def end(self, name: str) -> None:
        self._actor.end.remote(name)


class _Actor:
    """A worker in a process of Ray's.

    What keeps it from working is its answer, not an error: Ray would start it again for ever.
    """

    def __init__(self, job: BulkJob, attempts: Any) -> None:  # noqa: ANN401  as above
        self._failed = ""
        try:
            self._worker = job.started(_AttemptsByRay(attempts))
        except StartupError as error:
            self._failed = error.sentence

    def __call__(self, batch: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
        answers = [self._answer(Item.of_text(str(text))) for text in batch["item"]]
        return {"state": [state for state, _ in answers], "text": [text for _, text in answers]}

    def _answer(self, item: Item) -> tuple[str, str]:
        if self._failed:
            return "cannot_start", self._failed
        try:
            state, record = self._worker.do(item)
        except StartupError as error:
            return "cannot_start", error.sentence
        except PlaceFull as error:
            return "full", error.sentence
        return state, record.as_text()
