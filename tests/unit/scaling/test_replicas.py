"""Stages behind handles, from the pipeline to the replica and back: contracts, batches and what is proved at start."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from predictor.errors import StageFailed, StartupError
from predictor.faces import Crop, Identity, Image, SwappedCrop
from predictor.imaging.alignment import ARCFACE_112
from predictor.job import Job
from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
from predictor.runtime.session import OpenedSession
from predictor.scaling import replicas, workshop
from predictor.scaling.outcomes import Broken, Done, Running, Ticket
from predictor.scaling.stages import remote_service
from predictor.scaling.workshop import StageName, plain
from predictor.selection import Scene, Source
from predictor.settings import Settings
from predictor.stages import carry_on
from predictor.weights.store import LoadedWeights
from tests.unit.fakes import (
    FakeDetector,
    FakeEmbedder,
    FakeParser,
    FakeRestorer,
    Fakes,
    FakeSwapper,
    FakeUpsampler,
    face_at,
)
from tests.unit.scaling.here import FakeBuilder, FakeWorkshop, Handle, inside_a_replica, noisy

SETTINGS = Settings(ray_batch=4)


def handles(loop: asyncio.AbstractEventLoop, without: Sequence[StageName] = ()) -> dict[StageName, Handle]:
    """A handle of a replica of every stage."""
    given = plain(SETTINGS)
    return {stage: Handle(kind(given), loop) for stage, kind in replicas.REPLICAS.items() if stage not in without}


def colourful(rng: np.random.Generator, height: int = 160, width: int = 200) -> Image:
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_a_pipeline_over_handles_makes_the_same_bytes_and_reports_as_one_of_the_stages_themselves(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    faces = [face_at(20, 30), face_at(110, 40)]
    fakes = Fakes(
        FakeDetector(faces), FakeEmbedder(), FakeSwapper(paint=noisy), FakeRestorer(paint=lambda crop: 255 - crop)
    )
    builder = FakeBuilder(
        FakeDetector(faces), FakeEmbedder(), FakeSwapper(paint=noisy), FakeRestorer(paint=lambda crop: 255 - crop)
    )
    inside_a_replica(monkeypatch, builder)
    behind = remote_service(handles(loop), SETTINGS)
    source, destination = colourful(rng), colourful(rng)
    options = SwapOptions((Pair(None, 1, 1), Pair(None, 2, 2)), RestoreOptions("sharpen"), 2, report=True)

    def swapped(pipeline: object) -> tuple[Image, list[float | None]]:
        job = Job(60.0)
        scene = Scene("destination", destination, pipeline.find_faces(destination, "destination", job))  # type: ignore[attr-defined]
        given = Source("source", Scene("source", source, pipeline.find_faces(source, "source", job)))  # type: ignore[attr-defined]
        givers = pipeline.identify_all([given], options.pairs, job)  # type: ignore[attr-defined]
        altered = pipeline.swap(scene, givers, options, job)  # type: ignore[attr-defined]
        return altered.image, [report.similarity_after for report in altered.faces]

    over_handles, similarities = swapped(behind._pipeline)
    here, expected = swapped(fakes.pipeline())

    assert np.array_equal(over_handles, here)
    assert similarities == expected
    assert similarities[0] is not None


def test_what_runs_where_is_known_to_the_service(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_a_replica(monkeypatch, FakeBuilder())
    running = iter(range(4))

    def shop(_settings: object, stage: str) -> FakeWorkshop:
        session = OpenedSession(f"{stage}-{next(running)}", "cpu", "fp32")
        return FakeWorkshop(FakeBuilder(), Running((session,), (LoadedWeights(f"{stage}.onnx", "e4a3f08c", "mine"),)))

    monkeypatch.setattr(workshop, "workshop", shop)

    service = remote_service(handles(loop), SETTINGS)

    assert [one.name for one in service.sessions] == ["detector-0", "swapper-1", "restorer-2", "upsampler-3"]
    assert [one.name for one in service.weights] == [f"{stage}.onnx" for stage in workshop.STAGES]


def test_a_recipe_without_restorer_and_upsampler_has_none_behind_ray_either(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_a_replica(monkeypatch, FakeBuilder())

    pipeline = remote_service(handles(loop, without=("restorer", "upsampler")), SETTINGS)._pipeline

    assert not pipeline.can_restore
    assert pipeline.scales == ()


def test_a_parser_stands_beside_the_restorer(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    parser = FakeParser()
    inside_a_replica(monkeypatch, FakeBuilder(a_detector=FakeDetector([face_at(20, 30)]), a_parser=parser))
    pipeline = remote_service(handles(loop), SETTINGS)._pipeline
    image, job = colourful(rng), Job()

    untouched = pipeline.enhance(
        Scene("picture", image, pipeline.find_faces(image, "picture", job)), EnhanceOptions(RestoreOptions(), 1), job
    )

    assert parser.seen  # it sees no face anywhere, so nothing counts
    assert np.array_equal(untouched.image, image)


def test_a_swapper_that_needs_an_embedder_cannot_go_without(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_a_replica(monkeypatch, FakeBuilder(a_swapper=FakeSwapper(needs_embedding=True, paint=noisy)))

    with pytest.raises(StartupError, match="PREDICTOR_EMBEDDER"):
        remote_service(handles(loop), SETTINGS)


def test_nothing_is_sent_for_no_crops(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    inside_a_replica(monkeypatch, FakeBuilder(an_embedder=FakeEmbedder(), a_parser=FakeParser()))
    behind = handles(loop)
    stages = remote_service(behind, SETTINGS)._pipeline._stages  # type: ignore[attr-defined]
    sent = [len(handle.orders) for handle in behind.values()]

    assert stages.swapper.swap([], []) == []
    assert stages.restorer.restore([]) == []
    assert stages.embedder.embed([]) == []
    assert stages.parser.parse([]) == []
    assert [len(handle.orders) for handle in behind.values()] == sent


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


@dataclass
class SlowSwapper(FakeSwapper):
    """Waits before a run, and notes how many crops each run had."""

    go_on: threading.Event = field(default_factory=threading.Event)
    runs: list[int] = field(default_factory=list)
    waits: bool = False

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        self.runs.append(len(crops))
        if self.waits:
            self.waits = False
            assert self.go_on.wait(10)
        return super().swap(crops, identities, check)


def test_crops_of_requests_that_come_meanwhile_go_through_the_swapper_together(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapper = SlowSwapper(paint=noisy)
    inside_a_replica(monkeypatch, FakeBuilder(a_swapper=swapper))
    handle = Handle(replicas.SwapperReplica(plain(SETTINGS)), loop)
    crops = [workshop.example(swapper.templates[0]), workshop.other_example(swapper.templates[0])]
    identity, other = workshop.example_identities(swapper)
    swapper.runs.clear()
    swapper.waits = True

    first = handle.send("swap", (Ticket("a"), crops[:1], [identity]))
    wait_until(lambda: bool(swapper.runs))
    rest = []
    for number in range(4):
        order = Ticket(str(number)), [crops[number % 2]], [other if number % 2 else identity]
        rest.append(handle.send("swap", order))
        time.sleep(0.02)  # not at the same moment
    more = handle.send("swap", (Ticket("f"), crops, [identity, other]))
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop).result()  # all have come
    swapper.go_on.set()
    outcomes = [each.result(timeout_s=10) for each in (first, *rest, more)]

    assert swapper.runs == [1, 4, 2]
    assert [outcome.together for outcome in outcomes] == [1, 4, 4, 4, 4, 1]
    for outcome, number in zip(outcomes[1:5], range(4), strict=True):
        (made,) = swapper.swap([crops[number % 2]], [other if number % 2 else identity])
        assert np.array_equal(outcome.value[0].image, made.image)


@pytest.mark.parametrize("alike", [True, False])
def test_a_stage_whose_answers_change_in_company_is_asked_for_one_request_at_a_time(
    alike: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Sociable(FakeSwapper):
        def swap(
            self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
        ) -> list[SwappedCrop]:
            made = super().swap(crops, identities, check)
            if alike or len(crops) == 1:
                return made
            return [replace(each, image=each.image + 1) for each in made]

    class SociableRestorer(FakeRestorer):
        def restore(self, crops: Sequence[Image]) -> list[Image]:
            return [crop + (0 if alike else len(crops)) for crop in crops]

    inside_a_replica(monkeypatch, FakeBuilder(a_swapper=Sociable(paint=noisy), a_restorer=SociableRestorer()))

    together = [kind(plain(SETTINGS))._together for kind in (replicas.SwapperReplica, replicas.RestorerReplica)]

    assert together == [alike, alike]
    assert len([record for record in caplog.records if "in company" in record.message]) == (0 if alike else 2)


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (replicas.DetectorReplica, {"a_detector": FakeDetector()}),
        (replicas.SwapperReplica, {"a_swapper": FakeSwapper()}),
        (replicas.RestorerReplica, {"a_restorer": FakeRestorer()}),
        (replicas.UpsamplerReplica, {"an_upsampler": FakeUpsampler()}),
    ],
)
def test_a_replica_whose_stage_does_not_work_does_not_start(
    kind: type, broken: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((name, stage),) = broken.items()

    def fail(*_: object) -> None:
        raise StageFailed("stage", "broken")

    monkeypatch.setattr(
        stage, {"a_detector": "detect", "a_swapper": "swap", "a_restorer": "restore"}.get(name, "upsample"), fail
    )
    inside_a_replica(monkeypatch, FakeBuilder(**broken))  # type: ignore[arg-type]

    with pytest.raises(StageFailed):
        kind(plain(SETTINGS))


def test_every_replica_proves_itself_when_asked_for_its_health(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = FakeBuilder(an_embedder=FakeEmbedder(), a_parser=FakeParser(template=ARCFACE_112))
    inside_a_replica(monkeypatch, builder)
    behind = handles(loop)
    monkeypatch.setattr("predictor.scaling.desk._FRESH_SECONDS", 0.0)
    before = [len(builder.a_detector.seen), len(builder.a_swapper.calls), len(builder.a_restorer.seen)]

    for handle in behind.values():
        handle.send("check_health", ()).result(timeout_s=10)

    after = [len(builder.a_detector.seen), len(builder.a_swapper.calls), len(builder.a_restorer.seen)]
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1, 1]
    assert builder.an_upsampler.seen
    assert builder.an_embedder is not None
    assert builder.an_embedder.seen


def test_a_stage_that_fails_in_its_replica_answers_all_the_same(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_a_replica(monkeypatch, FakeBuilder())
    handle = handles(loop)["upsampler"]

    outcome = handle.send("upsample", (Ticket("a"), "no picture", 2)).result(timeout_s=10)
    well = handle.send("upsample", (Ticket("a"), workshop.small_picture(), 2)).result(timeout_s=10)

    assert isinstance(outcome, Broken)
    assert isinstance(well, Done)
