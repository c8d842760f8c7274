"""Runs in a pod: calls steadily, in as many ways as are named, until stdin ends; prints what came of it as JSON."""

from __future__ import annotations

import argparse
import io
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict

from PIL import Image

from predictor.client.connections import Connections, Target
from predictor.client.failures import CallFailed
from predictor.client.questions import Question
from predictor.client.samples import ASTRONAUT

_SIDE = 192
_TIMEOUT_SECONDS = 60
_PATIENCE_SECONDS = 30
# What a caller says where no connection was made: nothing was sent, so it may be tried again.
_NOTHING_SENT = ("unreachable", "connections to all backends failing", "failed to connect to all addresses")


def small_portrait() -> bytes:
    """Return a picture that takes little work."""
    buffer = io.BytesIO()
    Image.open(ASTRONAUT.path()).convert("RGB").resize((_SIDE, _SIDE)).save(buffer, "JPEG")
    return buffer.getvalue()


class Callers:
    """Threads that call, each in its own way."""

    def __init__(self, pause: float, *, patient: bool) -> None:
        self._pause = pause
        self._patience = _PATIENCE_SECONDS if patient else 0
        portrait = small_portrait()
        self._question = Question("swap", "faceswap", portrait, [portrait])
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.calls: Counter[str] = Counter()
        self.failures: list[dict[str, object]] = []

    def start(self, caller: str) -> None:
        """Begin with one: PROTOCOL-LIFE=ADDRESS."""
        kind, _, address = caller.partition("=")
        protocol, _, life = kind.partition("-")
        target = Target(address, "grpc" if protocol == "grpc" else "v1", _TIMEOUT_SECONDS, kept=life == "kept")
        self._threads.append(threading.Thread(target=self._call_on, args=(kind, Connections(target))))

    def run(self) -> None:
        """Call until stdin ends."""
        for thread in self._threads:
            thread.start()
        print("calling", flush=True)
        sys.stdin.read()
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _call_on(self, kind: str, connections: Connections) -> None:
        connection = connections.open()
        while not self._stopping.is_set():
            began = time.time()
            self.calls[kind] += 1
            try:
                while True:
                    try:
                        connection.ask(self._question)
                        break
                    except CallFailed as error:
                        if not self._may_try_again(error, began):
                            raise
                        time.sleep(0.2)
            except CallFailed as error:
                ended = time.time()
                self.failures.append({"kind": kind, "began": began, "ended": ended, **asdict(error.failure)})
            self._stopping.wait(self._pause)

    def _may_try_again(self, error: CallFailed, began: float) -> bool:
        said = f"{error.failure.code} {error.failure.sentence}".lower()
        return time.time() - began < self._patience and any(words in said for words in _NOTHING_SENT)


parser = argparse.ArgumentParser()
parser.add_argument("callers", nargs="+")
parser.add_argument("--pause", type=float)
parser.add_argument("--patient", action="store_true")
options = parser.parse_args()
callers = Callers(options.pause, patient=options.patient)
for each in options.callers:
    callers.start(each)
callers.run()
print(json.dumps({"calls": callers.calls, "failures": callers.failures}))
