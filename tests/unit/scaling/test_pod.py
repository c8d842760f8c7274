from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from predictor.errors import LicenceNotAccepted, PackagesMissing, StartupError, WeightsMissing
from predictor.scaling import cluster, deployments, pod, stages
from predictor.scaling.pod import BehindRay
from predictor.serving import server
from predictor.settings import Settings


class World:
    """Ray, as far as a pod needs one, and what was done with it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.done: list[str] = []
        self.settings: Settings | None = None
        self.ends = threading.Event()

    @contextmanager
    def cluster(self, object_store_bytes: int) -> Iterator[None]:
        assert object_store_bytes > 75 * 1024 * 1024
        self.done.append("ray starts")
        try:
            yield
        finally:
            self.done.append("ray ends")
            self.ends.set()

    def fleet(self, name: str, settings: Settings) -> World:
        assert name.startswith("faceswap-")
        self.settings = settings
        return self

    def start(self) -> str:
        if self.failure:
            raise self.failure
        self.done.append("stages start")
        return "handles"

    def stop(self, *, everything: bool) -> None:
        self.done.append("everything ends" if everything else "stages end")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster, "cluster", made.cluster)
    monkeypatch.setattr(deployments, "Fleet", made.fleet)
    monkeypatch.setattr(stages, "remote_service", lambda handles, _: f"service over {handles}")
    return made


def test_ray_lives_from_load_to_close(world: World) -> None:
    behind = BehindRay()

    service = behind.load(Settings(ray_cpus=0.5))
    during = list(world.done)
    behind.close()

    assert str(service) == "service over handles"
    assert during == ["ray starts", "stages start"]
    assert world.done[2:] == ["everything ends", "ray ends"]
    assert world.settings is not None
    assert world.settings.ray_cpus == 0.0  # nobody else shares a Ray of our own


def test_of_a_ray_that_others_share_only_our_stages_are_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    behind = BehindRay()

    behind.load(Settings(ray_cpus=0.5))
    behind.close()

    assert world.done[2:] == ["stages end", "ray ends"]
    assert world.settings is not None
    assert world.settings.ray_cpus == 0.5


def test_a_stage_that_cannot_be_loaded_keeps_the_server_from_starting_and_leaves_nothing(world: World) -> None:
    world.failure = StartupError("cuda cannot be had")
    behind = BehindRay()

    with pytest.raises(StartupError, match="cuda cannot be had"):
        behind.load(Settings())

    assert world.ends.wait(10)
    assert world.done == ["ray starts", "everything ends", "ray ends"]
    behind.close()


def test_weights_that_are_missing_are_told_before_ray_is_started(world: World, tmp_path: Path) -> None:
    with pytest.raises((WeightsMissing, LicenceNotAccepted)):
        BehindRay().load(Settings(recipe="onnx", weights_dir=tmp_path))

    assert world.done == []


def test_the_server_is_the_usual_one_with_more_workers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def serve(settings: Settings, build: object) -> int:
        seen.append(settings)
        assert callable(build)
        build(settings)
        return 7

    monkeypatch.setattr(server, "serve", serve)

    assert pod.serve(Settings()) == 7
    assert seen[0].workers == 8
    assert world.done[-1] == "ray ends"


def test_without_the_extra_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod, "find_spec", lambda _: None)

    with pytest.raises(PackagesMissing, match="the extra ray"):
        pod.serve(Settings())
