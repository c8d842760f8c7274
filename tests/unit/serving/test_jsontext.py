from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidField
from predictor.serving.jsontext import MOST_VALUES, parse_json


def test_json_is_parsed() -> None:
    assert parse_json(b'{"report": true, "name": "\xc3\xa4"}') == {"report": True, "name": "ä"}


def test_what_is_no_json_is_told_with_its_place_and_in_our_own_words() -> None:
    with pytest.raises(InvalidField) as caught:
        parse_json(b'{"image": "aGVsbG8=",\n  oops}')

    assert caught.value.sentence == "the body is not JSON from line 2, column 3 on"
    assert caught.value.details == {"field": ""}


def test_a_text_inside_a_request_is_named() -> None:
    with pytest.raises(InvalidField) as caught:
        parse_json("{", "options")

    assert caught.value.sentence.startswith("options: not JSON")


@pytest.mark.parametrize("text", [b"", b"\xff", b"[" * 100_000, b"NaN", b"{'a': 1}", "\ud800"])
def test_hostile_texts_are_invalid(text: bytes | str) -> None:
    with pytest.raises(InvalidField):
        parse_json(text)


@pytest.mark.parametrize("value", ["1", "{}", '{"a":1}', "[1"])
def test_a_text_of_very_many_values_is_refused_before_it_is_parsed(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orjson, "loads", lambda _: pytest.fail("it was parsed"))
    text = "[" + ",".join([value] * (MOST_VALUES + 1))  # it need not even be JSON

    for form in (text, text.encode(), memoryview(text.encode())):
        with pytest.raises(InvalidField) as caught:
            parse_json(form)
        assert caught.value.sentence == "the body has more than 100,000 JSON values"
    with pytest.raises(InvalidField, match="options: more than 100,000 JSON values"):
        parse_json(text, "options")


def test_many_values_are_looked_for_in_all_of_a_long_text() -> None:
    text = b'{"image": "' + b"A" * 3_000_000 + b'", "pairs": [' + b"{}," * MOST_VALUES + b"{}]}"

    with pytest.raises(InvalidField, match="more than"):
        parse_json(text)


def test_as_many_values_as_are_allowed_are_parsed() -> None:
    assert parse_json(json.dumps([1] * MOST_VALUES)) == [1] * MOST_VALUES


def test_a_field_given_twice_is_named_and_refused() -> None:
    with pytest.raises(InvalidField) as caught:
        parse_json(b'{"sources": [{"name": "a", "image": "", "name": "b"}]}')
    assert caught.value.sentence == "sources[0].name: given twice"

    with pytest.raises(InvalidField) as caught:
        parse_json('{"upscale": 2, "upscale": 4}', "options")
    assert caught.value.details == {"field": "options.upscale"}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_what_is_nested_too_deep_is_refused(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    with pytest.raises(InvalidField, match="nested too deep"):
        parse_json(opening * 500 + b"1" + closing * 500)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_what_was_written_comes_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
