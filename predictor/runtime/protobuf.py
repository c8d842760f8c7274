"""Protobuf's wire format, as far as finding and replacing the fields of a message goes.

Source: the encoding chapter of protobuf's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_WIDTHS = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MORE, _SEVEN_BITS = 0x80, 0x7F
_LONGEST_VARINT = 10


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: the whole of it from `first` to `end`, what it holds from `start`."""

    number: int
    first: int
    start: int
    end: int


def fields(data: bytes | mmap, start: int, end: int) -> list[Field]:
    """Return the fields of the message that lies between two places.

    Raises:
        ValueError: There is none: a field of no known kind, or one that ends beyond the message.
    """
    found = []
    place = start
    while place < end:
        key, begin = _varint(data, place, end)
        kind, stop = key & 7, begin
        if kind == _LENGTH:
            length, begin = _varint(data, begin, end)
            stop = begin + length
        elif kind == _VARINT:
            _, stop = _varint(data, begin, end)
        elif kind in _WIDTHS:
            stop = begin + _WIDTHS[kind]
        else:
            raise ValueError(f"no field is of kind {kind}")
        if stop > end:
            raise ValueError("a field ends beyond its message")
        found.append(Field(key >> 3, place, begin, stop))
        place = stop
    return found


def head(number: int, length: int) -> bytes:
    """Return what stands before a field's content, a message or text of so many bytes."""
    return _encoded(number << 3 | _LENGTH) + _encoded(length)


def _varint(data: bytes | mmap, place: int, end: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it."""
    value = 0
    for digit, byte in enumerate(data[place : min(place + _LONGEST_VARINT, end)]):
        value |= (byte & _SEVEN_BITS) << 7 * digit
        if byte < _MORE:
            return value, place + digit + 1
    raise ValueError("a number does not end")


def _encoded(value: int) -> bytes:
    digits = bytearray()
    while value > _SEVEN_BITS:
        digits.append(value & _SEVEN_BITS | _MORE)
        value >>= 7
    return bytes([*digits, value])
