"""Fields that an object of a JSON text has twice: the parser keeps the last one and tells nobody.

Whoever sends two means one of them, and which one differs from parser to parser: between a gateway that checks a field
and a server that reads it, that is a hole. Finding them costs next to nothing where there are none: outside of texts
there are as many colons as fields.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEPEST = 100  # of what is ours, nothing is deeper than six
_FEW = 1000


class TooDeepError(ValueError):
    """Lists and objects stand in each other so deep that nobody can have meant it."""


class _Members(list[tuple[str, object]]):
    """An object with all its fields, in the order of the text."""


def repeated_field(text: bytes | bytearray | str, parsed: object) -> str | None:
    """Return the path of the first field that an object has twice, such as `destinations[2].name`.

    Args:
        text: A JSON text.
        parsed: What the parser made of it.

    Raises:
        TooDeepError: It is nested deeper than a request can be.
    """
    if occurrences(text, ":") == _colons(parsed) and not _has_escaped_colon(text):
        return None
    try:
        every_field = json.loads(text, object_pairs_hook=_Members)
    except RecursionError:  # what the other parser dropped is not measured yet
        raise TooDeepError from None
    steps: list[str | int] = []
    return _path(steps) if _has_repeated(every_field, steps) else None


def occurrences(text: bytes | bytearray | str, mark: str, start: int = 0, end: int | None = None) -> int:
    """Return how often one ASCII character stands in a text.

    As `count` does, which looks at every byte by itself; to look for the next one is twenty times as fast, and what
    makes a request long is base64, in which there is none.

    Args:
        text: Where to look.
        mark: The character.
        start: Where to begin.
        end: Where to stop; at the end of the text if None.
    """
    sought = mark if isinstance(text, str) else mark.encode()
    stop = len(text) if end is None else end
    for found in range(_FEW):
        place = text.find(sought, start, stop)  # type: ignore[arg-type]  # the mark is of its type
        if place < 0:
            return found
        start = place + 1
    return _FEW + text.count(sought, start, stop)  # type: ignore[arg-type]  # as above


def _has_escaped_colon(text: bytes | bytearray | str) -> bool:
    r"""Return whether there may be a colon that is not counted; `\` alone is found faster, and rarely is there one."""
    if isinstance(text, str):
        return "\\" in text and "\\u003" in text
    return b"\\" in text and b"\\u003" in text


def _colons(parsed: object) -> int:
    """Return how many colons a text has that holds this value, and each field once."""
    found = 0
    left = [(parsed, 1)]
    while left:
        value, depth = left.pop()
        if depth > _DEEPEST:
            raise TooDeepError
        if isinstance(value, str):
            found += occurrences(value, ":")
        elif isinstance(value, list):
            left += [(one, depth + 1) for one in value]
        elif isinstance(value, dict):
            found += len(value) + sum(name.count(":") for name in value)
            left += [(one, depth + 1) for one in value.values()]
    return found


def _has_repeated(value: object, steps: list[str | int]) -> bool:
    """Return whether an object in a value has a field twice; the steps then lead there from where they led before."""
    if len(steps) >= _DEEPEST:
        raise TooDeepError
    if isinstance(value, _Members):
        seen = set()
        for name, inner in value:
            steps.append(name)
            if name in seen or _has_repeated(inner, steps):
                return True
            steps.pop()
            seen.add(name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            steps.append(index)
            if _has_repeated(inner, steps):
                return True
            steps.pop()
    return False


def _path(steps: Sequence[str | int]) -> str:
    """Return the steps in words; made once, for a client's name may be as long as the text."""
    words: list[str] = []
    for step in steps:
        if isinstance(step, int):
            words.append(f"[{step}]")
        else:
            words += [".", step] if any(words) else [step]
    return "".join(words)
