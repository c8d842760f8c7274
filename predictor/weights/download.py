"""Gets the bytes behind one address into a partial file, and goes on where an earlier try stopped.

Whether they are the right bytes is for `pull` to say; here only lengths are watched.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import httpx

from predictor.errors import PullFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONTENT_RANGE = re.compile(r"^bytes (?:(?P<start>\d+)-\d+|\*)/(?P<total>\d+|\*)$")
_TRY_AGAIN_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
# So much between two breaks of a connection, and the source counts as working.
_PROGRESS_BYTES = 1024 * 1024


class Watcher(Protocol):
    """Who is told how a pull goes."""

    def said(self, line: str) -> None:
        """Take a line for a person."""

    def started(self, name: str, done: int, total: int | None) -> None:
        """Take that a file is being fetched, and how many of its bytes are here already."""

    def advanced(self, count: int) -> None:
        """Take that so many bytes more are here."""

    def ended(self) -> None:
        """Take that nothing more comes of this file for now."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is waited for.

    Attributes:
        connect_seconds: For a connection.
        stall_seconds: For the next bytes; over this time at least `least_bytes` must come.
        least_bytes: See above.
        tries: How often a source may fail in a row; one that sent a mebibyte in between starts anew.
        pause_seconds: Between tries, doubled each time.
        largest_unknown_bytes: Where nobody says how large a file is.
    """

    connect_seconds: float = 15.0
    stall_seconds: float = 30.0
    least_bytes: int = 16 * 1024
    tries: int = 3
    pause_seconds: float = 1.0
    largest_unknown_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched: the size and sha256 are those of the manifest, if it has them."""

    name: str
    size: int | None
    sha256: str | None


class SourceFailed(Exception):
    """An address did not give what is wanted; the text says why, for the end of a sentence."""


class _Interrupted(Exception):
    """It broke off, and going on may help."""


class Downloader:
    """Fetches files over HTTP; proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""

    def __init__(self, watcher: Watcher, patience: Patience) -> None:
        """Open nothing yet.

        Raises:
            PullFailed: A proxy variable holds what is no proxy.
        """
        self._watcher, self._patience = watcher, patience
        timeout = httpx.Timeout(patience.stall_seconds, connect=patience.connect_seconds)
        try:
            self._client = httpx.Client(timeout=timeout, follow_redirects=True)
        except (ValueError, ImportError, httpx.HTTPError, httpx.InvalidURL) as error:
            reason = "SOCKS proxies are not supported" if isinstance(error, ImportError) else "it is no proxy's address"
            raise PullFailed(f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {reason}") from error

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def fetch(self, url: str, partial: Path, wanted: Wanted) -> bool:
        """Bring the partial file to its full length.

        Returns:
            Whether bytes of an earlier run are part of it.

        Raises:
            SourceFailed: This address did not give the file; what came of it stays for the next.
            OSError: The file cannot be written.
        """
        resumed = _size(partial) > 0
        failures, pause = 0, self._patience.pause_seconds
        while True:
            before = _size(partial)
            try:
                self._attempt(url, partial, wanted)
            except _Interrupted as error:
                failures = 1 if _size(partial) - before >= _PROGRESS_BYTES else failures + 1
                if failures >= self._patience.tries:
                    raise SourceFailed(str(error)) from error
                time.sleep(pause * 2 ** (failures - 1))
            else:
                return resumed
            finally:
                self._watcher.ended()

    def _attempt(self, url: str, partial: Path, wanted: Wanted) -> None:
        done = _size(partial)
        if wanted.size is not None and done == wanted.size:
            return
        if wanted.size is not None and done > wanted.size:
            partial.unlink()
            done = 0
        headers = {"Accept-Encoding": "identity", **_range_from(done, url, partial, wanted)}
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                self._take(response, url, partial, wanted)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _as_ours(error, self._patience) from error

    def _take(self, response: httpx.Response, url: str, partial: Path, wanted: Wanted) -> None:
        if url.startswith("https:") and response.url.scheme != "https":
            raise SourceFailed("it redirects from https to http")
        start = self._start(response, partial)
        if start is None:
            return
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise SourceFailed("it sends the file compressed, though it was asked not to")
        total = _total(response, start)
        if wanted.size is not None and total is not None and total != wanted.size:
            raise SourceFailed(f"it offers {total:,} bytes, the manifest has {wanted.size:,}")
        if total is None and wanted.sha256 is None and "chunked" not in response.headers.get("Transfer-Encoding", ""):
            raise SourceFailed("it does not say how long the file is, so nobody would notice if it broke off")
        if start == 0:
            _remember_validator(response, url, partial)
        self._watcher.started(wanted.name, start, total or wanted.size)
        limit = wanted.size or total or self._patience.largest_unknown_bytes
        with partial.open("r+b" if partial.exists() else "wb") as file:
            file.truncate(start)
            file.seek(start)
            for piece in self._pieces(response):
                if file.tell() + len(piece) > limit:
                    raise SourceFailed(f"it sends more than {limit:,} bytes")
                file.write(piece)
                self._watcher.advanced(len(piece))
            if wanted.size is not None and file.tell() < wanted.size:
                raise _Interrupted(f"it ended after {file.tell():,} of {wanted.size:,} bytes")

    def _start(self, response: httpx.Response, partial: Path) -> int | None:
        """Return where in the file the answer's bytes begin; None if none are needed."""
        status = response.status_code
        if status == httpx.codes.OK:
            return 0
        start, total = _content_range(response)
        done = _size(partial)
        if status == httpx.codes.PARTIAL_CONTENT and start == done:
            return start
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and done > 0 and total == done:
            return None
        if status in {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE} and done > 0:
            partial.unlink()  # it does not go on where we stopped, so from the start
            raise _Interrupted(f"it cannot go on from byte {done:,}")
        if status in _TRY_AGAIN_LATER:
            raise _Interrupted(f"it answered {status} {response.reason_phrase}".rstrip())
        raise SourceFailed(f"it answered {status} {response.reason_phrase}".rstrip())

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield the body as it comes; a source that only drips counts as stalled."""
        stall_seconds, came, since = self._patience.stall_seconds, 0, time.monotonic()
        for piece in response.iter_raw():
            yield piece
            came += len(piece)
            if time.monotonic() - since > stall_seconds:
                if came < self._patience.least_bytes:
                    raise _Interrupted(f"it sent only {came:,} bytes in {stall_seconds:g} s")
                came, since = 0, time.monotonic()


def forget(partial: Path) -> None:
    """Delete a partial file and what is known of its source."""
    partial.unlink(missing_ok=True)
    _validator_file(partial).unlink(missing_ok=True)


def _range_from(done: int, url: str, partial: Path, wanted: Wanted) -> dict[str, str]:
    """Return the headers that ask for the rest of a file; none if it must come whole.

    The rest must be of the same file. The server says so if it gave a validator (RFC 9110, 13.1.5); otherwise the
    sha256 will tell, and without that the file comes whole.
    """
    if not done:
        return {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(_validator_file(partial).read_text("utf-8"))
        if known["url"] == url:
            return {"Range": f"bytes={done}-", "If-Range": str(known["validator"])}
    return {"Range": f"bytes={done}-"} if wanted.sha256 else {}


def _remember_validator(response: httpx.Response, url: str, partial: Path) -> None:
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    path = _validator_file(partial)
    path.unlink(missing_ok=True)
    if validator:
        path.write_text(json.dumps({"url": url, "validator": validator}), "utf-8")


def _validator_file(partial: Path) -> Path:
    return partial.with_name(f".{partial.name}.source")


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if not match:
        return None, None
    start, total = match["start"], match["total"]
    return int(start) if start else None, None if total == "*" else int(total)


def _total(response: httpx.Response, start: int) -> int | None:
    _, total = _content_range(response)
    length = response.headers.get("Content-Length", "")
    return total if total is not None else start + int(length) if length.isdigit() else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _as_ours(error: httpx.HTTPError | httpx.InvalidURL, patience: Patience) -> SourceFailed | _Interrupted:
    """Return what a foreign error means: the messages of httpx are made for programmers."""
    if isinstance(error, httpx.ConnectTimeout):
        return _Interrupted(f"no connection within {patience.connect_seconds:g} s")
    if isinstance(error, httpx.TimeoutException):
        return _Interrupted(f"nothing came for {patience.stall_seconds:g} s")
    if isinstance(error, httpx.ProxyError):
        return SourceFailed(f"the proxy refused: {error}")
    if isinstance(error, httpx.ConnectError):
        return _Interrupted(f"no connection: {error}")
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return _Interrupted("the connection broke off")
    return SourceFailed(str(error) or type(error).__name__)
