"""Answers as V2 output tensors, for each of the three models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from predictor.serving.answers import base64_text, face_reports, faces_list, faces_restored, skipped_list
from predictor.serving.tensors import OutputTensor, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.requests import AlteredPicture, FacesAnswer, SwapAnswer

# What metadata says of every model; K, the number of rows, is free.
SWAP_OUTPUTS = (("image", "BYTES"), ("destination_name", "BYTES"), ("source_index", "INT32"), ("report", "BYTES"))
ENHANCE_OUTPUTS = (
    ("image", "BYTES"),
    ("width", "INT32"),
    ("height", "INT32"),
    ("faces_restored", "INT32"),
    ("report", "BYTES"),
)
DETECT_OUTPUTS = (("faces", "BYTES"), ("width", "INT32"), ("height", "INT32"))


def swap_outputs(
    answers: Sequence[SwapAnswer], encoded: Sequence[Sequence[bytes]], *, raw: bool, report: bool
) -> tuple[list[OutputTensor], Parameters]:
    """Return the tensors of a swap, source by source, and the parameter that lists what was skipped."""
    rows = [
        (index, altered, data)
        for index, (answer, pictures) in enumerate(zip(answers, encoded, strict=True))
        for altered, data in zip(answer.pictures, pictures, strict=True)
    ]
    outputs = [
        _images([data for _, _, data in rows], raw=raw),
        OutputTensor("destination_name", "BYTES", [altered.name.encode() for _, altered, _ in rows]),
        OutputTensor("source_index", "INT32", [index for index, _, _ in rows]),
    ]
    if report:
        outputs.append(_reports([altered for _, altered, _ in rows]))
    skipped = [
        {"source_index": index, **entry}
        for index, answer in enumerate(answers)
        for entry in skipped_list(answer.skipped)
    ]
    return outputs, {"skipped": orjson.dumps(skipped).decode()} if skipped else {}


def enhance_outputs(
    pictures: Sequence[AlteredPicture], encoded: Sequence[bytes], *, raw: bool, report: bool
) -> list[OutputTensor]:
    """Return the tensors of an enhance, a row a picture."""
    shapes = [altered.picture.image.shape for altered in pictures]
    outputs = [
        _images(encoded, raw=raw),
        OutputTensor("width", "INT32", [shape[1] for shape in shapes]),
        OutputTensor("height", "INT32", [shape[0] for shape in shapes]),
        OutputTensor("faces_restored", "INT32", [faces_restored(altered) for altered in pictures]),
    ]
    return [*outputs, _reports(pictures)] if report else outputs


def detect_outputs(answers: Sequence[FacesAnswer]) -> list[OutputTensor]:
    """Return the tensors of a detect, a row a picture; the faces of each are a JSON text."""
    return [
        OutputTensor("faces", "BYTES", [orjson.dumps(faces_list(answer.faces)) for answer in answers]),
        OutputTensor("width", "INT32", [answer.width for answer in answers]),
        OutputTensor("height", "INT32", [answer.height for answer in answers]),
    ]


def _images(encoded: Sequence[bytes], *, raw: bool) -> OutputTensor:
    rows = list(encoded) if raw else [base64_text(data).encode() for data in encoded]
    return OutputTensor("image", "BYTES", rows, text=not raw)


def _reports(pictures: Sequence[AlteredPicture]) -> OutputTensor:
    return OutputTensor("report", "BYTES", [orjson.dumps({"faces": face_reports(one.faces)}) for one in pictures])
