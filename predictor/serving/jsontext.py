"""JSON texts of requests, wherever they stand.

The parser holds the interpreter from the first byte to the last, so nothing else runs meanwhile, not even a health
probe's answer. A text of one large picture takes milliseconds; one of the same length made of millions of tiny values
takes seconds and gigabytes. What a text holds is therefore counted, in a few milliseconds, before it is parsed.
"""

from __future__ import annotations

import orjson

from predictor.errors import InvalidField
from predictor.serving.repeated_fields import TooDeepError, occurrences, repeated_field

MOST_VALUES = 100_000
"""In one text. The largest request that the default limits allow has about 20,000."""
_COUNTED_AT_ONCE = 1 << 20


def parse_json(text: bytes | bytearray | memoryview | str, field: str = "") -> object:
    """Return what a JSON text holds.

    Args:
        text: UTF-8.
        field: Where it stands in the request; empty where it is the body.

    Raises:
        InvalidField: It is not JSON, it holds too many values, or an object in it has a field twice.
    """
    plain = bytes(text) if isinstance(text, memoryview) else text
    if _has_more_values(plain, MOST_VALUES):
        subject = "" if field else "the body has "
        raise InvalidField(field, f"{subject}more than {MOST_VALUES:,} JSON values")
    try:
        parsed: object = orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidField(field, f"{'' if field else 'the body is '}not JSON from {place} on") from None
    try:
        twice = repeated_field(plain, parsed)
    except TooDeepError:
        raise InvalidField(field, "nested too deep") from None
    if twice is not None:
        raise InvalidField(f"{field}.{twice}" if field else twice, "given twice")
    return parsed


def _has_more_values(text: bytes | bytearray | str, most: int) -> bool:
    """Return whether there can be more values than that: each but the first follows a comma or opens a list or object.

    It stops at the first part that goes beyond, so that a text of nothing but commas takes no longer.
    """
    found = 0
    for start in range(0, len(text), _COUNTED_AT_ONCE):
        end = min(len(text), start + _COUNTED_AT_ONCE)
        found += sum(occurrences(text, mark, start, end) for mark in ",[{")
        if found > most:
            return True
    return False
