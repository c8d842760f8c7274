"""One call on its way from a protocol's edge to a model and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from predictor.job import Job

Protocol = Literal["v1", "v2", "grpc", "object"]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A request as it came, with its deadline; it was admitted already."""

    protocol: Protocol
    """`object` is a call from Python with what KServe itself parsed."""
    body: object = field(repr=False)
    """Bytes on REST, a ModelInferRequest on gRPC, a dict or InferRequest from Python."""
    job: Job
    json_length: str | None = None
    """V2 REST: the header `Inference-Header-Content-Length`."""


@dataclass(frozen=True, slots=True, eq=False)
class RestAnswer:
    """The body of a REST answer, ready to be sent."""

    body: bytes
    json_length: int | None = None
    """V2: the length of the JSON where raw tensors follow it."""
