from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidField
from predictor.serving.jsontext import parse_json


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


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_what_was_written_comes_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
