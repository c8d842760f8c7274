"""What Ray Serve is told of each stage: how many replicas, on what, how much they take at once, how they stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import serve

from predictor.engines import recipe_of
from predictor.scaling.replicas import REPLICAS
from predictor.scaling.workshop import offered, plain

if TYPE_CHECKING:
    from ray.serve import Application

    from predictor.scaling.workshop import StageName
    from predictor.settings import Settings

_GPU_PROVIDERS = ("cuda", "tensorrt")
_GPU_SHARE = 0.25
"""Of one card for each replica of a stage, where the operator gives no other: all four stages fit on one."""
_BATCHING = ("swapper", "restorer")
_HEALTH_PERIOD_SECONDS, _HEALTH_TIMEOUT_SECONDS = 10.0, 60.0


def stage_applications(settings: Settings) -> dict[StageName, Application]:
    """Return each stage of the recipe as a deployment bound to its settings."""
    given = plain(settings)
    return {
        stage: serve.deployment(name=stage, **_options(stage, settings))(REPLICAS[stage]).bind(given)
        for stage in offered(recipe_of(settings))
    }


def replicas(settings: Settings) -> tuple[int, int]:
    """Return the least and the most replicas of a stage."""
    least, _, most = settings.ray_replicas.partition("-")
    return int(least), int(most or least)


def gpus_of(settings: Settings) -> float:
    """Return how much of a GPU each replica takes."""
    if settings.ray_gpus is not None:
        return settings.ray_gpus
    return _GPU_SHARE if settings.provider in _GPU_PROVIDERS else 0.0


def _options(stage: StageName, settings: Settings) -> dict[str, Any]:
    at_once = settings.ray_batch if stage in _BATCHING else 1
    return {
        **_number(settings, at_once),
        # As many as are worked on, and as many again that wait beside them, so that the next batch is there at once.
        # More wait with their caller, who can still give them to another replica.
        "max_ongoing_requests": 2 * at_once,
        # What was accepted is not refused half-way: the queue at the entrance bounds what may wait here.
        "max_queued_requests": -1,
        "ray_actor_options": {"num_cpus": settings.ray_cpus, "num_gpus": gpus_of(settings)},
        "health_check_period_s": _HEALTH_PERIOD_SECONDS,
        "health_check_timeout_s": _HEALTH_TIMEOUT_SECONDS,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": settings.grace_seconds,
    }


def _number(settings: Settings, at_once: int) -> dict[str, Any]:
    least, most = replicas(settings)
    if least == most:
        return {"num_replicas": least}
    scaling = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": at_once}
    return {"autoscaling_config": scaling}
