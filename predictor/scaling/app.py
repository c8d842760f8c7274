"""The application that a KubeRay RayService runs: our REST and gRPC at the head, heavy stages on every node.

    serveConfigV2: |
      proxy_location: HeadOnly
      http_options: {host: 0.0.0.0, port: 8000, keep_alive_timeout_s: 30}
      grpc_options: {port: 9000, grpc_servicer_functions: [predictor.scaling.proxy.add_to_server]}
      applications:
        - name: faceswap
          route_prefix: /
          import_path: predictor.scaling.app:build
          args: {recipe: onnx, ray_replicas: 1-4, workers: 8}

Ray's proxy at the head takes REST and gRPC and hands each request to an entrance: a replica of the deployment
`entrance`, also at the head (`node:__internal_head__`), which is our own server without its listeners. It decodes,
composites, encodes and answers; detector, swapper, restorer and upsampler are deployments of their own, on workers
where the head offers no processors (`num-cpus: "0"`). So a worker that is killed takes no connection and no accepted
request along: its orders are sent again.

Arguments are settings by their names, in lower case and without a prefix; what is not given comes from the environment
of the head. Everything is checked once and sent to all replicas as plain data, so that pods need not agree.

The proxies are Ray's, so they are made ours by what Ray offers for that, in the environment of every pod:
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=predictor.scaling.proxy.middlewares` and `RAY_USAGE_STATS_ENABLED=0`.
`predictor.scaling.proxy` says what that does: ids and errors in our words, and an age at which connections end, without
which clients would keep theirs to a cluster that KubeRay deletes after an update.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ray import serve

from predictor.errors import StartupError
from predictor.scaling.context import CallContext
from predictor.scaling.deployments import LOGGING, stage_applications
from predictor.scaling.entrance import Entrance
from predictor.scaling.stages import remote_service
from predictor.scaling.workshop import STAGES, plain, require_scalable, with_more_workers
from predictor.serving.logs import configure_logging
from predictor.settings import Settings, read_settings, unknown_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message
    from ray.serve import Application
    from ray.serve.grpc_util import RayServegRPCContext

_PORTS = ("http_port", "grpc_port")
_MOST_AT_ONCE = 10_000
"""Requests that Ray gives an entrance at a time; its own queue refuses earlier, in our words."""
_AT_THE_HEAD = {"node:__internal_head__": 0.001}


def build(args: Mapping[str, Any]) -> Application:
    """Return the application; Ray Serve calls this with the `args` of its config.

    Args:
        args: Settings by name.

    Raises:
        StartupError: There is no such setting, or its value is of the wrong type or out of bounds.
    """
    settings = settings_of(args)
    require_scalable(settings)
    entrance = serve.deployment(
        name="entrance",
        max_ongoing_requests=_MOST_AT_ONCE,
        ray_actor_options={"num_cpus": 0, "resources": _AT_THE_HEAD},
        logging_config=LOGGING,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=settings.grace_seconds,
    )
    return entrance(serve.ingress()(EntranceReplica)).bind(plain(settings), **stage_applications(settings))


def settings_of(args: Mapping[str, Any]) -> Settings:
    """Return the settings that arguments name, the rest from the environment.

    Raises:
        StartupError: There is no such setting, or its value is of the wrong type or out of bounds.
    """
    given = {f"PREDICTOR_{name.upper()}": name for name in args}
    if unknown := [name for name in args if name not in Settings.model_fields]:
        described = unknown_variables(given)
        hints = [line.lower().removeprefix("predictor_").replace("mean predictor_", "mean ") for line in described]
        raise StartupError(f"args: no setting is called {', '.join(hints or unknown)}")
    if ports := [name for name in args if name in _PORTS]:
        raise StartupError(f"args: {', '.join(ports)} cannot be set here: Ray Serve's http_options and grpc_options do")
    return with_more_workers(read_settings(**args))


class EntranceReplica:
    """What Ray Serve runs at the head; ready once every stage has proved itself: Ray says RUNNING no earlier."""

    async def __init__(self, given: Mapping[str, Any], **handles: object) -> None:  # type: ignore[misc]  # Ray awaits it
        settings = Settings(**given)
        configure_logging(settings)
        # in a thread: it waits for the stages
        self._entrance = await asyncio.to_thread(_entrance, settings, handles)

    def __serve_build_asgi_app__(self) -> Entrance:  # Ray's name for it
        """Return the REST application."""
        return self._entrance

    async def call(self, message: bytes, grpc_context: RayServegRPCContext) -> Message:
        """Serve one gRPC call; which one, its metadata say."""
        return await self._entrance.call(message, CallContext(grpc_context))


def _entrance(settings: Settings, handles: Mapping[str, object]) -> Entrance:
    return Entrance(remote_service({stage: handles[stage] for stage in STAGES if stage in handles}, settings), settings)
