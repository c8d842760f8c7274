"""HTTP/2's frames in a stream of bytes: where they end, and the one that asks a client to connect anew.

Source: RFC 9113, sections 4.1 (frames), 6.2 and 6.10 (headers that go on), 6.8 (GOAWAY).
"""

from __future__ import annotations

_HEAD_BYTES = 9
_HEADERS, _PUSH_PROMISE, _CONTINUATION = 1, 5, 9
_END_HEADERS = 0x4
GOAWAY = bytes([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
"""Without an error, and with the largest stream there can be: what was asked is answered, new calls go elsewhere."""


class Frames:
    """Follows what a server sends from its first byte on."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._goes_on = False
        self.between = False
        """Whether a frame may be put in now: one has ended, and none that goes on in the next."""

    def follow(self, part: bytes) -> int | None:
        """Follow the next bytes.

        Returns:
            After how many of them a frame may be put in, the last such place; None if nowhere.
        """
        place, last = 0, None
        while place < len(part):
            if not self._left:
                taken = part[place : place + _HEAD_BYTES - len(self._head)]
                self._head += taken
                place += len(taken)
                if len(self._head) < _HEAD_BYTES:
                    break
                self._left = int.from_bytes(self._head[:3])
                self._goes_on = self._head[3] in (_HEADERS, _PUSH_PROMISE, _CONTINUATION) and not (
                    self._head[4] & _END_HEADERS
                )
            step = min(self._left, len(part) - place)
            self._left -= step
            place += step
            if not self._left:
                self._head = b""
                last = last if self._goes_on else place
        self.between = not self._left and not self._head and not self._goes_on
        return last
