"""The bearer token of a caller: read where it is kept, never told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from predictor.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path


def read_token(file: Path | None, variable: str | None) -> str | None:
    """Return the token of a file or of an environment variable; None where neither is given.

    Raises:
        StartupError: It is not there, empty, or nothing that a header can carry. Its text is not told.
    """
    if file is None and variable is None:
        return None
    place = f"the environment variable {variable}" if file is None else str(file)
    try:
        text = os.environ.get(variable or "", "") if file is None else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise StartupError(f"{place}: cannot be read") from None
    token = text.strip()
    # the clients would tell a header that is none, and with it the token
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise StartupError(f"{place}: holds no token")
    return token
