"""What one of the three models is asked, and what it answers, in the same words whichever protocol carries them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from predictor.client.failures import UnreadableAnswer
from predictor.client.wire import Inference, Inferred, to_base64

Task = Literal["swap", "enhance", "detect"]
_TOLD_ELSEWHERE = frozenset({"success", "message", "swapped_images", "image_data", "altered"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    task: Task
    model: str
    """The name it is served under."""
    image: bytes
    """The picture that gives the face, is enhanced, or is looked at."""
    destinations: Sequence[bytes] = ()
    """Of a swap: the pictures that receive it; none means those the server has preloaded."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The V1 fields that are no pictures, by their V1 names."""

    def v1(self) -> dict[str, Any]:
        """Return the body of a V1 request."""
        body: dict[str, Any] = {"image": to_base64(self.image), **self.options}
        if self.destinations:
            body["destinations"] = [
                {"name": f"destination_{number}", "image": to_base64(picture)}
                for number, picture in enumerate(self.destinations, start=1)
            ]
        return body

    def v2(self) -> Inference:
        """Return the V2 request."""
        destinations = {"destination": self.destinations} if self.destinations else {}
        return Inference(self.model, {"image": [self.image], **destinations}, self.options)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that came back."""

    name: str
    """What the server calls the destination; empty where there is none."""
    data: bytes
    faces: Sequence[Mapping[str, Any]] | None = None
    """What happened to each face, where a report was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    pictures: Sequence[Picture]
    facts: Mapping[str, Any]
    """All that is no picture, by V1's names."""

    @property
    def digest(self) -> str:
        """Tells answers apart: by the bytes of their pictures, or by their facts where they have none."""
        seen = sha256()
        for picture in self.pictures:
            seen.update(sha256(picture.data).digest())
        if not self.pictures:
            seen.update(json.dumps(self.facts, sort_keys=True).encode())
        return seen.hexdigest()


def from_v1(task: Task, body: Mapping[str, Any]) -> Answer:
    """Read a V1 answer.

    Raises:
        UnreadableAnswer: It is none.
    """
    try:
        return _V1[task](body)
    except _WRONG_SHAPE as error:
        raise UnreadableAnswer from error


def from_v2(task: Task, inferred: Inferred) -> Answer:
    """Read a V2 answer.

    Raises:
        UnreadableAnswer: It is none.
    """
    try:
        return _V2[task](inferred)
    except _WRONG_SHAPE as error:
        raise UnreadableAnswer from error


# What comes of reading JSON, tensors or base64 that are not of the form they should have.
_WRONG_SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def _v1_swap(body: Mapping[str, Any]) -> Answer:
    pictures = [
        Picture(one["destination_name"], base64.b64decode(one["image_data"], validate=True), one.get("faces"))
        for one in body["swapped_images"]
    ]
    return Answer(pictures, _facts(body))


def _v1_enhance(body: Mapping[str, Any]) -> Answer:
    facts = _facts(body)
    return Answer([Picture("", base64.b64decode(body["image_data"], validate=True), facts.pop("faces", None))], facts)


def _v1_detect(body: Mapping[str, Any]) -> Answer:
    return Answer([], {name: body[name] for name in ("faces", "width", "height")})


def _facts(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _TOLD_ELSEWHERE}


def _v2_swap(inferred: Inferred) -> Answer:
    names = [name.decode() for name in inferred.outputs["destination_name"]]
    skipped = inferred.parameters.get("skipped")
    return Answer(_v2_pictures(inferred, names), {"skipped": json.loads(skipped)} if skipped else {})


def _v2_enhance(inferred: Inferred) -> Answer:
    facts = {name: inferred.outputs[name][0] for name in ("width", "height", "faces_restored")}
    return Answer(_v2_pictures(inferred, [""]), facts)


def _v2_detect(inferred: Inferred) -> Answer:
    facts = {name: inferred.outputs[name][0] for name in ("width", "height")}
    return Answer([], {"faces": json.loads(inferred.outputs["faces"][0]), **facts})


def _v2_pictures(inferred: Inferred, names: Sequence[str]) -> list[Picture]:
    pictures = inferred.outputs["image"]
    reports = inferred.outputs.get("report")
    faces = [None] * len(pictures) if reports is None else [json.loads(one)["faces"] for one in reports]
    return [Picture(*row) for row in zip(names, pictures, faces, strict=True)]


_V1: Mapping[Task, Callable[[Mapping[str, Any]], Answer]] = {
    "swap": _v1_swap,
    "enhance": _v1_enhance,
    "detect": _v1_detect,
}
_V2: Mapping[Task, Callable[[Inferred], Answer]] = {"swap": _v2_swap, "enhance": _v2_enhance, "detect": _v2_detect}
Ask: TypeAlias = Callable[[Question], Answer]
