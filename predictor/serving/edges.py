"""Around each request at the edge of its protocol: its access line and its span, from its first to its last moment."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from predictor.serving.access import ACCESS, Access
from predictor.serving.logs import REQUEST_ID
from predictor.serving.semantics import (
    http_request,
    is_probe,
    is_rpc_probe,
    rpc_request,
    tell_http,
    tell_rpc,
)
from predictor.serving.tracing import NO_TRACING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import Scope

    from predictor.serving.tracing import Incoming, Tracing

_log = logging.getLogger("predictor.access")


@contextmanager
def rest_request(tracing: Tracing, scope: Scope, path: str, request_id: str) -> Iterator[Access]:
    """Observe one REST request for as long as `with` lasts; a probe has no trace and a line only at level debug.

    Args:
        tracing: What traces it.
        scope: Of ASGI.
        path: What was asked for, in characters that fit into a line.
        request_id: Stands in every log line until `with` ends.
    """
    probe = is_probe(scope)
    tracing = NO_TRACING if probe else tracing
    access = Access(request_id)
    with _observed(tracing, http_request(scope, path), access, lambda: tell_http(access, scope)) as observed:
        try:
            yield access
        finally:
            access.sent()
            observed.log(f"{scope['method']} {path} {access.status or '-'}", quiet=probe)


@contextmanager
def rpc_call(tracing: Tracing, path: str, metadata: Mapping[str, str], request_id: str) -> Iterator[Access]:
    """Observe one gRPC call for as long as `with` lasts; everything but inference has a line only at level debug.

    Args:
        tracing: What traces it.
        path: `/package.Service/Method`.
        metadata: Of the call, lower-case names.
        request_id: Stands in every log line until `with` ends.
    """
    method = path.rsplit("/", 1)[-1]
    tracing = NO_TRACING if is_rpc_probe(method) else tracing
    access = Access(request_id)
    with _observed(tracing, rpc_request(path, metadata), access, lambda: tell_rpc(access)) as observed:
        try:
            yield access
        finally:
            # KServe's answers to anything else are told from ours by their methods.
            observed.log(f"gRPC {method} {access.status or '-'}", quiet=method != "ModelInfer")


class _Observed:
    def __init__(self, access: Access) -> None:
        self.access = access
        self._began = time.perf_counter()

    def log(self, sentence: str, *, quiet: bool) -> None:
        seconds = time.perf_counter() - self._began
        fields = self.access.fields(seconds)
        level = logging.DEBUG if quiet else logging.INFO
        _log.log(level, "%s %.1f ms", sentence, seconds * 1000, extra={"fields": fields})


@contextmanager
def _observed(tracing: Tracing, incoming: Incoming, access: Access, tell: Callable[[], None]) -> Iterator[_Observed]:
    tokens = REQUEST_ID.set(access.request_id), ACCESS.set(access)
    try:
        with tracing.request(incoming) as access.span:
            try:
                yield _Observed(access)
            finally:
                tell()
    finally:
        REQUEST_ID.reset(tokens[0])
        ACCESS.reset(tokens[1])
