"""A server with the embedded recipe whose sessions run the real network and spoil what it gives."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from predictor import loader
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Network, Node, Session, Tensor
from predictor.serving.server import serve
from predictor.settings import read_settings

KINDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "not finite": lambda answer: np.full_like(answer, np.nan),
    "constant": np.zeros_like,
}


class SickSession:
    """A session whose every answer is spoiled."""

    def __init__(self, session: Session, spoil: Callable[[Tensor], Tensor]) -> None:
        self._session = session
        self._spoil = spoil

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        return [self._spoil(answer) for answer in self._session.run(output_names, input_feed)]

    def get_inputs(self) -> Sequence[Node]:
        return self._session.get_inputs()

    def get_outputs(self) -> Sequence[Node]:
        return self._session.get_outputs()


def main(kind: str) -> int:
    opener = session_opener()

    def open_session(network: Network) -> SickSession:
        return SickSession(opener(network), KINDS[kind])

    return serve(read_settings(), lambda settings: loader.load(settings, open_session))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
