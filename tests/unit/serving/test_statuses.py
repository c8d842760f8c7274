"""The table of api.md, row by row."""

from __future__ import annotations

import json

import grpc
import pytest

from predictor import errors
from predictor.errors import PredictorError
from predictor.serving.statuses import STATUSES, body_of, headers_of, sentence_of

TABLE = {
    "invalid_request": (400, "INVALID_ARGUMENT"),
    "invalid_base64": (400, "INVALID_ARGUMENT"),
    "undecodable_image": (400, "INVALID_ARGUMENT"),
    "unsupported_image": (415, "INVALID_ARGUMENT"),
    "request_too_large": (413, "RESOURCE_EXHAUSTED"),
    "image_too_large": (413, "RESOURCE_EXHAUSTED"),
    "output_too_large": (413, "RESOURCE_EXHAUSTED"),
    "too_many_items": (422, "FAILED_PRECONDITION"),
    "too_many_faces": (422, "FAILED_PRECONDITION"),
    "no_face_found": (422, "FAILED_PRECONDITION"),
    "face_index_out_of_range": (422, "FAILED_PRECONDITION"),
    "degenerate_face": (422, "FAILED_PRECONDITION"),
    "unsupported_option": (422, "FAILED_PRECONDITION"),
    "unknown_destination": (404, "NOT_FOUND"),
    "unknown_model": (404, "NOT_FOUND"),
    "not_found": (404, "NOT_FOUND"),
    "method_not_allowed": (405, "UNIMPLEMENTED"),
    "not_supported": (501, "UNIMPLEMENTED"),
    "refused": (403, "PERMISSION_DENIED"),
    "overloaded": (429, "RESOURCE_EXHAUSTED"),
    "deadline_exceeded": (504, "DEADLINE_EXCEEDED"),
    "not_ready": (503, "UNAVAILABLE"),
    "internal": (500, "INTERNAL"),
}
# Each error as it is raised, and the details that api.md promises for its code.
DETAILS: list[tuple[PredictorError, set[str]]] = [
    (errors.InvalidField("image", "required"), {"field"}),
    (errors.InvalidBase64("image"), {"field"}),
    (errors.UndecodableImage("image"), {"field"}),
    (errors.UnsupportedImage("image", "PSD"), {"field", "format"}),
    (errors.RequestTooLarge(2, 1), {"limit", "actual"}),
    (errors.ImageTooLarge("image", 2, 1), {"limit", "actual"}),
    (errors.OutputTooLarge("too large", limit=1, actual=2), {"limit", "actual"}),
    (errors.TooManyItems("pairs", 2, 1), {"limit", "actual"}),
    (errors.TooManyFaces("image", 2, 1), {"limit", "actual"}),
    (errors.NoFaceFound("image"), {"picture", "faces"}),
    (errors.FaceIndexOutOfRange("image", 2, 1), {"picture", "faces"}),
    (errors.DegenerateFace("image", 1), {"picture", "faces"}),
    (errors.UnsupportedOption("restore", "restoring", []), {"field", "available"}),
]


@pytest.mark.parametrize(("code", "status"), TABLE.items(), ids=TABLE)
def test_each_code_has_the_statuses_of_the_table(code: str, status: tuple[int, str]) -> None:
    http, rpc = STATUSES[code]

    assert (int(http), rpc) == (status[0], grpc.StatusCode[status[1]])


def test_there_is_no_code_beside_the_table() -> None:
    assert set(STATUSES) == set(TABLE)


@pytest.mark.parametrize(
    ("error", "promised"), DETAILS, ids=lambda one: one.code if isinstance(one, PredictorError) else ""
)
def test_each_error_tells_the_facts_that_are_promised(error: PredictorError, promised: set[str]) -> None:
    body = body_of(error)

    assert body["code"] == error.code
    assert body["error"] == error.sentence
    assert isinstance(body["details"], dict)
    assert promised <= set(body["details"])


@pytest.mark.parametrize(
    "error", [PredictorError("at /home/me", path="/home/me"), errors.StageFailed("swap", "at /home/me")]
)
def test_of_our_own_failures_nothing_is_told(error: PredictorError) -> None:
    body = body_of(error)

    assert body["code"] == "internal"
    assert body["details"] == {}
    assert "/home" not in sentence_of(error)
    assert body["error"] == sentence_of(error)


def test_an_overloaded_server_says_when_to_come_back() -> None:
    assert headers_of(errors.Overloaded(7)) == {"retry-after": "7"}


def test_a_method_that_is_not_allowed_comes_with_those_that_are() -> None:
    assert headers_of(errors.MethodNotAllowed("PUT", ["GET", "HEAD"])) == {"allow": "GET, HEAD"}


def test_other_errors_have_no_headers() -> None:
    assert headers_of(errors.NotReady()) == {}


@pytest.mark.parametrize("name", ["x" * 10_000_000, "\U0001f600" * 10_000])
def test_an_error_does_not_repeat_a_name_of_any_length(name: str) -> None:
    for error in (errors.InvalidField(name, "unknown"), errors.UnknownModel(name, ["faceswap"]), errors.NotFound(name)):
        body = body_of(error)

        assert len(json.dumps(body)) < 20_000
        assert body["error"] == sentence_of(error)
        assert 3 * len(sentence_of(error).encode()) < 8192  # as a trailer of gRPC, percent-encoded
        assert name[:400] in sentence_of(error)
