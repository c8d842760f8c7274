"""One swap, asked for over each protocol the predictor speaks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from predictor.client.wire import Inference, Inferred, infer_binary, infer_grpc, infer_json, predict, to_base64

if TYPE_CHECKING:
    import grpc
    import httpx


@dataclass(frozen=True, slots=True)
class Swap:
    """What is asked for."""

    source: bytes
    """The picture that gives the face."""
    destinations: Sequence[bytes] = ()
    """Pictures that receive it; none means every picture the server has preloaded."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The V1 fields that are no pictures, by their V1 names."""
    model: str = "faceswap"


@dataclass(frozen=True, slots=True)
class Swapped:
    """One picture that came back."""

    destination_name: str
    picture: bytes


CallSwap: TypeAlias = Callable[[Swap], list[Swapped]]


def swap_over_v1(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v1/models/NAME:predict`: one JSON object, pictures as base64."""
    body: dict[str, Any] = {"image": to_base64(swap.source), **swap.options}
    if swap.destinations:
        body["destinations"] = [
            {"name": f"destination {number}", "image": to_base64(picture)}
            for number, picture in enumerate(swap.destinations, start=1)
        ]
    return [
        Swapped(picture["destination_name"], base64.b64decode(picture["image_data"]))
        for picture in predict(http, swap.model, body)["swapped_images"]
    ]


def swap_over_v2_json(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v2/models/NAME/infer` in JSON alone: pictures as base64 text."""
    return _swapped(infer_json(http, _inference(swap)))


def swap_over_v2_binary(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v2/models/NAME/infer` with the binary extension: a JSON header, then the pictures as they are."""
    return _swapped(infer_binary(http, _inference(swap)))


def swap_over_grpc(channel: grpc.Channel, swap: Swap) -> list[Swapped]:
    """Ask `GRPCInferenceService.ModelInfer`: pictures as they are; the channel must take answers of any size."""
    return _swapped(infer_grpc(channel, _inference(swap)))


def detect(http: httpx.Client, picture: bytes, model: str = "faceswap-detect") -> list[dict[str, Any]]:
    """Ask which faces a picture has, left to right, as V1 answers: id, box, landmarks, score."""
    faces: list[dict[str, Any]] = predict(http, model, {"image": to_base64(picture)})["faces"]
    return faces


def _inference(swap: Swap) -> Inference:
    destinations = {"destination": swap.destinations} if swap.destinations else {}
    return Inference(swap.model, {"image": [swap.source], **destinations}, swap.options)


def _swapped(inferred: Inferred) -> list[Swapped]:
    names, pictures = inferred.outputs["destination_name"], inferred.outputs["image"]
    return [Swapped(name.decode(), picture) for name, picture in zip(names, pictures, strict=True)]
