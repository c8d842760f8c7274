from __future__ import annotations

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidBase64
from predictor.serving.base64text import decode_base64

DATA = bytes(range(256)) + b"\xfb\xff\xfe"  # holds all 64 letters, and both that differ in the URL-safe alphabet
STANDARD = base64.b64encode(DATA).decode()


FORMS = {
    "standard": STANDARD,
    "URL-safe": base64.urlsafe_b64encode(DATA).decode(),
    "URL-safe, no padding": base64.urlsafe_b64encode(DATA).decode().rstrip("="),
    "no padding": STANDARD.rstrip("="),
    "data:": f"data:image/png;base64,{STANDARD}",
    "DATA:": f"DATA:image/png;base64,{STANDARD}",
    "data:, URL-safe": f"data:;base64,{base64.urlsafe_b64encode(DATA).decode()}",
    "white space before data:": f"\n  data:image/png;base64,\n{STANDARD}\n",
    "lines": "\r\n".join(textwrap.wrap(STANDARD, 76)) + "\r\n",
    "white space everywhere": " \t\v\f".join(STANDARD),
}
NONE = ["", " \n", "=", "data:image/png;base64,", "data:image/png", "A", "AAAAA", "A=AA", "AA!A", "ÄÄÄÄ", "AAAA====B"]
LATE_COMMA = "data:" + "x" * 300 + ",AAAA"


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_base64_is_read_in_every_form_clients_send(text: str) -> None:
    assert decode_base64(text, "image") == DATA
    assert decode_base64(text.encode(), "image") == DATA


@pytest.mark.parametrize("text", [*NONE, LATE_COMMA, "https://example.org/me.jpg", "{}"])
def test_anything_else_is_invalid_base64_and_the_field_is_named(text: str) -> None:
    with pytest.raises(InvalidBase64) as caught:
        decode_base64(text, "instances[2].destinations[0].image")

    assert caught.value.details == {"field": "instances[2].destinations[0].image"}


@given(
    data=st.binary(min_size=1),
    url_safe=st.booleans(),
    padded=st.booleans(),
    prefix=st.sampled_from(["", "data:image/jpeg;base64,", "data:,"]),
    width=st.integers(1, 80),
)
def test_what_was_encoded_comes_back(data: bytes, *, url_safe: bool, padded: bool, prefix: str, width: int) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")

    assert decode_base64(prefix + "\n".join(textwrap.wrap(text, width)), "image") == data


@given(st.one_of(st.text(), st.binary(), st.text("ABCxyz019+/-_= \n,:;data", max_size=40)))
def test_any_text_gives_bytes_or_invalid_base64(text: str | bytes) -> None:
    try:
        data = decode_base64(text, "image")
    except InvalidBase64:
        return

    assert data
