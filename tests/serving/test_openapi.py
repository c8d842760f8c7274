"""schemathesis walks the server's own /openapi.json: documented statuses and shapes only, no 5xx but 501."""

from __future__ import annotations

from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from predictor.client.server_process import RunningServer
from tests.serving.pictures import portrait
from tests.serving.wire import base64_text

CHECKS = [status_code_conformance, response_schema_conformance, content_type_conformance]
EXAMPLES = hypothesis.settings(
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_is_documented(server: RunningServer, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{server.http_url}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    if mode is GenerationMode.NEGATIVE:
        operations = [operation for operation in operations if operation.body]  # else nothing can be wrong

    statuses: dict[str, set[int]] = {operation.label: statuses_of(operation, mode) for operation in operations}

    assert {"POST /v1/models/{model_name}:predict", "POST /v2/models/{model_name}/infer"} <= set(statuses)
    assert all(statuses.values())
    assert httpx.get(f"{server.http_url}/v2/health/ready").status_code == 200


@pytest.mark.parametrize("model", ["faceswap", "faceswap-enhance", "faceswap-detect"])
def test_answers_to_pictures_are_documented(server: RunningServer, model: str) -> None:
    document = schemathesis.openapi.from_url(f"{server.http_url}/openapi.json")
    picture = base64_text(portrait())
    destination = {"destinations": [{"name": "one", "image": picture}]} if model == "faceswap" else {}
    bodies: dict[str, Any] = {
        "/v1/models/{model_name}:predict": {"image": picture, **destination},
        "/v2/models/{model_name}/infer": {
            "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [picture]}]
        },
    }

    for path, body in bodies.items():
        case = document[path]["POST"].Case(
            path_parameters={"model_name": model}, body=body, media_type="application/json"
        )

        assert case.call_and_validate(checks=CHECKS).status_code == 200


def statuses_of(operation: Any, mode: GenerationMode) -> set[int]:  # noqa: ANN401  # its type has parameters of its own
    """Ask one operation in many ways, each answer checked; return the statuses that came."""
    seen: set[int] = set()

    @EXAMPLES
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        response = case.call_and_validate(checks=CHECKS)

        seen.add(response.status_code)
        assert response.status_code < 500 or response.status_code == 501, response.text
        assert response.headers["x-request-id"]

    ask()
    return seen
