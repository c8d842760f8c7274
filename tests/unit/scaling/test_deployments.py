from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ray import serve

from predictor.errors import StartupError
from predictor.scaling import deployments
from predictor.scaling.deployments import Fleet, gpus_of, replicas, stage_applications
from predictor.settings import Settings


def deployment(stage: str, settings: Settings) -> Any:  # noqa: ANN401  # Ray's
    return stage_applications(settings)[stage]._bound_deployment  # type: ignore[index]


@pytest.mark.parametrize("stage", ["detector", "swapper", "restorer", "upsampler"])
def test_every_stage_is_a_deployment_that_takes_a_batch_and_the_next(stage: str) -> None:
    batch = 6 if stage in {"swapper", "restorer"} else 1

    made = deployment(stage, Settings(ray_batch=6, ray_cpus=0.5, ray_replicas="3", grace_seconds=77.0))

    assert made.name == stage
    assert made.num_replicas == 3
    assert made.max_ongoing_requests == 2 * batch
    assert made.max_queued_requests == -1
    assert made.ray_actor_options == {"num_cpus": 0.5, "num_gpus": 0.0}
    assert made._deployment_config.graceful_shutdown_timeout_s == 77.0


def test_a_range_of_replicas_is_scaled_by_the_load() -> None:
    scaling = deployment("swapper", Settings(ray_replicas="2-5", ray_batch=6))._deployment_config.autoscaling_config

    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 5, 6)
    assert replicas(Settings(ray_replicas="2-5")) == (2, 5)


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ({}, 0.0),
        ({"provider": "cpu"}, 0.0),
        ({"provider": "cuda"}, 0.25),
        ({"provider": "tensorrt"}, 0.25),
        ({"provider": "cuda", "ray_gpus": 1}, 1.0),
        ({"ray_gpus": 0.1}, 0.1),
    ],
)
def test_a_replica_takes_a_share_of_a_gpu_where_it_runs_on_one(given: dict[str, Any], share: float) -> None:
    assert gpus_of(Settings(**given)) == share


class FakeServe:
    """What a fleet asks of Ray Serve."""

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        self.done: list[object] = []

    def start(self, **options: object) -> None:
        self.done.append(("start", options["proxy_location"]))

    def run_many(self, targets: Sequence[serve.RunTarget]) -> list[str]:
        if self.failure:
            raise RuntimeError(self.failure)
        assert all(target.route_prefix is None for target in targets)
        return [f"handle of {target.name}" for target in targets]

    def shutdown(self) -> None:
        self.done.append("shutdown")

    def delete(self, name: str) -> None:
        self.done.append(name)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeServe:
    made = FakeServe()
    for name in ("start", "run_many", "shutdown", "delete"):
        monkeypatch.setattr(serve, name, getattr(made, name))
    monkeypatch.setattr(deployments, "_speak_through_our_logs", lambda: None)
    return made


def test_a_fleet_gives_a_handle_for_each_stage_and_opens_no_port(fake: FakeServe) -> None:
    handles = Fleet("faceswap-here", Settings()).start()

    assert {stage: str(handle) for stage, handle in handles.items()} == {
        stage: f"handle of faceswap-here-{stage}" for stage in ("detector", "swapper", "restorer", "upsampler")
    }
    assert fake.done == [("start", "Disabled")]


def test_a_fleet_takes_away_its_own_and_everything_only_where_all_is_its_own(fake: FakeServe) -> None:
    fleet = Fleet("faceswap-here", Settings(restorer=None))

    fleet.stop(everything=False)
    fleet.stop(everything=True)

    assert fake.done == [
        *(f"faceswap-here-{stage}" for stage in ("detector", "swapper", "restorer", "upsampler")),
        "shutdown",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            (
                "Deploying application x failed: The deployment failed to start 1 times in a row...\n"
                'Traceback (most recent call last):\n  File "/srv/predictor/x.py", line 1, in f\n'
                "predictor.errors.ProviderUnavailable: PREDICTOR_PROVIDER: cuda cannot be had\n\nmore"
            ),
            "PREDICTOR_PROVIDER: cuda cannot be had",
        ),
        ("Deploying failed for reasons of its own", "a stage cannot be started behind Ray Serve"),
    ],
)
def test_a_stage_that_cannot_be_loaded_is_told_in_its_own_sentence(words: str, sentence: str, fake: FakeServe) -> None:
    fake.failure = words

    with pytest.raises(StartupError) as caught:
        Fleet("faceswap-here", Settings()).start()

    assert caught.value.sentence.startswith(sentence)
    assert "/srv" not in caught.value.sentence
