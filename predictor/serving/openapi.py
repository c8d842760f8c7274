"""The OpenAPI document: every route once, every status it answers, and the bodies of the three models."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from predictor.serving.models import model_names
from predictor.serving.schema import DetectBody, EnhanceBody, SwapBody
from predictor.serving.statuses import STATUSES

if TYPE_CHECKING:
    from predictor.settings import Settings

_ERROR = {
    "type": "object",
    "required": ["error", "code", "details"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUSES)},
        "details": {"type": "object"},
    },
}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string"},
        "parameters": {"type": "object"},
        "data": {"type": "array"},
    },
}
_TENSORS = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}


_REFUSED = (":explain", "/load", "/unload")
_OF_ANY_ROUTE = {
    int(STATUSES[code].http) for code in ("refused", "not_found", "not_supported", "not_ready", "internal")
}


def describe(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(path, operation, settings.model_name)
        document.setdefault("components", {}).setdefault("schemas", {})["Error"] = _ERROR
    return app.openapi_schema or {}


def _complete(path: str, operation: dict[str, Any], model_name: str) -> None:
    infers = path.endswith((":predict", "/infer"))
    operation["description"] = operation.get("description", operation["summary"]).partition("\n")[0]
    operation["responses"].pop("422", None)
    if path.endswith(_REFUSED):
        del operation["responses"]["200"]
    for status in sorted({int(row.http) for row in STATUSES.values()} if infers else _OF_ANY_ROUTE):
        operation["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    if infers:
        operation["requestBody"] = _body(_v1_body() if path.endswith(":predict") else _TENSORS)
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "model_name":
            parameter["examples"] = {name: {"value": name} for name in model_names(model_name)}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _v1_body() -> dict[str, Any]:
    objects = [_inlined(model.model_json_schema()) for model in (SwapBody, EnhanceBody, DetectBody)]
    instances = {
        "type": "object",
        "required": ["instances"],
        "additionalProperties": False,
        "properties": {"instances": {"type": "array", "minItems": 1, "items": {"anyOf": objects}}},
    }
    return {"anyOf": [*objects, instances]}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema without references, which would point into a document of its own."""
    definitions = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:  # noqa: ANN401  # JSON
        if isinstance(value, dict):
            if "$ref" in value:
                return resolve(definitions[value["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(one) for key, one in value.items()}
        return [resolve(one) for one in value] if isinstance(value, list) else value

    resolved: dict[str, Any] = resolve(schema)
    return resolved
