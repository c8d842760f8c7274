from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidBase64, InvalidField, InvalidRequest, TooManyItems
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions, SwapOptions
from predictor.requests import EncodedPicture, SwapRequest
from predictor.serving.payloads import (
    Asked,
    detect_v1,
    detect_v2,
    enhance_v1,
    enhance_v2,
    read_v1,
    swap_v1,
    swap_v2,
)
from predictor.serving.tensors import InputTensor, Parameters, TensorRequest
from predictor.settings import Settings

SETTINGS = Settings(limit_instances=3, limit_destinations=2, limit_pairs=2)
JPEG = b"\xff\xd8\xff\xe0 bytes of a picture"
PNG = b"\x89PNG\r\n\x1a\n bytes of another"
JPEG64, PNG64 = base64.b64encode(JPEG).decode(), base64.b64encode(PNG).decode()


def v1_swap(body: object) -> Asked[SwapRequest]:
    return read_v1(body, SETTINGS, swap_v1)


def one_swap(**fields: object) -> SwapRequest:
    (request,) = v1_swap({"image": JPEG64, **fields}).requests
    return request


def picture(found: EncodedPicture | str) -> tuple[str, bytes, str]:
    assert isinstance(found, EncodedPicture)
    return found.name, found.data, found.field


# ── V1 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrap",
    [lambda body: body, orjson.dumps, lambda body: orjson.dumps(body).decode()],
    ids=["parsed", "bytes", "text"],
)
def test_a_v1_body_comes_parsed_or_as_json(wrap: Callable[[object], object]) -> None:
    asked = v1_swap(wrap({"image": JPEG64}))

    (request,) = asked.requests
    assert picture(request.sources[0]) == ("image", JPEG, "image")
    assert (request.destinations, request.field, asked.instances, asked.tensors) == (None, "", False, None)


def test_instances_are_read_in_order_and_answered_as_a_list() -> None:
    asked = v1_swap(
        {"instances": [{"image": JPEG64}, {"image": PNG64, "destinations": [{"name": "a", "image": JPEG64}]}]}
    )

    first, second = asked.requests
    assert asked.instances is True
    assert [one.field for one in asked.requests] == ["instances[0].", "instances[1]."]
    assert first.sources[0].data == JPEG
    assert picture(second.sources[0])[1:] == (PNG, "instances[1].image")
    assert second.destinations is not None
    assert picture(second.destinations[0]) == ("a", JPEG, "instances[1].destinations[0].image")


def test_sources_keep_their_names_and_places() -> None:
    (request,) = v1_swap(
        {"sources": [{"name": "me", "image": JPEG64}, {"name": "you", "image": PNG64}], "pairs": [{"source": "you"}]}
    ).requests

    assert [picture(one) for one in request.sources] == [
        ("me", JPEG, "sources[0].image"),
        ("you", PNG, "sources[1].image"),
    ]
    assert request.options.pairs == (Pair("you", 1, 1),)


def test_destinations_are_preloaded_names_and_pictures_in_the_order_given() -> None:
    request = one_swap(destinations=["one.jpg", {"name": "mine", "image": PNG64}])

    assert request.destinations is not None
    assert request.destinations[0] == "one.jpg"
    assert picture(request.destinations[1]) == ("mine", PNG, "destinations[1].image")


def test_every_option_of_a_swap_arrives() -> None:
    request = one_swap(
        source_face_id=2,
        destination_face_id="all",
        restore={"model": "sharpen", "blend": 0.5},
        upscale=4,
        output={"format": "webp", "quality": 80},
        report=True,
    )

    assert request.options == SwapOptions((Pair(None, 2, "all"),), RestoreOptions("sharpen", 0.5), 4, report=True)
    assert (request.output, request.report) == (OutputOptions("webp", 80), True)


def test_every_option_of_an_enhance_arrives() -> None:
    body = {"image": JPEG64, "restore": False, "upscale": 4, "output": {"format": "png"}, "report": True}

    (request,) = read_v1({"instances": [body]}, SETTINGS, enhance_v1).requests

    assert picture(request.picture)[1:] == (JPEG, "instances[0].image")
    assert request.options == EnhanceOptions(None, 4)
    assert (request.output, request.report, request.field) == (OutputOptions("png"), True, "instances[0].")


def test_a_detect_is_only_a_picture() -> None:
    (request,) = read_v1({"image": JPEG64}, SETTINGS, detect_v1).requests

    assert picture(request.picture)[1:] == (JPEG, "image")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"", ""),
        (b"[]", ""),
        (None, ""),
        ([], ""),
        ({"instances": {}}, "instances"),
        ({"instances": []}, "instances"),
        ({"instances": None}, "instances"),
        ({"instances": [{"image": JPEG64}], "image": JPEG64}, "image"),
        ({"instances": [{"image": JPEG64}], "parameters": {}}, "parameters"),
        ({"instances": ["x"]}, "instances[0]"),
        ({"instances": [{"image": JPEG64}, {"image": JPEG64, "upscale": 3}]}, "instances[1].upscale"),
        ({"instances": [{"image": JPEG64}, {}]}, "instances[1].image"),
    ],
)
def test_one_bad_instance_fails_the_request_and_is_named(body: object, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        v1_swap(body)

    assert caught.value.details == {"field": field}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"image": "%"}, "image"),
        ({"image": ""}, "image"),
        ({"sources": [{"name": "a", "image": JPEG64}, {"name": "b", "image": "%"}]}, "sources[1].image"),
        ({"image": JPEG64, "destinations": [{"name": "a", "image": "%"}]}, "destinations[0].image"),
        (
            {"instances": [{"image": JPEG64}] * 2 + [{"image": JPEG64, "destinations": [{"name": "a", "image": "%"}]}]},
            "instances[2].destinations[0].image",
        ),
    ],
)
def test_bad_base64_is_named_by_the_path_of_its_field(body: object, field: str) -> None:
    with pytest.raises(InvalidBase64) as caught:
        v1_swap(body)

    assert caught.value.details == {"field": field}


NAMED = [{"name": str(number), "image": JPEG64} for number in range(3)]


@pytest.mark.parametrize(
    ("body", "field", "limit", "actual"),
    [
        ({"instances": [{"image": JPEG64}] * 4}, "instances", 3, 4),
        ({"image": JPEG64, "destinations": NAMED}, "destinations", 2, 3),
        ({"image": JPEG64, "destinations": ["a", "b", "c"]}, "destinations", 2, 3),
        ({"sources": NAMED}, "sources", 2, 3),
        ({"image": JPEG64, "pairs": [{}] * 3}, "pairs", 2, 3),
        # counted first: to look at millions of wrong entries takes gigabytes and freezes the process
        ({"image": JPEG64, "pairs": [1] * 3}, "pairs", 2, 3),
        ({"image": JPEG64, "destinations": [1] * 3}, "destinations", 2, 3),
        ({"sources": [1] * 3}, "sources", 2, 3),
        ({"instances": [{"image": JPEG64}, {"image": JPEG64, "pairs": [{}] * 3}]}, "instances[1].pairs", 2, 3),
    ],
)
def test_counts_over_their_limits_are_too_many(body: object, field: str, limit: int, actual: int) -> None:
    with pytest.raises(TooManyItems) as caught:
        v1_swap(body)

    assert caught.value.details == {"field": field, "limit": limit, "actual": actual}


def test_counts_at_their_limits_are_taken() -> None:
    asked = v1_swap({"instances": [{"image": JPEG64, "destinations": NAMED[:2], "pairs": [{}] * 2}] * 3})

    assert len(asked.requests) == 3


# ── V2 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tensors(parameters: Parameters | None = None, **rows: Sequence[bytes | str]) -> TensorRequest:
    inputs = [InputTensor(name, list(value), {}) for name, value in rows.items()]
    return TensorRequest("42", inputs, parameters or {}, None, binary_outputs=False)


def with_content_type(content_type: object, row: bytes | str) -> TensorRequest:
    entry = InputTensor("image", [row], {"content_type": content_type})  # type: ignore[dict-item]  # clients send anything
    return TensorRequest("42", [entry], {}, None, binary_outputs=False)


def test_every_source_goes_onto_every_destination() -> None:
    asked = swap_v2(tensors(image=[JPEG, PNG], destination=[PNG, JPEG]), SETTINGS)

    first, second = asked.requests
    assert [picture(one.sources[0]) for one in asked.requests] == [
        ("image_1", JPEG, "image[0]"),
        ("image_2", PNG, "image[1]"),
    ]
    assert first.destinations is not None
    assert [picture(one) for one in first.destinations] == [
        ("destination_1", PNG, "destination[0]"),
        ("destination_2", JPEG, "destination[1]"),
    ]
    assert first.destinations is second.destinations  # decoded and analysed once for all sources


def test_without_a_destination_tensor_every_preloaded_picture_is_meant() -> None:
    assert swap_v2(tensors(image=[JPEG]), SETTINGS).requests[0].destinations is None


def test_options_may_name_preloaded_pictures() -> None:
    asked = swap_v2(tensors(image=[JPEG], options=['{"destinations": ["one.jpg"]}']), SETTINGS)

    assert asked.requests[0].destinations == ["one.jpg"]


def test_names_and_a_destination_tensor_do_not_go_together() -> None:
    with pytest.raises(InvalidField) as caught:
        swap_v2(tensors(image=[JPEG], destination=[PNG], options=[b'{"destinations": ["one.jpg"]}']), SETTINGS)

    assert caught.value.details == {"field": "destinations"}


FIELDS = '{"restore": {"blend": 0.5}, "upscale": 2}'


@pytest.mark.parametrize("text", [FIELDS, FIELDS.encode()], ids=["text", "bytes"])
def test_the_options_tensor_holds_the_fields_as_json(text: str | bytes) -> None:
    (request,) = swap_v2(tensors(image=[JPEG], options=[text]), SETTINGS).requests

    assert request.options == SwapOptions(restore=RestoreOptions(None, 0.5), upscale=2)


def test_request_parameters_win_over_the_options_tensor() -> None:
    parameters: Parameters = {
        "upscale": 4,
        "restore": ' {"blend": 0.25}',
        "report": True,
        "pairs": '[{"source_face_id": 2}]',
    }

    (request,) = swap_v2(
        tensors(parameters, image=[JPEG], options=['{"upscale": 2, "output": {"format": "png"}}']), SETTINGS
    ).requests

    assert request.options == SwapOptions((Pair(None, 2, 1),), RestoreOptions(None, 0.25), 4, report=True)
    assert (request.output.format, request.report) == ("png", True)


def test_a_text_parameter_stays_a_text() -> None:
    (request,) = swap_v2(tensors({"destination_face_id": "all"}, image=[JPEG]), SETTINGS).requests

    assert request.options.pairs == (Pair(None, 1, "all"),)


@pytest.mark.parametrize(
    "name", ["binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout"]
)
def test_what_clients_of_the_protocol_add_is_no_unknown_field(name: str) -> None:
    assert swap_v2(tensors({name: 0}, image=[JPEG]), SETTINGS).requests


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (tensors(destination=[JPEG]), "image"),
        (tensors(image=[]), "image"),
        (tensors(image=[JPEG], destination=[]), "destination"),
        (tensors(image=[JPEG], mask=[JPEG]), "mask"),
        (tensors(image=[JPEG], options=[]), "options"),
        (tensors(image=[JPEG], options=["{}", "{}"]), "options"),
        (tensors(image=[JPEG], options=["{"]), "options"),
        (tensors(image=[JPEG], options=["[]"]), "options"),
        (tensors(image=[JPEG], options=['{"upscale": 3}']), "upscale"),
        (tensors(image=[JPEG], options=['{"image": "x"}']), "image"),
        (tensors({"upscale": 3}, image=[JPEG]), "upscale"),
        (tensors({"restore": "{"}, image=[JPEG]), "restore"),
        (tensors({"restore": "true"}, image=[JPEG]), "restore"),
        (tensors({"blend": 0.5}, image=[JPEG]), "blend"),
        (TensorRequest("", [InputTensor("image", [JPEG], {})] * 2, {}, None, binary_outputs=False), "image"),
        (
            TensorRequest("", [InputTensor("image", [JPEG], {"classification": 1})], {}, None, binary_outputs=False),
            "image.parameters.classification",
        ),
    ],
)
def test_a_mistake_in_v2_tensors_names_its_place(request_: TensorRequest, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        swap_v2(request_, SETTINGS)

    assert caught.value.details == {"field": field}


@pytest.mark.parametrize(
    ("request_", "field", "limit", "actual"),
    [
        (tensors(image=[JPEG] * 4), "image", 3, 4),
        (tensors(image=[JPEG], destination=[JPEG] * 3), "destination", 2, 3),
        (tensors(image=[JPEG], options=['{"destinations": ["a", "b", "c"]}']), "destinations", 2, 3),
        (tensors({"pairs": "[{}, {}, {}]"}, image=[JPEG]), "pairs", 2, 3),
        (tensors({"pairs": "[1, 1, 1]"}, image=[JPEG]), "pairs", 2, 3),
        (tensors(image=[JPEG], options=['{"destinations": [1, 1, 1]}']), "destinations", 2, 3),
    ],
)
def test_v2_counts_over_their_limits_are_too_many(request_: TensorRequest, field: str, limit: int, actual: int) -> None:
    with pytest.raises(TooManyItems) as caught:
        swap_v2(request_, SETTINGS)

    assert caught.value.details == {"field": field, "limit": limit, "actual": actual}


def test_every_row_of_an_enhance_is_a_picture() -> None:
    asked = enhance_v2(tensors({"upscale": 1}, image=[JPEG, PNG]), SETTINGS)

    assert [picture(one.picture)[1:] for one in asked.requests] == [(JPEG, "image[0]"), (PNG, "image[1]")]
    assert asked.requests[0].options == EnhanceOptions(RestoreOptions(), 1)


def test_an_enhance_takes_no_destinations() -> None:
    with pytest.raises(InvalidField, match="unknown tensor; there are image, options"):
        enhance_v2(tensors(image=[JPEG], destination=[JPEG]), SETTINGS)


def test_a_detect_takes_no_options_but_an_empty_object() -> None:
    assert detect_v2(tensors(image=[JPEG], options=["{}"]), SETTINGS).requests

    with pytest.raises(InvalidField) as caught:
        detect_v2(tensors({"upscale": 2}, image=[JPEG]), SETTINGS)
    assert caught.value.details == {"field": "upscale"}


# ── raw bytes or base64 ───────────────────────────────────────────────────────────────────────────────────────────────

PICTURES = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "bmp": b"BM\x36\x00\x0c\x00",
    "tiff": b"II*\x00",
    "gif": b"GIF89a\x01\x00\x01\x00",
    "avif": b"\x00\x00\x00\x20ftypavif",
}


@pytest.mark.parametrize("start", PICTURES.values(), ids=PICTURES)
def test_raw_pictures_are_known_by_their_first_bytes(start: bytes) -> None:
    asked = swap_v2(tensors(image=[start + bytes(100)]), SETTINGS)

    assert (asked.raw, asked.requests[0].sources[0].data) == (True, start + bytes(100))


@pytest.mark.parametrize(
    "row",
    [JPEG64, JPEG64.encode(), f"data:image/jpeg;base64,{JPEG64}".encode(), f"\n{JPEG64}\n".encode()],
    ids=["text", "bytes", "data:", "white space"],
)
def test_base64_is_known_by_its_alphabet(row: bytes | str) -> None:
    asked = swap_v2(tensors(image=[row]), SETTINGS)

    assert (asked.raw, asked.requests[0].sources[0].data) == (False, JPEG)


def test_content_type_base64_says_so_whatever_the_bytes() -> None:
    assert swap_v2(with_content_type("base64", JPEG64.encode()), SETTINGS).raw is False

    with pytest.raises(InvalidBase64) as caught:
        swap_v2(with_content_type("base64", JPEG), SETTINGS)
    assert caught.value.details == {"field": "image[0]"}


def test_content_type_of_an_image_says_raw_whatever_the_bytes() -> None:
    asked = swap_v2(with_content_type("image/x-portable-pixmap", b"P6 1 1 255 abc"), SETTINGS)

    assert (asked.raw, asked.requests[0].sources[0].data) == (True, b"P6 1 1 255 abc")


@pytest.mark.parametrize("content_type", ["text/plain", "", 5, True])
def test_another_content_type_is_refused(content_type: object) -> None:
    with pytest.raises(InvalidField) as caught:
        swap_v2(with_content_type(content_type, JPEG), SETTINGS)

    assert caught.value.details == {"field": "image.parameters.content_type"}


def test_raw_bytes_cannot_travel_as_json_text() -> None:
    with pytest.raises(InvalidField) as caught:
        swap_v2(with_content_type("image/jpeg", "ÿØÿà"), SETTINGS)

    assert caught.value.details == {"field": "image[0]"}


@pytest.mark.parametrize("rows", [[JPEG, PNG64.encode()], [PNG64.encode(), JPEG]])
def test_one_raw_row_makes_the_answer_raw(rows: list[bytes]) -> None:
    assert swap_v2(tensors(image=rows), SETTINGS).raw is True


def test_the_request_itself_travels_along_for_its_id_and_outputs() -> None:
    request = TensorRequest("42", [InputTensor("image", [JPEG], {})], {}, None, binary_outputs=False)

    assert swap_v2(request, SETTINGS).tensors is request
    assert enhance_v2(request, SETTINGS).tensors is request
    assert detect_v2(request, SETTINGS).tensors is request


@given(
    rows=st.lists(st.binary(max_size=20) | st.text(max_size=20), max_size=3),
    options=st.none() | st.binary(max_size=10) | st.text(max_size=10) | st.just("{}"),
    content_type=st.none() | st.sampled_from(["base64", "image/jpeg"]) | st.text(max_size=5),
)
def test_any_rows_give_requests_or_an_invalid_request(
    rows: list[bytes | str], options: bytes | str | None, content_type: str | None
) -> None:
    inputs = [InputTensor("image", rows, {} if content_type is None else {"content_type": content_type})]
    if options is not None:
        inputs.append(InputTensor("options", [options], {}))

    try:
        asked = swap_v2(TensorRequest("", inputs, {}, None, binary_outputs=False), SETTINGS)
    except InvalidRequest:
        return

    assert len(asked.requests) == len(rows)


@given(st.binary(max_size=50))
def test_any_v1_bytes_give_requests_or_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        v1_swap(body)
