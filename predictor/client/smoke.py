"""`python -m predictor call`: asks one of the models as often as it is told to, and reports what came back."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from predictor.client.connections import Connections
from predictor.client.latency import Latencies
from predictor.client.load import Load, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from predictor.client.album import Album
    from predictor.client.connections import Target
    from predictor.client.failures import Failure
    from predictor.client.load import Outcome
    from predictor.client.questions import Answer, Picture, Question


@dataclass(frozen=True, slots=True)
class Smoke:
    """A smoke test."""

    target: Target
    question: Question
    load: Load
    names: Sequence[str]
    """The files that the pictures which come back are made of."""
    album: Album | None = None
    """Where they are saved; None saves nothing."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of it."""

    smoke: Smoke
    outcome: Outcome
    saved: Sequence[Path]
    """The files of the first answer's pictures; empty where none were to be saved."""

    @property
    def failed(self) -> bool:
        """Whether any call failed, or none was made."""
        return bool(self.outcome.failures) or not self.outcome.calls

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs."""
        outcome, target = self.outcome, self.smoke.target
        latencies = Latencies.of(outcome.answered_seconds)
        return {
            "url": target.url,
            "protocol": target.protocol,
            "model": self.smoke.question.model,
            "calls": outcome.calls,
            "answered": len(outcome.answered_seconds),
            "failed": len(outcome.failures),
            "seconds": round(outcome.seconds, 3),
            "stopped": outcome.stopped,
            "concurrency": self.smoke.load.concurrency,
            "connections": "kept" if target.kept else "new",
            "latency_ms": None if latencies is None else latencies.as_dict(),
            "errors": [
                {
                    "code": failure.code,
                    "count": count,
                    "status": failure.status,
                    "sentence": failure.sentence,
                    "request_id": failure.request_id,
                }
                for failure, count in _by_code(outcome.failures)
            ],
            "different_answers": len(outcome.digests),
            "pictures": [] if outcome.first is None else self._pictures(outcome.first),
            "facts": None if outcome.first is None else dict(outcome.first.facts),
        }

    def as_text(self) -> str:
        """Return all of it for people."""
        return "\n".join([*self._answer_lines(), *self._call_lines()])

    def _pictures(self, answer: Answer) -> list[dict[str, Any]]:
        return [
            {
                "name": picture.name,
                "file": str(self.saved[index]) if self.saved else None,
                "bytes": len(picture.data),
                "sha256": sha256(picture.data).hexdigest(),
                "faces": picture.faces,
            }
            for index, picture in enumerate(answer.pictures)
        ]

    def _answer_lines(self) -> list[str]:
        answer = self.outcome.first
        if answer is None:
            return []
        lines = []
        for index, picture in enumerate(answer.pictures):
            name = self.saved[index] if self.saved else _plain(_names(self.smoke, answer.pictures)[index])
            not_saved = "" if self.saved else " (not saved: no -o DIR)"
            digest = sha256(picture.data).hexdigest()[:16]
            lines.append(f"{name}: {len(picture.data):,} bytes, sha256 {digest}{not_saved}")
            lines += [f"  {_face_line(face)}" for face in picture.faces or ()]
        facts = dict(answer.facts)
        faces = facts.pop("faces", ())
        lines += [f"{_plain(name)}: {_plain(value)}" for name, value in facts.items()]
        return lines + [f"  {_face_line(face)}" for face in faces]

    def _call_lines(self) -> list[str]:
        outcome, load = self.outcome, self.smoke.load
        answered, failed = len(outcome.answered_seconds), len(outcome.failures)
        at_a_time = f"{load.concurrency} at a time" if load.concurrency > 1 else "one at a time"
        connections = "connections kept" if self.smoke.target.kept else "a new connection each"
        calls = f"{outcome.calls} {'call' if outcome.calls == 1 else 'calls'}"
        lines = [
            f"{calls} to {self.smoke.question.model} over {self.smoke.target.protocol} in {outcome.seconds:.2f} s, "
            f"{at_a_time}, {connections}" + (" (stopped before the end)" if outcome.stopped else ""),
            f"answered {answered}, failed {failed}",
        ]
        for failure, count in _by_code(outcome.failures):
            status = "" if failure.status is None else f" ({failure.status})"
            known = f" [request {_plain(failure.request_id)}]" if failure.request_id else ""
            lines.append(f"  {count} × {_plain(failure.code)}{status}: {_plain(failure.sentence)}{known}")
        latencies = Latencies.of(outcome.answered_seconds)
        if latencies is not None:
            lines.append("ms  " + "  ".join(f"{name} {value:.1f}" for name, value in latencies.as_dict().items()))
        if answered > 1:
            different = len(outcome.digests)
            lines.append("all answers alike" if different == 1 else f"{different} different answers")
        return lines


def call(smoke: Smoke) -> Report:
    """Make the calls, with a bar on a terminal, and save the first answer's pictures."""
    with ExitStack() as stack:
        # disable=None: no bar where stderr is no terminal
        several = smoke.load.calls != 1
        bar = stack.enter_context(tqdm(total=smoke.load.calls, unit="call", disable=None if several else True))
        outcome = run(Connections(smoke.target), smoke.question, smoke.load, bar.update)
    saved = [] if smoke.album is None or outcome.first is None else saved_in(smoke.album, smoke, outcome.first)
    return Report(smoke, outcome, saved)


def saved_in(album: Album, smoke: Smoke, answer: Answer) -> list[Path]:
    """Save the pictures of an answer, and return their files."""
    names = _names(smoke, answer.pictures)
    return [album.save(name, picture.data) for name, picture in zip(names, answer.pictures, strict=True)]


def _names(smoke: Smoke, pictures: Sequence[Picture]) -> Sequence[str]:
    """Return the caller's own names where each picture that came back is one of those it sent, else the server's."""
    if len(smoke.names) == len(pictures):
        return smoke.names
    return [picture.name for picture in pictures]


def _by_code(failures: Sequence[Failure]) -> list[tuple[Failure, int]]:
    """Return the first failure of each code, and how many there were, the most frequent first."""
    counts = Counter((failure.code, failure.status) for failure in failures)
    first = {(failure.code, failure.status): failure for failure in reversed(failures)}
    return [(first[kind], count) for kind, count in counts.most_common()]


def _face_line(face: Any) -> str:  # noqa: ANN401  # whatever the server says of it
    told = {name: value for name, value in face.items() if name not in {"landmarks", "stages_ms"} and value is not None}
    return "  ".join(f"{_plain(name)} {_plain(value)}" for name, value in told.items())


def _plain(value: object) -> str:
    """Return a value on one line that cannot speak to the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))
