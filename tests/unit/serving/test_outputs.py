from __future__ import annotations

import base64

import numpy as np
import orjson

from predictor.errors import NoFaceFound
from predictor.faces import Box, Face, FaceReport
from predictor.imaging.picture import Picture
from predictor.requests import AlteredPicture, FacesAnswer, Skipped, SwapAnswer
from predictor.serving.outputs import (
    DETECT_OUTPUTS,
    ENHANCE_OUTPUTS,
    SWAP_OUTPUTS,
    detect_outputs,
    enhance_outputs,
    swap_outputs,
)
from predictor.serving.tensors import OutputTensor

FACE = Face(Box(1, 2, 30, 40), np.zeros((5, 2), np.float32), 0.9)


def altered(name: str, width: int = 6) -> AlteredPicture:
    picture = Picture(np.zeros((4, width, 3), np.uint8), "png")
    return AlteredPicture(name, picture, [FaceReport(1, FACE, restored=True)], trained=False)


ANSWERS = [
    SwapAnswer([altered("a"), altered("b")], [], 1),
    SwapAnswer([altered("b")], [Skipped("a", NoFaceFound("a"))], 1),
]
ENCODED = [[b"\xff0a", b"\xff0b"], [b"\xff1b"]]


def by_name(outputs: list[OutputTensor]) -> dict[str, OutputTensor]:
    return {output.name: output for output in outputs}


def test_a_swaps_rows_come_source_by_source_less_the_skipped_ones() -> None:
    outputs, parameters = swap_outputs(ANSWERS, ENCODED, raw=True, report=False)

    tensors = by_name(outputs)
    assert list(tensors) == ["image", "destination_name", "source_index"]
    assert tensors["image"].rows == [b"\xff0a", b"\xff0b", b"\xff1b"]
    assert tensors["destination_name"].rows == [b"a", b"b", b"b"]
    assert tensors["source_index"].rows == [0, 0, 1]
    assert orjson.loads(str(parameters["skipped"])) == [
        {"source_index": 1, "destination_name": "a", "code": "no_face_found", "reason": "no face was found in a"}
    ]


def test_without_anything_skipped_there_is_no_such_parameter() -> None:
    _, parameters = swap_outputs(ANSWERS[:1], ENCODED[:1], raw=True, report=False)

    assert parameters == {}


def test_base64_in_gives_base64_out_and_raw_gives_raw() -> None:
    (text, *_), _ = swap_outputs(ANSWERS[:1], ENCODED[:1], raw=False, report=False)
    (raw, *_), _ = swap_outputs(ANSWERS[:1], ENCODED[:1], raw=True, report=False)

    assert (text.rows, text.text) == ([base64.b64encode(one) for one in ENCODED[0]], True)
    assert (raw.rows, raw.text) == (ENCODED[0], False)


def test_a_report_has_a_row_a_picture() -> None:
    outputs, _ = swap_outputs(ANSWERS, ENCODED, raw=True, report=True)

    reports = [orjson.loads(row) for row in by_name(outputs)["report"].rows]  # type: ignore[arg-type]
    assert [report["faces"][0]["id"] for report in reports] == [1, 1, 1]


def test_an_enhance_has_a_row_a_picture() -> None:
    outputs = enhance_outputs([altered("a", 6), altered("b", 8)], [b"1", b"2"], raw=True, report=True)

    assert [(one.name, list(one.rows)) for one in outputs[:4]] == [
        ("image", [b"1", b"2"]),
        ("width", [6, 8]),
        ("height", [4, 4]),
        ("faces_restored", [1, 1]),
    ]
    assert [one.name for one in enhance_outputs([altered("a")], [b"1"], raw=True, report=False)] == [
        "image",
        "width",
        "height",
        "faces_restored",
    ]


def test_a_detect_has_a_json_text_a_picture() -> None:
    faces, width, height = detect_outputs([FacesAnswer([FACE], 60, 40), FacesAnswer([], 10, 20)])

    assert [len(orjson.loads(row)) for row in faces.rows] == [1, 0]  # type: ignore[arg-type]
    assert (width.rows, height.rows) == ([60, 10], [40, 20])


def test_metadata_names_every_tensor_that_is_made() -> None:
    swap, _ = swap_outputs(ANSWERS, ENCODED, raw=True, report=True)
    made = [
        swap,
        enhance_outputs([altered("a")], [b"1"], raw=True, report=True),
        detect_outputs([FacesAnswer([], 1, 1)]),
    ]

    for outputs, promised in zip(made, (SWAP_OUTPUTS, ENHANCE_OUTPUTS, DETECT_OUTPUTS), strict=True):
        assert [(one.name, one.datatype) for one in outputs] == list(promised)
        assert len({len(one.rows) for one in outputs}) == 1
