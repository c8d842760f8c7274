"""A side of the bench that needs nothing."""

from __future__ import annotations

import os
import time


class Toy:
    def __init__(self, *, random: bool) -> None:
        self.facts = {"weights": "random" if random else "real", "told": os.environ.get("TOLD")}
        self.peak = lambda: 7.0
        self.tasks = {"work": self._work, "burn": self._burn, "die": lambda: os._exit(7)}

    def _work(self) -> None:
        print("packages print")  # noqa: T201  # as packages do
        time.sleep(0.05)

    def _burn(self) -> None:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass


def load(*, random: bool) -> Toy:
    print("so do they while loading")  # noqa: T201
    return Toy(random=random)
