from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidField, RequestTooLarge, TooManyItems
from predictor.serving.limits import check_count, check_request_bytes, timeout_seconds


def test_a_count_at_the_limit_passes_and_one_more_is_too_many() -> None:
    check_count("pairs", [1, 2], 2)
    check_count("pairs", None, 0)

    with pytest.raises(TooManyItems) as caught:
        check_count("pairs", [1, 2, 3], 2)

    assert caught.value.details == {"field": "pairs", "limit": 2, "actual": 3}


def test_a_body_at_the_limit_passes_and_one_more_byte_is_too_large() -> None:
    check_request_bytes(10, 10)

    with pytest.raises(RequestTooLarge) as caught:
        check_request_bytes(11, 10)

    assert caught.value.details == {"limit": 10, "actual": 11}


def test_without_a_header_the_default_timeout_holds() -> None:
    assert timeout_seconds(None, 300.0) == 300.0


@pytest.mark.parametrize(("header", "seconds"), [("0.001", 0.001), ("3600", 3600.0), (" 2.5 ", 2.5), ("1e2", 100.0)])
def test_a_header_gives_the_timeout(header: str, seconds: float) -> None:
    assert timeout_seconds(header, 300.0) == seconds


@pytest.mark.parametrize(
    "header", ["", "0", "0.0009", "-1", "3600.1", "nan", "inf", "-inf", "5s", "1,5", "0x10", "1_0"]
)
def test_a_timeout_that_is_no_number_from_a_millisecond_to_an_hour_is_refused(header: str) -> None:
    with pytest.raises(InvalidField) as caught:
        timeout_seconds(header, 300.0)

    assert caught.value.details == {"field": "x-request-timeout"}


@given(st.text())
def test_any_header_gives_seconds_within_bounds_or_an_invalid_field(header: str) -> None:
    try:
        seconds = timeout_seconds(header, 300.0)
    except InvalidField:
        return

    assert 0.001 <= seconds <= 3600
