"""How a pull is shown: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Never, Self


class ProgressBar:
    """A bar a file on stderr, none where that is no terminal; lines go above it."""

    def __init__(self) -> None:
        self._bar: tqdm[Never] | None = None

    def said(self, line: str) -> None:
        """Show a line."""
        tqdm.write(line, file=sys.stderr)

    def started(self, name: str, done: int, total: int | None) -> None:
        """Show a bar."""
        self.ended()
        self._bar = tqdm(
            desc=name, initial=done, total=total, unit="B", unit_scale=True, disable=None, leave=False, mininterval=0.2
        )

    def advanced(self, count: int) -> None:
        """Let the bar grow."""
        if self._bar is not None:
            self._bar.update(count)

    def ended(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended()
