from __future__ import annotations

import ctypes
import os
import signal
import threading

from predictor.scaling.signals import kept


def test_what_a_library_does_with_a_signal_in_any_thread_is_undone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    library = ctypes.CDLL(None)
    library.signal.restype = ctypes.c_void_p

    def changed() -> None:
        with kept(signal.SIGUSR2):
            library.signal(signal.SIGUSR2.value, ctypes.c_void_p(1))  # SIG_IGN, below Python's own handler

    thread = threading.Thread(target=changed)
    thread.start()
    thread.join()
    os.kill(os.getpid(), signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)

    assert heard == [signal.SIGUSR2]
