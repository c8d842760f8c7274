"""Calls of tritonclient, for a process of their own: its gRPC messages clash with KServe's in one process.

Everything that goes in and comes out is plain, so that it can travel between the processes.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from tritonclient.utils import InferenceServerException

Transport = Literal["http", "grpc"]


@dataclass(frozen=True)
class Infer:
    """One inference.

    Args:
        tensors: BYTES tensors by name.
        outputs: Which to ask for; none asks for all.
        binary_in: HTTP: in binary form, or as JSON.
        binary_out: HTTP: in binary form, or as JSON.
    """

    model: str
    tensors: Mapping[str, Sequence[bytes]]
    outputs: Sequence[str] = ()
    binary_in: bool = True
    binary_out: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    shape: Literal["[N]", "[N, 1]"] = "[N]"


@dataclass(frozen=True)
class Inferred:
    """What came back: the rows of each output, or the error."""

    outputs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    request_id: str = ""
    error: str = ""
    status: str = ""


def infer(transport: Transport, address: str, asked: Infer) -> Inferred:
    """Infer over HTTP or gRPC."""
    client = _client(transport, address)
    try:
        return _infer(transport, client, asked)
    except InferenceServerException as error:
        return Inferred(error=error.message(), status=str(error.status()))
    finally:
        client.close()


def state(transport: Transport, address: str, question: str, *arguments: str) -> Any:  # noqa: ANN401  # as the client answers
    """Ask `is_server_live`, `get_model_metadata` or the like; an error comes back as its status."""
    client = _client(transport, address)
    options = {"as_json": True} if transport == "grpc" and question.startswith("get_") else {}
    try:
        return getattr(client, question)(*arguments, **options)
    except InferenceServerException as error:
        return str(error.status())
    finally:
        client.close()


def as_base64(pictures: Sequence[bytes]) -> list[bytes]:
    """The text forms of pictures."""
    return [base64.b64encode(picture) for picture in pictures]


def _client(transport: Transport, address: str) -> Any:  # noqa: ANN401  # tritonclient has no types
    return _module(transport).InferenceServerClient(address)


def _module(transport: Transport) -> Any:  # noqa: ANN401  # tritonclient has no types
    return importlib.import_module(f"tritonclient.{transport}")  # not before: the test's own process reads this file


def _infer(transport: Transport, client: Any, asked: Infer) -> Inferred:  # noqa: ANN401  # tritonclient has no types
    module = _module(transport)
    inputs = []
    for name, rows in asked.tensors.items():
        values = np.array(list(rows), dtype=np.object_)
        if asked.shape == "[N, 1]":
            values = values.reshape(-1, 1)
        tensor = module.InferInput(name, list(values.shape), "BYTES")
        tensor.set_data_from_numpy(values, **({"binary_data": asked.binary_in} if transport == "http" else {}))
        inputs.append(tensor)
    binary = {"binary_data": asked.binary_out} if transport == "http" else {}
    outputs = [module.InferRequestedOutput(name, **binary) for name in asked.outputs] or None
    answer = client.infer(
        asked.model, inputs, outputs=outputs, request_id=asked.request_id, parameters=dict(asked.parameters)
    )
    response = answer.get_response(as_json=True) if transport == "grpc" else answer.get_response()
    rows_by_name = {one["name"]: answer.as_numpy(one["name"]).tolist() for one in response["outputs"]}
    return Inferred(rows_by_name, response.get("id", ""))
