"""Takes ports, and says in one way that one is taken."""

from __future__ import annotations

import socket

from predictor.errors import StartupError

_BACKLOG = 2048


class PortTaken(StartupError):
    """Somebody else listens on a port, or it may not be listened on."""

    def __init__(self, setting: str, port: int) -> None:
        super().__init__(f"{setting}: port {port} cannot be taken")


def listen(port: int, setting: str) -> socket.socket:
    """Return a socket that listens on a port of every address, IPv4 and IPv6.

    Connections taken from it send small parts at once. Else the last part of an answer waits for the client to
    acknowledge the one before, which takes a client on a kept connection 40 ms; asyncio would see to it only where a
    socket's protocol is named, and that of `create_server` is not.

    Args:
        port: 0 is any that is free.
        setting: What the operator calls it, for the error.

    Raises:
        PortTaken: It cannot be had.
    """
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listener = socket.create_server(("", port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise PortTaken(setting, port) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
