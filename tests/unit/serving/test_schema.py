"""Every field of api.md: what it takes, what it defaults to, and how a mistake in it is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from predictor.errors import InvalidField
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions, SwapOptions
from predictor.serving.schema import (
    DetectBody,
    DetectFields,
    EnhanceBody,
    EnhanceFields,
    SwapBody,
    SwapTensorOptions,
    validated,
)

NAN = float("nan")
TWO_SOURCES = {"sources": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}


def swap(**fields: object) -> SwapBody:
    return validated(SwapBody, {"image": "x", **fields})


# ── defaults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_swap_needs_nothing_but_an_image() -> None:
    body = swap()

    assert body.swap_options() == SwapOptions((Pair(None, 1, 1),), None, 1)
    assert body.output.options() == OutputOptions("same", 95)
    assert (body.destinations, body.report) == (None, False)


def test_an_enhance_restores_and_doubles_by_default() -> None:
    body = validated(EnhanceBody, {"image": "x"})

    assert body.enhance_options() == EnhanceOptions(RestoreOptions(None, 1.0), 2)
    assert (body.output.options(), body.report) == (OutputOptions("same", 95), False)


# ── what every field takes ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"source_face_id": 2}, SwapOptions((Pair(None, 2, 1),))),
        ({"destination_face_id": 3}, SwapOptions((Pair(None, 1, 3),))),
        ({"destination_face_id": "all"}, SwapOptions((Pair(None, 1, "all"),))),
        ({"pairs": None, "source_face_id": 2}, SwapOptions((Pair(None, 2, 1),))),
        ({"pairs": [{}]}, SwapOptions((Pair(None, 1, 1),))),
        (
            {"pairs": [{"source_face_id": 2, "destination_face_id": 1}, {"destination_face_id": 2}]},
            SwapOptions((Pair(None, 2, 1), Pair(None, 1, 2))),
        ),
        ({"restore": True}, SwapOptions(restore=RestoreOptions())),
        ({"restore": False}, SwapOptions()),
        ({"restore": {}}, SwapOptions(restore=RestoreOptions())),
        ({"restore": {"model": "gfpgan_1.4", "blend": 0.8}}, SwapOptions(restore=RestoreOptions("gfpgan_1.4", 0.8))),
        ({"restore": {"blend": 0}}, SwapOptions(restore=RestoreOptions(None, 0.0))),
        ({"restore": {"blend": 1}}, SwapOptions(restore=RestoreOptions(None, 1.0))),
        ({"upscale": 2}, SwapOptions(upscale=2)),
        ({"upscale": 4}, SwapOptions(upscale=4)),
    ],
)
def test_each_field_of_a_swap_reaches_the_pipelines_options(fields: dict[str, Any], options: SwapOptions) -> None:
    assert swap(**fields).swap_options() == options


@pytest.mark.parametrize("kind", ["same", "jpeg", "png", "webp"])
@pytest.mark.parametrize("quality", [1, 100])
def test_output_takes_every_format_and_quality(kind: str, quality: int) -> None:
    assert swap(output={"format": kind, "quality": quality}).output.options() == OutputOptions(kind, quality)  # type: ignore[arg-type]


def test_pairs_may_name_the_sources_they_come_from() -> None:
    body = validated(SwapBody, {**TWO_SOURCES, "pairs": [{"source": "b"}, {"destination_face_id": 2}]})

    assert body.swap_options().pairs == (Pair("b", 1, 1), Pair(None, 1, 2))


def test_destinations_are_names_or_named_pictures() -> None:
    body = swap(destinations=["one.jpg", {"name": "mine", "image": "x"}])

    assert body.destinations is not None
    assert body.destinations[0] == "one.jpg"
    assert body.destinations[1].name == "mine"  # type: ignore[union-attr]


def test_names_have_up_to_128_characters() -> None:
    longest = "ä" * 128

    assert swap(destinations=[{"name": longest, "image": "x"}]).destinations


# ── what is wrong, by the path of its field ───────────────────────────────────────────────────────────────────────────

NAMED = {"name": "a", "image": "x"}
WRONG_SWAPS: list[tuple[dict[str, Any], str, str]] = [
    # a source, one way or the other
    ({"image": None}, "image", "required"),
    ({"image": 5}, "image", "expected a text"),
    ({"image": ["x"]}, "image", "expected a text"),
    ({"sources": [NAMED]}, "sources", "not together with image"),
    ({"image": None, "sources": []}, "sources", "expected at least 1 entry"),
    ({"image": None, "sources": NAMED}, "sources", "expected a list"),
    ({"image": None, "sources": ["x"]}, "sources[0]", "expected an object"),
    ({"image": None, "sources": [NAMED, {"name": "b"}]}, "sources[1].image", "required"),
    ({"image": None, "sources": [{"image": "x"}]}, "sources[0].name", "required"),
    ({"image": None, "sources": [{**NAMED, "url": "x"}]}, "sources[0].url", "unknown field"),
    ({"image": None, "sources": [{"name": "", "image": "x"}]}, "sources[0].name", "expected at least 1 character"),
    ({"image": None, "sources": [{"name": "n" * 129, "image": "x"}]}, "sources[0].name", "at most 128 characters"),
    ({"image": None, "sources": [NAMED, NAMED]}, "sources", "names must be unique"),
    # faces
    ({"source_face_id": 0}, "source_face_id", "expected at least 1"),
    ({"source_face_id": -1}, "source_face_id", "expected at least 1"),
    ({"source_face_id": "1"}, "source_face_id", "expected a whole number"),
    ({"source_face_id": 1.0}, "source_face_id", "expected a whole number"),
    ({"source_face_id": True}, "source_face_id", "expected a whole number"),
    ({"source_face_id": None}, "source_face_id", "expected a whole number"),
    ({"destination_face_id": 0}, "destination_face_id", "expected at least 1 or 'all'"),
    ({"destination_face_id": "every"}, "destination_face_id", "expected a whole number or 'all'"),
    ({"destination_face_id": NAN}, "destination_face_id", "expected a whole number or 'all'"),
    ({"destination_face_id": True}, "destination_face_id", "expected a whole number or 'all'"),
    # destinations
    ({"destinations": []}, "destinations", "expected at least 1 entry"),
    ({"destinations": "one.jpg"}, "destinations", "expected a list"),
    ({"destinations": [5]}, "destinations[0]", "expected a text or an object"),
    ({"destinations": ["a", {"name": "b"}]}, "destinations[1].image", "required"),
    ({"destinations": ["b", {**NAMED, "url": "x"}]}, "destinations[1].url", "unknown field"),
    ({"destinations": [5, {**NAMED, "url": "x"}]}, "destinations[0]", "expected a text or an object"),
    ({"destinations": [{"name": 5, "image": "x"}]}, "destinations[0].name", "expected a text"),
    ({"destinations": ["n" * 129]}, "destinations[0]", "at most 128 characters"),
    ({"destinations": [""]}, "destinations[0]", "at least 1 character"),
    ({"destinations": ["a", "a"]}, "destinations", "names must be unique"),
    ({"destinations": ["a", NAMED]}, "destinations", "names must be unique"),
    # pairs
    ({"pairs": []}, "pairs", "expected at least 1 entry"),
    ({"pairs": {}}, "pairs", "expected a list"),
    ({"pairs": [5]}, "pairs[0]", "expected an object"),
    ({"pairs": [{}, {"source_face_id": 0}]}, "pairs[1].source_face_id", "expected at least 1"),
    ({"pairs": [{"destination_face_id": "al"}]}, "pairs[0].destination_face_id", "a whole number or 'all'"),
    ({"pairs": [{"face": 1}]}, "pairs[0].face", "unknown field"),
    ({"pairs": [{}], "source_face_id": 1}, "source_face_id", "not together with pairs"),
    ({"pairs": [{}], "destination_face_id": "all"}, "destination_face_id", "not together with pairs"),
    ({"pairs": [{}, {"source": "a"}]}, "pairs[1].source", "only together with sources"),
    ({"image": None, **TWO_SOURCES, "pairs": [{"source": "c"}]}, "pairs[0].source", "no source is named 'c'"),
    ({"image": None, **TWO_SOURCES, "pairs": [{"source": ""}]}, "pairs[0].source", "at least 1 character"),
    # restore
    ({"restore": None}, "restore", "expected true or false or an object"),
    ({"restore": 1}, "restore", "expected true or false or an object"),
    ({"restore": "true"}, "restore", "expected true or false or an object"),
    ({"restore": {"model": 5}}, "restore.model", "expected a text"),
    ({"restore": {"strength": 1}}, "restore.strength", "unknown field"),
    ({"restore": {"blend": -0.1}}, "restore.blend", "expected at least 0"),
    ({"restore": {"blend": 1.1}}, "restore.blend", "expected at most 1"),
    ({"restore": {"blend": NAN}}, "restore.blend", "expected a finite number"),
    ({"restore": {"blend": "0.5"}}, "restore.blend", "expected a number"),
    ({"restore": {"blend": True}}, "restore.blend", "expected a number"),
    ({"restore": {"blend": None}}, "restore.blend", "expected a number"),
    # upscale
    ({"upscale": 3}, "upscale", "expected 1, 2 or 4"),
    ({"upscale": "2"}, "upscale", "expected 1, 2 or 4"),
    ({"upscale": 2.0}, "upscale", "expected 1, 2 or 4"),
    ({"upscale": True}, "upscale", "expected 1, 2 or 4"),
    ({"upscale": None}, "upscale", "expected 1, 2 or 4"),
    # output
    ({"output": "png"}, "output", "expected an object"),
    ({"output": {"format": "gif"}}, "output.format", "expected 'same', 'jpeg', 'png' or 'webp'"),
    ({"output": {"format": "PNG"}}, "output.format", "expected 'same', 'jpeg', 'png' or 'webp'"),
    ({"output": {"quality": 0}}, "output.quality", "expected at least 1"),
    ({"output": {"quality": 101}}, "output.quality", "expected at most 100"),
    ({"output": {"quality": 95.5}}, "output.quality", "expected a whole number"),
    ({"output": {"lossless": True}}, "output.lossless", "unknown field"),
    # report
    ({"report": 1}, "report", "expected true or false"),
    ({"report": None}, "report", "expected true or false"),
    # nothing else
    ({"target": "x"}, "target", "unknown field"),
    ({"str": "x"}, "str", "unknown field"),
    ({"NamedImage": "x"}, "NamedImage", "unknown field"),
]


@pytest.mark.parametrize("prefix", ["", "instances[2]."])
@pytest.mark.parametrize(("fields", "path", "reason"), WRONG_SWAPS)
def test_a_mistake_in_a_swap_names_its_field(fields: dict[str, Any], path: str, reason: str, prefix: str) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(SwapBody, {"image": "x", **fields}, prefix)

    assert caught.value.details == {"field": prefix + path}
    assert caught.value.sentence.startswith(f"{prefix}{path}: ")
    assert reason in caught.value.sentence


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "image"),
        ({"image": None}, "image"),
        ({"image": 5}, "image"),
        ({"image": "x", "upscale": 3}, "upscale"),
        ({"image": "x", "restore": {"blend": 2}}, "restore.blend"),
        ({"image": "x", "output": {"format": "bmp"}}, "output.format"),
        ({"image": "x", "report": "yes"}, "report"),
        ({"image": "x", "pairs": [{}]}, "pairs"),
        ({"image": "x", "destinations": ["a"]}, "destinations"),
        ({"image": "x", "source_face_id": 1}, "source_face_id"),
    ],
)
def test_a_mistake_in_an_enhance_names_its_field(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(EnhanceBody, fields)

    assert caught.value.details == {"field": path}


@pytest.mark.parametrize(
    ("fields", "path"), [({}, "image"), ({"image": 5}, "image"), ({"image": "x", "upscale": 1}, "upscale")]
)
def test_a_mistake_in_a_detect_names_its_field(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(DetectBody, fields)

    assert caught.value.details == {"field": path}


@pytest.mark.parametrize(
    ("model", "fields", "path"),
    [
        (SwapTensorOptions, {"image": "x"}, "image"),
        (SwapTensorOptions, {"sources": []}, "sources"),
        (SwapTensorOptions, {"destinations": [{"name": "a", "image": "x"}]}, "destinations[0]"),
        (SwapTensorOptions, {"destinations": ["a", "a"]}, "destinations"),
        (SwapTensorOptions, {"destinations": ["n" * 129]}, "destinations[0]"),
        (SwapTensorOptions, {"pairs": [{}, {"source": "a"}]}, "pairs[1].source"),
        (SwapTensorOptions, {"upscale": 3}, "upscale"),
        (EnhanceFields, {"image": "x"}, "image"),
        (DetectFields, {"report": True}, "report"),
    ],
)
def test_v2_options_hold_no_pictures(model: type[BaseModel], fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(model, fields)  # type: ignore[type-var]  # each is one of ours

    assert caught.value.details == {"field": path}


@pytest.mark.parametrize("value", [None, 5, "text", [], [{"image": "x"}]])
def test_what_is_no_object_is_refused_at_its_place(value: object) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(SwapBody, value, "instances[2].")

    assert caught.value.details == {"field": "instances[2]"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("all"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(SwapBody.model_fields)), JSON, max_size=4))
def test_any_values_give_a_body_or_an_invalid_field_in_our_own_words(fields: dict[str, Any]) -> None:
    try:
        validated(SwapBody, fields)
    except InvalidField as error:
        assert str(error.details["field"]) in error.sentence  # noqa: PT017  # any field may be the wrong one
        assert "pydantic" not in error.sentence.lower()  # noqa: PT017
        assert "input should" not in error.sentence.lower()  # noqa: PT017


def test_the_first_unknown_field_of_very_many_is_named_and_a_long_name_cut() -> None:
    with pytest.raises(InvalidField) as caught:
        validated(DetectBody, {"x" * 10**6: 1} | {str(number): 1 for number in range(1000)}, "instances[0].")

    assert caught.value.details == {"field": "instances[0]." + "x" * 128}
