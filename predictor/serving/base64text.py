"""Base64 as clients really send it: a data: prefix, the URL-safe alphabet, white space, missing padding."""

from __future__ import annotations

import binascii

import pybase64

from predictor.errors import InvalidBase64

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE = b" \t\r\n\v\f"
# A data: prefix (RFC 2397) is short; a comma further in is no prefix's end.
_LONGEST_PREFIX = 256


def decode_base64(text: str | bytes, field: str) -> bytes:
    """Return the bytes that a base64 text stands for.

    Raises:
        InvalidBase64: It is none, or there is nothing in it.
    """
    raw = _ascii(text, field).lstrip(_WHITE_SPACE)
    if raw[:5].lower() == b"data:":
        comma = raw.find(b",", 0, _LONGEST_PREFIX)
        if comma < 0:
            raise InvalidBase64(field)
        raw = raw[comma + 1 :]
    try:
        data = pybase64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        data = _decode_patiently(raw, field)
    if not data:
        raise InvalidBase64(field)
    return data


def _ascii(text: str | bytes, field: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise InvalidBase64(field) from error


def _decode_patiently(raw: bytes, field: str) -> bytes:
    compact = raw.translate(_URL_SAFE, _WHITE_SPACE).rstrip(b"=")
    try:
        return pybase64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidBase64(field) from error
