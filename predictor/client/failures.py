"""What a call can end with instead of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from predictor.errors import PredictorError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call brought nothing."""

    code: str
    """For programs: the server's own code, or one of ours where it gave none: `timeout`, `http_502`, …"""
    sentence: str
    """For a person: the server's own words, or ours."""
    status: int | str | None = None
    """HTTP's number or gRPC's name; None where nothing came back."""
    request_id: str | None = None
    """Under which the server's log knows the call."""


def no_answer_within(timeout_seconds: float | None) -> str:
    """Return what is said of a call that took too long."""
    return "no answer in time" if timeout_seconds is None else f"no answer within {timeout_seconds:g} s"


class CallFailed(PredictorError):
    """The predictor answered with an error, or not at all."""

    def __init__(self, failure: Failure) -> None:
        answered = "" if failure.status is None else f"the predictor answered {failure.status}: "
        super().__init__(answered + failure.sentence)
        self.failure = failure


class UnreadableAnswer(CallFailed):
    """Something came back that is no answer of a predictor's."""

    def __init__(self) -> None:
        super().__init__(Failure("unreadable_answer", "what came back is no answer of a predictor"))
