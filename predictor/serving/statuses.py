"""The one table from errors to HTTP statuses and gRPC codes, and what both protocols say of an error."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import grpc

from predictor.errors import Overloaded, PredictorError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(NamedTuple):
    """How one kind of error is told."""

    http: HTTPStatus
    grpc: grpc.StatusCode


STATUSES: Mapping[str, Status] = {
    "invalid_request": Status(HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT),
    "invalid_base64": Status(HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT),
    "undecodable_image": Status(HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT),
    "unsupported_image": Status(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, grpc.StatusCode.INVALID_ARGUMENT),
    "request_too_large": Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "image_too_large": Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "output_too_large": Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "too_many_items": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "too_many_faces": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "no_face_found": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "face_index_out_of_range": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "degenerate_face": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "unsupported_option": Status(HTTPStatus.UNPROCESSABLE_ENTITY, grpc.StatusCode.FAILED_PRECONDITION),
    "unknown_destination": Status(HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND),
    "unknown_model": Status(HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND),
    "not_found": Status(HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND),
    "method_not_allowed": Status(HTTPStatus.METHOD_NOT_ALLOWED, grpc.StatusCode.UNIMPLEMENTED),
    "not_supported": Status(HTTPStatus.NOT_IMPLEMENTED, grpc.StatusCode.UNIMPLEMENTED),
    "refused": Status(HTTPStatus.FORBIDDEN, grpc.StatusCode.PERMISSION_DENIED),
    "overloaded": Status(HTTPStatus.TOO_MANY_REQUESTS, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "deadline_exceeded": Status(HTTPStatus.GATEWAY_TIMEOUT, grpc.StatusCode.DEADLINE_EXCEEDED),
    "not_ready": Status(HTTPStatus.SERVICE_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE),
    "internal": Status(HTTPStatus.INTERNAL_SERVER_ERROR, grpc.StatusCode.INTERNAL),
}

# Errors repeat what they refuse, and that may be a name of megabytes. On gRPC a sentence travels among the trailers,
# three bytes for each of its own, and 8 KB of them are the most that a client takes.
_LONGEST_TEXT = 500
_INTERNAL_SENTENCE = "something went wrong in the server; the log has the cause under the request id"


def sentence_of(error: PredictorError) -> str:
    """Return what a client is told; of our own failures nothing but that the log knows more."""
    return _INTERNAL_SENTENCE if error.code == "internal" else _shortened(error.sentence)


def body_of(error: PredictorError) -> dict[str, object]:
    """Return the JSON body of an error: a sentence for a person, a code for a program, the facts."""
    told = {} if error.code == "internal" else error.details
    details = {name: _shortened(fact) if isinstance(fact, str) else fact for name, fact in told.items()}
    return {"error": sentence_of(error), "code": error.code, "details": details}


def headers_of(error: PredictorError) -> dict[str, str]:
    """Return the HTTP headers that belong to an error."""
    if isinstance(error, Overloaded):
        return {"retry-after": str(error.retry_after_seconds)}
    if error.code == "method_not_allowed":
        return {"allow": ", ".join(error.details["allowed"])}  # type: ignore[arg-type]  # a list of methods
    return {}


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
