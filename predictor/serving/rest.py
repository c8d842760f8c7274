"""REST: KServe's routes over our DataPlane, with our own for inference, and one form for every error."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

import kserve.errors
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from kserve.protocol.rest.server import metrics_handler
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from starlette.exceptions import HTTPException

from predictor import __version__
from predictor.errors import (
    ClientGone,
    InvalidField,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    NotReady,
    NotSupported,
    PredictorError,
)
from predictor.job import Job
from predictor.serving.bodies import SlicedResponse, read_body
from predictor.serving.call import Call, RestAnswer
from predictor.serving.limits import timeout_seconds
from predictor.serving.middleware import RequestMiddleware, error_response
from predictor.serving.openapi import describe
from predictor.serving.statuses import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, NoReturn

    from fastapi.telemetry import TelemetryConfig

    from predictor.serving.call import Protocol
    from predictor.serving.dataplane import ClosedRepository, PredictorDataPlane
    from predictor.serving.executor import Executor
    from predictor.serving.metrics import Requests
    from predictor.settings import Settings

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_JSON_LENGTH = "inference-header-content-length"


def build_app(
    dataplane: PredictorDataPlane,
    repository: ClosedRepository,
    executor: Executor,
    requests: Requests,
    settings: Settings,
) -> FastAPI:
    """Return the REST application."""
    # FastAPI's own spans would stand beside ours, and its logs would carry whatever an exception says.
    silent: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    app = FastAPI(title="faceswap-predictor", version=__version__, docs_url=None, redoc_url=None, telemetry=silent)
    app.router.redirect_slashes = False  # a path that is nearly one of ours is not found; nobody is sent elsewhere
    app.include_router(_Inference(dataplane, executor, requests, settings).router())
    app.include_router(_kserve_routes(dataplane, repository))
    app.add_middleware(RequestMiddleware, lifecycle=dataplane.lifecycle, tracing=requests.tracing)
    for kind in (
        PredictorError,
        HTTPException,
        RequestValidationError,
        NotImplementedError,
        kserve.errors.ModelNotReady,
        kserve.errors.ServerNotReady,
    ):
        app.add_exception_handler(kind, _answer_error)
    app.openapi = lambda: describe(app, settings)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    return app


def _kserve_routes(dataplane: PredictorDataPlane, repository: ClosedRepository) -> APIRouter:
    """Return KServe's own routes, but for those that do the work: its V2 parses on the event loop and loses bytes."""
    v1, v2 = V1Endpoints(dataplane, repository), V2Endpoints(dataplane, repository)
    router = APIRouter()
    for path, endpoint in (
        ("/", dataplane.live),
        ("/v1/models", v1.models),
        ("/v1/models/{model_name}", v1.model_ready),
        ("/v2", v2.metadata),
        ("/v2/health/live", v2.live),
        ("/v2/health/ready", v2.ready),
        ("/v2/models", v2.models),
        ("/v2/models/{model_name}", dataplane.model_metadata),  # KServe's own would leave its parameters out
        ("/v2/models/{model_name}/ready", v2.model_ready),
    ):
        _add_state(router, path, endpoint)
    _add_state(router, "/metrics", metrics_handler, PlainTextResponse)
    for path, endpoint in (("load", v2.load), ("unload", v2.unload)):
        router.add_api_route(f"/v2/repository/models/{{model_name}}/{path}", endpoint, methods=["POST"], tags=["state"])
    return router


def _add_state(router: APIRouter, path: str, endpoint: Callable[..., Any], kind: type[Response] = JSONResponse) -> None:
    """Add a route that tells a state; to HEAD, which some probes ask, it tells the same without its body."""
    router.add_api_route(path, endpoint, methods=["GET"], tags=["state"], response_class=kind)
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, response_class=kind)


class _Inference:
    """The routes that do the work: `:predict` and `infer`."""

    def __init__(
        self, dataplane: PredictorDataPlane, executor: Executor, requests: Requests, settings: Settings
    ) -> None:
        self._dataplane = dataplane
        self._executor = executor
        self._requests = requests
        self._settings = settings

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        v1, v2 = "/v1/models/{model_name}", "/v2/models/{model_name}"
        router.add_api_route(f"{v1}:predict", self.predict, methods=["POST"], tags=["V1"], response_model=None)
        router.add_api_route(f"{v1}:explain", self.explain, methods=["POST"], tags=["V1"], response_model=None)
        router.add_api_route(f"{v2}/infer", self.infer, methods=["POST"], tags=["V2"], response_model=None)
        for word in ("predict", "explain"):  # else KServe's readiness would take `NAME:predict` for a model's name
            router.add_api_route(
                f"{v1}:{word}", self.post_only, methods=["GET"], include_in_schema=False, response_model=None
            )
        for path, method, endpoint in (
            ("", "GET", self.version),
            ("/ready", "GET", self.version),
            ("/infer", "POST", self.infer_version),
        ):
            router.add_api_route(
                f"{v2}/versions/{{model_version}}{path}",
                endpoint,
                methods=[method],
                include_in_schema=False,
                response_model=None,
            )
        return router

    async def predict(self, model_name: str, request: Request) -> Response:
        """Serve V1."""
        return self._response(await self._infer("v1", model_name, request))

    async def infer(self, model_name: str, request: Request) -> Response:
        """Serve V2, JSON and binary."""
        return self._response(await self._infer("v2", model_name, request))

    async def explain(self, model_name: str) -> NoReturn:
        """Refuse: there is no explainer."""
        self._dataplane.get_model_from_registry(model_name)
        raise NotSupported("explain is not offered")

    async def post_only(self, model_name: str) -> NoReturn:
        """Refuse: a model is asked by POST."""
        self._dataplane.get_model_from_registry(model_name)
        raise MethodNotAllowed("GET", ["POST"])

    async def version(self, model_name: str, model_version: str) -> NoReturn:
        """Refuse: models have one version."""
        self._dataplane.get_model_from_registry(model_name)
        raise NotSupported(f"version {model_version} is not offered; models are served without versions")

    async def infer_version(self, model_name: str, model_version: str) -> NoReturn:
        """Refuse, and count what was refused: on gRPC it is the same call as without a version."""
        with self._requests.counted(model_name, "v2"):
            await self.version(model_name, model_version)

    async def _infer(self, protocol: Protocol, model_name: str, request: Request) -> RestAnswer:
        with self._requests.counted(model_name, protocol):
            return await self._admitted(protocol, model_name, request)

    async def _admitted(self, protocol: Protocol, model_name: str, request: Request) -> RestAnswer:
        await self._dataplane.get_model(model_name)
        headers = dict(request.headers)
        default = self._settings.request_timeout_seconds
        job = Job(timeout_seconds(headers.get("x-request-timeout"), default))
        with self._executor.admission(), self._requests.in_flight(model_name, job):
            with job.stage("receive"):
                limits = self._settings
                arriving = read_body(request, job, limits.limit_request_bytes, limits.client_seconds)
                body = await self._executor.arrival(arriving)
            call = Call(protocol, body, job, headers.get(_JSON_LENGTH) if protocol == "v2" else None)
            work = self._dataplane.infer(model_name, call, headers)
            answer, _ = await _while_connected(request, job, work)
        return answer  # type: ignore[no-any-return]  # a REST call comes back as a RestAnswer

    def _response(self, answer: RestAnswer) -> Response:
        raw = answer.json_length is not None
        return SlicedResponse(
            answer.body,
            self._dataplane.lifecycle,
            media_type="application/octet-stream" if raw else "application/json",
            headers={_JSON_LENGTH: str(answer.json_length)} if raw else None,
        )


async def _while_connected(request: Request, job: Job, work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work, but not for nobody: when the client hangs up, leave the queue, or stop before the next stage."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            job.abandon()
            raise ClientGone("the answer")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.wait({task, gone})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _answer_error(request: Request, error: Exception) -> Response:
    return error_response(_ours(request, error))


def _ours(request: Request, error: Exception) -> PredictorError:
    """Return what a framework's error is called here."""
    if isinstance(error, PredictorError):
        if error.code == "internal":
            _log.error("failed", exc_info=error)
        return error
    if isinstance(error, HTTPException):
        return _http_error(request, error)
    if isinstance(error, RequestValidationError):
        return InvalidField(".".join(str(part) for part in error.errors()[0]["loc"][1:]), "not valid")
    if isinstance(error, NotImplementedError):
        return NotSupported("not offered")
    return NotReady()


def _http_error(request: Request, error: HTTPException) -> PredictorError:
    path = request.url.path
    if error.status_code == STATUSES["method_not_allowed"].http:
        return MethodNotAllowed(request.method, _allowed(error))
    if error.status_code == STATUSES["not_found"].http:
        return NotFound(path)
    return InvalidRequest("the request cannot be served")


def _allowed(error: HTTPException) -> Sequence[str]:
    allow = (error.headers or {}).get("Allow", "")
    return [method.strip() for method in allow.split(",") if method.strip()]
