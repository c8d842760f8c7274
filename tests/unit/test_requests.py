from __future__ import annotations

import base64

from predictor.requests import EncodedPicture, SwapRequest
from predictor.serving.schema import SwapBody, validated
from predictor.serving.tensors import InputTensor, OutputTensor, TensorRequest

DATA = b"the face of somebody"
TEXT = base64.b64encode(DATA).decode()


def test_pictures_do_not_show_where_a_request_is_printed() -> None:
    body = {"sources": [{"name": "me", "image": TEXT}], "destinations": [{"name": "a", "image": TEXT}]}
    printed = [
        SwapRequest([EncodedPicture("me", DATA, "image")], [EncodedPicture("a", DATA, "destinations[0].image")]),
        TensorRequest("", [InputTensor("image", [DATA, TEXT], {})], {}, None, binary_outputs=False),
        OutputTensor("image", "BYTES", [DATA, TEXT.encode()]),
        validated(SwapBody, body),
        validated(SwapBody, {"image": TEXT}),
    ]

    shown = " ".join(map(repr, printed))

    assert "the face" not in shown
    assert TEXT not in shown
    assert "destinations[0].image" in shown


def test_only_the_same_object_is_the_same_picture() -> None:
    one, other = EncodedPicture("a", DATA, "image"), EncodedPicture("a", DATA, "image")

    assert one != other
    assert len({one, other}) == 2
