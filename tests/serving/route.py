"""What Kubernetes puts before a pod: new connections go where the route points now, those that stand stay."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Route:
    """Forwards TCP connections of a port of its own to a port that may be changed at any time."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target_port))
                both_done = _CountDown(2, near, far)
                for origin, end in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(origin, end, both_done), daemon=True).start()


class _CountDown:
    """Closes sockets when the last of their users is done."""

    def __init__(self, users: int, *sockets: socket.socket) -> None:
        self._users, self._sockets, self._lock = users, sockets, threading.Lock()

    def done(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for one in self._sockets:
                    one.close()


def _pump(origin: socket.socket, end: socket.socket, both_done: _CountDown) -> None:
    with suppress(OSError):
        while data := origin.recv(65536):
            end.sendall(data)
    with suppress(OSError):  # also after a reset: who is at the other end would wait for ever
        end.shutdown(socket.SHUT_WR)
    both_done.done()
