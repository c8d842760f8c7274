"""Remembers what networks are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from predictor.runtime.session import Session, Tensor


@dataclass
class Recording:
    """A session, and all it was given."""

    session: Session
    fed: list[dict[str, Tensor]] = field(default_factory=list)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        self.fed.append(dict(input_feed))
        return self.session.run(output_names, input_feed)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # all else is the session's own
        return getattr(self.session, name)
