"""The process that asks for health, at a steady pace, as a kubelet does: each time on a new connection.

It asks the server's two questions, and a process that only answers (`tests.load.echo`): what the machine, busy as it
is, and the prober itself add is what that takes. A probe that begins late because the one before was slow counts from
when it was due: who asked at that moment would have waited as long.
"""

from __future__ import annotations

import pickle
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import BinaryIO

from tests.load.probes import Probed, Probing, Target

_PATIENCE_SECONDS = 10.0


def probe(target: Target) -> str:
    """Ask once; return the status, or what happened instead."""
    request = f"GET {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", target.port), _PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
    except OSError as error:
        return type(error).__name__
    return answer.partition(b" ")[2][:3].decode("ascii", "replace")


def run(probing: Probing, commands: BinaryIO) -> Probed:
    """Probe until a command arrives, or nobody is there any more to send one."""
    probed = Probed({target.name: [] for target in probing.targets})
    stopping = threading.Event()
    threads = [threading.Thread(target=_ask_on, args=(one, probing, stopping, probed)) for one in probing.targets]
    for thread in threads:
        thread.start()
    with suppress(EOFError):
        pickle.load(commands)  # noqa: S301  # from the process that started this one
    stopping.set()
    for thread in threads:
        thread.join()
    return probed


def _ask_on(target: Target, probing: Probing, stopping: threading.Event, probed: Probed) -> None:
    """Ask one target at its pace, at least once."""
    due = time.monotonic() + probing.every_seconds * (probing.targets.index(target) + 1) / len(probing.targets)
    while not stopping.wait(max(0.0, due - time.monotonic())) or not probed.seconds[target.name]:
        status = probe(target)
        probed.seconds[target.name].append(time.monotonic() - due)
        if status != "200":
            probed.failed.append(f"{target.name}: {status}")
        due += probing.every_seconds


def main(commands: BinaryIO, answers: BinaryIO) -> None:
    """Probe as told, from one command to the next, until there are no more."""
    while True:
        try:
            probing = pickle.load(commands)  # noqa: S301  # from the process that started this one
        except EOFError:
            return
        probed = run(probing, commands)
        pickle.dump(probed, answers)
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
