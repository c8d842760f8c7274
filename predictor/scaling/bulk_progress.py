"""How far a run is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from predictor.errors import PredictorError
from predictor.scaling.bulk_listing import listed

if TYPE_CHECKING:
    from typing import TextIO

    from predictor.scaling.bulk_places import Place
    from predictor.scaling.bulk_worker import State

_LINE_SECONDS = 10.0
_SILENCE_SECONDS = 30.0


class Progress:
    """Counts what is finished against what there is, which is counted meanwhile.

    Args:
        stream: Where it is told; stderr if not given.
        line_seconds: How often a line is written where the stream is no terminal.
        silence_seconds: After how long without the first picture it is told what the run waits for.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        line_seconds: float = _LINE_SECONDS,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._stream = stream or sys.stderr
        self._bar = tqdm(unit="picture", file=self._stream, disable=not self._stream.isatty())
        self._line_seconds = line_seconds
        self._told = time.monotonic()
        self._first: float | None = None  # when the first one was done: before that, models were loaded
        self._finished = self._worked = self._aside = self._found = 0
        self._all_found = False
        self._silence_seconds = silence_seconds
        self._silence: threading.Timer | None = None

    def wait(self, needs: str) -> None:
        """Tell, where nothing is finished for long, that models are loaded or there may be no room for a worker.

        Args:
            needs: What a node must have free for one.
        """
        sentence = f"nothing is finished yet: workers load their models, or wait for a node with {needs} free"
        self._silence = threading.Timer(self._silence_seconds, lambda: self._bar.write(sentence, file=self._stream))
        self._silence.daemon = True
        self._silence.start()

    def count(self, place: Place) -> None:
        """Count in the background how many pictures a place has."""
        threading.Thread(target=self._count, args=(place,), daemon=True).start()

    def add(self, state: State) -> None:
        """Say that one more is finished."""
        self._end_waiting()
        self._finished += 1
        self._worked += state == "done"
        self._aside += state == "set_aside"
        self._bar.total = self._found if self._all_found else None
        self._bar.set_postfix_str(f"{self._aside} set aside" if self._aside else "", refresh=False)
        self._bar.update()
        now = time.monotonic()
        if state == "done" and self._first is None:
            self._first = now
        if self._bar.disable and now - self._told >= self._line_seconds:
            self._told = now
            print(self.line(now), file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._end_waiting()
        self._bar.close()

    def _end_waiting(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def line(self, now: float) -> str:
        """Return where the run is.

        Args:
            now: By the monotonic clock.
        """
        total = f"{self._found:,}{'' if self._all_found else ' or more'}"
        parts = [f"{self._finished:,} of {total} pictures, {self._aside:,} set aside"]
        if self._first is not None and self._worked > 1 and now > self._first:
            rate = (self._worked - 1) / (now - self._first)
            parts.append(f"{rate:.2f} a second")
            if self._all_found:
                parts.append(f"about {max(0, self._found - self._finished) / rate:,.0f} s left")
        return ", ".join(parts)

    def _count(self, place: Place) -> None:
        try:
            for _ in listed(place):
                self._found += 1
        except PredictorError:
            return  # the run itself tells what is wrong with the place
        self._all_found = True
