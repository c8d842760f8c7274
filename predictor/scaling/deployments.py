"""What Ray Serve is told of each stage: how many replicas, on what, how much they take at once, how they stop."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from ray import serve

from predictor.engines import recipe_of
from predictor.errors import StartupError
from predictor.scaling.replicas import REPLICAS
from predictor.scaling.workshop import offered, plain

if TYPE_CHECKING:
    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle

    from predictor.scaling.workshop import StageName
    from predictor.settings import Settings

_GPU_PROVIDERS = ("cuda", "tensorrt")
_GPU_SHARE = 0.25
"""Of one card for each replica of a stage, where the operator gives no other: all four stages fit on one."""
_BATCHING = ("swapper", "restorer")
_SENTENCE = re.compile(r"^predictor\.(?:\w+\.)*[A-Z]\w*: (.+)$", re.MULTILINE)
LOGGING = {"enable_access_log": False, "log_level": "WARNING"}
"""What Ray Serve logs of its own: what went wrong. Requests have a line of ours."""
_HEALTH_PERIOD_SECONDS, _HEALTH_TIMEOUT_SECONDS = 10.0, 60.0


def stage_applications(settings: Settings) -> dict[StageName, Application]:
    """Return each stage of the recipe as a deployment bound to its settings."""
    given = plain(settings)
    return {
        stage: serve.deployment(name=stage, **_options(stage, settings))(REPLICAS[stage]).bind(given)
        for stage in offered(recipe_of(settings))
    }


class Fleet:
    """The stages of one server as applications of Ray Serve, each of one deployment.

    Args:
        name: Begins their names: one server's in a cluster of many.
        settings: What the operator decided.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self._applications = stage_applications(settings)
        self._names = {stage: f"{name}-{stage}" for stage in self._applications}

    def start(self) -> dict[StageName, DeploymentHandle[Any]]:
        """Deploy them, wait until each has its replicas, and return a handle for each.

        Raises:
            StartupError: One cannot be loaded.
        """
        _speak_through_our_logs()
        serve.start(proxy_location="Disabled", logging_config=LOGGING)  # calls come by handles
        targets = [
            serve.RunTarget(application, name=self._names[stage], route_prefix=None)
            for stage, application in self._applications.items()
        ]
        try:
            handles = serve.run_many(targets)
        except RuntimeError as error:
            raise StartupError(_sentence(str(error))) from error
        return dict(zip(self._applications, handles, strict=True))

    def stop(self, *, everything: bool) -> None:
        """Stop them, or all that Ray Serve runs."""
        if everything:
            serve.shutdown()  # type: ignore[no-untyped-call]  # Ray's
        else:
            for name in self._names.values():
                serve.delete(name)


def _speak_through_our_logs() -> None:
    """Let Ray Serve's lines come out in our form, those that matter."""
    logger = logging.getLogger("ray.serve")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)


def _sentence(words: str) -> str:
    """Return what a replica said, out of the traceback that Ray makes of it."""
    found = _SENTENCE.findall(words)
    return str(found[-1]).strip() if found else "a stage cannot be started behind Ray Serve; Ray's own logs say why"


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
        "logging_config": LOGGING,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": settings.grace_seconds,
    }


def _number(settings: Settings, at_once: int) -> dict[str, Any]:
    least, most = replicas(settings)
    if least == most:
        return {"num_replicas": least}
    scaling = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": at_once}
    return {"autoscaling_config": scaling}
