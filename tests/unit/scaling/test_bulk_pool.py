from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import StartupError
from predictor.options import EnhanceOptions, OutputOptions
from predictor.scaling import bulk_pool
from predictor.scaling.bulk_listing import Item
from predictor.scaling.bulk_places import PlaceFull
from predictor.scaling.bulk_pool import Pool
from predictor.scaling.bulk_records import Record
from predictor.scaling.bulk_tasks import EnhanceTask, Task
from predictor.scaling.bulk_worker import RUN_FILE, BulkJob, Worker
from predictor.settings import Settings
from tests.unit.scaling.bulk_bench import NOBODY, Bench, encoded, folder, swap


@pytest.mark.parametrize(
    ("pool", "nodes", "size"),
    [
        (Pool(), [{"CPU": 4.0}], 4),
        (Pool(), [{"CPU": 4.0}, {}, {"CPU": 2.0}], 6),
        (Pool(cpus=3), [{"CPU": 8.0}], 2),
        (Pool(cpus=3), [{"CPU": 4.0}, {"CPU": 5.0}, {"CPU": 2.0}], 2),
        (Pool(workers=2), [{"CPU": 8.0}], 2),
        (Pool(workers=9), [{"CPU": 8.0}], 8),
        (Pool(gpus=0.25), [{"CPU": 64.0, "GPU": 2.0}], 8),
        (Pool(gpus=0.1), [{"CPU": 64.0, "GPU": 1.0}], 10),
        (Pool(gpus=2.0), [{"CPU": 64.0, "GPU": 3.0}, {"CPU": 64.0, "GPU": 1.0}], 1),
        (Pool(gpus=0.5), [{"CPU": 2.0, "GPU": 8.0}, {"CPU": 8.0}], 2),
    ],
)
def test_there_are_as_many_workers_as_the_nodes_have_room_for(
    pool: Pool, nodes: list[dict[str, float]], size: int
) -> None:
    assert pool.size(nodes) == size


@pytest.mark.parametrize(
    ("pool", "nodes"),
    [
        (Pool(cpus=3), [{"CPU": 2.0}, {"CPU": 2.0}]),
        (Pool(gpus=1.0), [{"CPU": 2.0}]),
        (Pool(gpus=2.0), [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 8.0, "GPU": 1.0}]),
        (Pool(), []),
    ],
)
def test_a_cluster_no_node_of_which_has_room_for_a_worker_is_told(pool: Pool, nodes: list[dict[str, float]]) -> None:
    with pytest.raises(StartupError, match="and no node has as much"):
        pool.size(nodes)


class Actor:
    """A worker as Ray makes one, without Ray: attempts are counted here."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, task: Task | None = None) -> None:
        monkeypatch.setattr(bulk_pool, "_AttemptsByRay", lambda attempts: attempts)
        bench.output.write(RUN_FILE, b"run")
        job = BulkJob(task or swap(), bench.input.address, bench.output.address, Settings(), "run", bench.load)
        self._actor = bulk_pool._Actor(job, bench.attempts)

    def answers(self, *items: Item) -> list[tuple[str, str]]:
        answers = self._actor({"item": [item.as_text() for item in items]})
        return list(zip(answers["state"], answers["text"], strict=True))


@pytest.fixture
def desk(tmp_path: Path) -> Bench:
    return folder(tmp_path)


def test_a_row_goes_in_and_what_became_of_it_comes_out(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.picture("a.png")

    ((state, text),) = Actor(desk, monkeypatch).answers(*desk.items())

    told = bulk_pool._told({"state": state, "text": text})
    assert told == ("done", Record.of_text(text))
    assert told[1].output == "a.png"


def test_a_worker_that_cannot_start_answers_so_and_does_not_die(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = swap()
    bad = type(source)("me.png", encoded(NOBODY), source.options, source.output)

    (answer,) = Actor(desk, monkeypatch, bad).answers(Item("a.png"))

    assert answer == ("cannot_start", "no face was found in me.png")
    with pytest.raises(StartupError, match="no face was found"):
        bulk_pool._told({"state": answer[0], "text": answer[1]})


def test_what_no_picture_can_have_ends_all(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.fakes.upsampler = None
    desk.picture("a.png")

    (answer,) = Actor(desk, monkeypatch, EnhanceTask(EnhanceOptions(), OutputOptions())).answers(*desk.items())

    assert answer == ("cannot_start", "upscale: 2 is not available; available: 1")


def test_a_full_disk_is_told_as_such(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise PlaceFull("nothing can be written any more")

    actor = Actor(desk, monkeypatch)
    monkeypatch.setattr(Worker, "do", full)

    (answer,) = actor.answers(Item("a.png"))

    assert answer == ("full", "nothing can be written any more")
    with pytest.raises(PlaceFull):
        bulk_pool._told({"state": answer[0], "text": answer[1]})


def test_every_name_is_a_block_of_its_own(desk: Bench) -> None:
    for name in ("a.png", "sub/b.png"):
        desk.picture(name)

    listing = bulk_pool._Listing(desk.input.address)
    (task,) = listing.get_read_tasks(7)

    assert listing.estimate_inmemory_data_size() is None
    assert [[Item.of_text(text).name for text in block["item"].to_pylist()] for block in task()] == [
        ["a.png"],
        ["sub/b.png"],
    ]


def test_attempts_are_counted_until_they_end() -> None:
    attempts = bulk_pool._Attempts()

    counts = [attempts.begin(name) for name in ("a", "a", "b")]
    attempts.end("a")
    attempts.end("never begun")

    assert (counts, attempts.begin("a")) == ([1, 2, 1], 1)
