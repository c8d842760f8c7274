"""What every way to run networks has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from predictor.runtime.session import Network, Session


_LONGEST = 500


class Engine(Protocol):
    """A runtime on a device."""

    @property
    def provider(self) -> str:
        """What the settings call it."""

    @property
    def reduced(self) -> str | None:
        """The precision below fp32 in which it is faster, or None."""

    def open(self, network: Network, precision: str) -> Session:
        """Make a session.

        Raises:
            StartupError: There is no such file.
            EngineFailed: This engine cannot run it, or not in this precision.
        """


class EngineFailed(Exception):
    """An engine cannot run a network; in the library's words, for the log and not for the operator."""


def words_of(error: BaseException) -> str:
    """Return what a library said, in one line of bearable length."""
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
