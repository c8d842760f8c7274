"""Counts and sizes that are refused before work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.errors import InvalidField, RequestTooLarge, TooManyItems

if TYPE_CHECKING:
    from collections.abc import Sized

_SHORTEST_TIMEOUT_SECONDS = 0.001
_LONGEST_TIMEOUT_SECONDS = 3600.0


def check_count(field: str, items: Sized | None, limit: int) -> None:
    """Raise TooManyItems if there are more than the limit."""
    if items is not None and len(items) > limit:
        raise TooManyItems(field, len(items), limit)


def check_request_bytes(actual: int, limit: int) -> None:
    """Raise RequestTooLarge if a body is over the limit."""
    if actual > limit:
        raise RequestTooLarge(actual, limit)


def timeout_seconds(header: str | None, default: float) -> float:
    """Return the seconds of an `x-request-timeout` header, or the default where there is none.

    Raises:
        InvalidField: It is no number from 0.001 to 3600.
    """
    if header is None:
        return default
    try:
        seconds = float(header) if "_" not in header else float("nan")  # Python reads 1_0 as 10
    except ValueError:
        seconds = float("nan")
    if not _SHORTEST_TIMEOUT_SECONDS <= seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise InvalidField("x-request-timeout", "expected seconds from 0.001 to 3600")
    return seconds
