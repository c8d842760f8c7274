"""`python -m predictor`."""

import signal
import sys
from types import FrameType

from predictor.cli import main


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # The first process of a container does not get a signal that it does not handle, and the server handles its own
    # only after seconds of imports: a pod deleted before that would stay until it is killed.
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
