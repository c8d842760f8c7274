"""A request and its answer in the words of OpenTelemetry's semantic conventions for HTTP and RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.serving.tracing import Attribute, Incoming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

    from predictor.serving.access import Access

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_SERVER_ERROR = 500
# Of gRPC's codes, those that the conventions count as the server's fault.
_SERVER_CODES = ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
_QUIET_PATHS = ("/", "/metrics", "/v2/health/live", "/v2/health/ready")
_QUIET_METHODS = ("ServerLive", "ServerReady", "ModelReady")


def is_probe(scope: Scope) -> bool:
    """Return whether somebody only asks how the server is: no trace, and a line only when debugging."""
    path = scope["path"]
    asks_a_model = path.startswith(("/v1/models/", "/v2/models/")) and (
        path.startswith("/v1") or path.endswith("/ready")
    )
    return path in _QUIET_PATHS or (scope["method"] in ("GET", "HEAD") and asks_a_model)


def is_rpc_probe(method: str) -> bool:
    """Return whether a method of the protocol only asks how the server is."""
    return method in _QUIET_METHODS


def http_request(scope: Scope, path: str) -> Incoming:
    """Return a REST request as its trace begins.

    Args:
        scope: Of ASGI.
        path: What was asked for, in characters that fit into a line.
    """
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    attributes: dict[str, Attribute] = {
        "http.request.method": method,
        "url.path": path,
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", ""),
        "user_agent.original": headers.get("user-agent", ""),
        "client.address": (scope.get("client") or ("",))[0],
    }
    return Incoming(_name(method), headers, {name: value for name, value in attributes.items() if value})


def tell_http(access: Access, scope: Scope) -> None:
    """Add to a trace how a REST request was routed and answered, if it was."""
    status = access.status
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    attributes: dict[str, Attribute] = _ours(access)
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        attributes["http.route"] = route
    if status is not None:
        attributes["http.response.status_code"] = status
    access.span.tell(attributes, f"{_name(method)} {route}" if route is not None else None)
    if status is None or int(status) >= _SERVER_ERROR:
        access.span.fail(access.code)


def rpc_request(path: str, metadata: Mapping[str, str]) -> Incoming:
    """Return a gRPC call as its trace begins.

    Args:
        path: `/package.Service/Method`.
        metadata: Of the call, lower-case names.
    """
    method = path.lstrip("/")
    return Incoming(method, metadata, {"rpc.system.name": "grpc", "rpc.method": method})


def tell_rpc(access: Access) -> None:
    """Add to a trace how a gRPC call was answered."""
    status = access.status or "CANCELLED"
    access.span.tell(_ours(access) | {"rpc.response.status_code": status})
    if status in _SERVER_CODES:
        access.span.fail(access.code)


def _name(method: str) -> str:
    return "HTTP" if method == "_OTHER" else method


def _ours(access: Access) -> dict[str, Attribute]:
    """Return what the conventions have no words for."""
    told: dict[str, Attribute] = {"predictor.code": access.code, "predictor.request_id": access.request_id}
    if access.model is not None:
        told["predictor.model"] = access.model
    if access.job is not None:
        told |= {f"predictor.{what}": number for (what, label), number in access.job.counts.items() if not label}
    return told
