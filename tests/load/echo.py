"""The process that only answers: the least any HTTP server can take on this machine at this moment."""

from __future__ import annotations

import asyncio
import pickle
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()


async def main() -> None:
    """Listen on a free port of loopback, tell it, and answer until stdin ends."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    pickle.dump(server.sockets[0].getsockname()[1], sys.stdout.buffer)
    sys.stdout.buffer.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
