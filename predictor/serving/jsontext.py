"""JSON texts of requests, wherever they stand."""

from __future__ import annotations

import orjson

from predictor.errors import InvalidField


def parse_json(text: bytes | bytearray | memoryview | str, field: str = "") -> object:
    """Return what a JSON text holds.

    Args:
        text: UTF-8.
        field: Where it stands in the request; empty where it is the body.

    Raises:
        InvalidField: It is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidField(field, f"{'' if field else 'the body is '}not JSON from {place} on") from None
