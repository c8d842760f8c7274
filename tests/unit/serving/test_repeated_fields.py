from __future__ import annotations

import json
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.serving.repeated_fields import TooDeepError, occurrences, repeated_field

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just("a:b"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def repeated(text: str) -> str | None:
    found = repeated_field(text.encode(), orjson.loads(text))
    assert repeated_field(text, orjson.loads(text)) == found
    return found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"image": "data:image/png;base64,AA==", "report": true, "report": false}', "report"),
        ('{"sources": [{"name": "x"}, {"name": "a:b", "image": "", "name": "y"}]}', "sources[1].name"),
        ('[{}, {"a": {"b": {}, "b": {}}}]', "[1].a.b"),
        ('{"a": {"b": 1, "b": 2}, "a": {}}', "a.b"),
        ('{"a": 1, "a": "\\u003a"}', "a"),
        ('{"a": ":", "a": "", "b": "\\u003a\\u003a"}', "a"),
        ('{"": 1, "": 2}', ""),
        ('{"": {"a": 1, "a": 2}}', "a"),
        ('[[0, {"a": [{"": [{"b": 1, "b": 1}]}]}]]', "[0][1].a[0].[0].b"),
    ],
)
def test_a_field_given_twice_is_named_with_its_place(text: str, path: str) -> None:
    assert repeated(text) == path


@pytest.mark.parametrize(
    "text",
    ["1", '":"', "[]", '{"a": {"a": {"a": 1}}}', '[{"a": 1}, {"a": 1}]', '{"a:b": "c:d"}', '{"a": "\\u003a"}'],
)
def test_the_same_name_at_another_place_is_another_field(text: str) -> None:
    assert repeated(text) is None


@given(VALUES)
def test_what_a_writer_of_json_wrote_has_no_field_twice(value: object) -> None:
    assert repeated(json.dumps(value)) is None
    assert repeated(json.dumps(value, ensure_ascii=False)) is None


@given(st.dictionaries(st.text(), VALUES, min_size=1), st.data())
def test_any_field_that_is_written_twice_is_found(fields: dict[str, object], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(fields)))
    once = json.dumps(fields)
    again = f"{json.dumps(name)}: {json.dumps(data.draw(VALUES))}"

    assert repeated(f"{once[:-1]}, {again}}}") is not None


def test_the_way_of_all_texts_takes_no_second_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(json, "loads")

    assert repeated('{"image": "data:image/png;base64,AA==", "sources": [{"name": "a"}]}') is None


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_is_nested_beyond_all_measure_is_not_looked_through(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    text = opening * 1000 + "1" + closing * 1000

    with pytest.raises(TooDeepError):
        repeated_field(text, orjson.loads(text))
    assert repeated(opening * 99 + "1" + closing * 99) is None


@pytest.mark.parametrize("opening", ["[", '{"b":'])
@pytest.mark.parametrize("depth", [150, 1000, 1020])
def test_what_is_nested_beyond_all_measure_is_not_looked_through_where_the_parser_drops_it(
    opening: str, depth: int
) -> None:
    closing = "]" if opening == "[" else "}"
    text = f'{{"a": {opening * depth}1{closing * depth}, "a": 1}}'

    with pytest.raises(TooDeepError):
        repeated_field(text, orjson.loads(text))


def test_a_long_name_is_not_held_once_for_every_place_below_it() -> None:
    below = '{"b":' * 90 + "1" + "}" * 90
    text = f'{{"a": {{"{"n" * 1_000_000}": {below}}}, "a": 1}}'
    parsed = orjson.loads(text)
    tracemalloc.start()
    try:
        assert repeated_field(text, parsed) == "a"
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("marks", [0, 1, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("between", ["", "a", "ab" * 50])
def test_occurrences_are_counted_however_many_there_are(marks: int, between: str) -> None:
    text = f"{between}:".join([""] * (marks + 1))

    assert text.count(":") == marks
    assert (
        occurrences(text, ":") == occurrences(text.encode(), ":") == occurrences(bytearray(text, "ascii"), ":") == marks
    )


@given(st.text(":ab"), st.integers(0, 20), st.integers(0, 20))
def test_occurrences_are_counted_within_bounds(text: str, start: int, end: int) -> None:
    assert occurrences(text, ":", start, end) == text.count(":", start, end)
    assert occurrences(text.encode(), ":", start, end) == text.count(":", start, end)
