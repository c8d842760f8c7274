"""A web server that offers files of weights, and misbehaves as it is told; and what the tests of weights share."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from predictor.weights.licences import Licences
from predictor.weights.manifest import Archive, Licence, Manifest, WeightFile
from predictor.weights.store import Store

Answer = Callable[["Request"], None]
_RANGE = re.compile(r"bytes=(\d+)-$")
FREE = Licence(id="mit", title="MIT", url="https://licences.test/mit", needs_acceptance=False)
STRICT = Licence(id="strict", title="research only", url="https://licences.test/strict", needs_acceptance=True)


class Request(BaseHTTPRequestHandler):
    """One request, answered by what stands on the shelf at its path."""

    protocol_version = "HTTP/1.1"
    server: Shelf

    def do_GET(self) -> None:
        path = self.path.removeprefix(self.server.address)  # a proxy is asked for the whole address
        self.server.asked.append((self.path, dict(self.headers)))
        answers = self.server.answers.get(path, [status(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def begin(self, code: int, headers: Mapping[str, object]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        pass


class Shelf(ThreadingHTTPServer):
    """The server; `put` says what it answers at a path, one answer after another, the last one for ever."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.done = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.address + path

    def headers_of_requests(self, name: str) -> list[str | None]:
        return [headers.get(name) for _, headers in self.asked]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many of these tests are about."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.shutdown()
        self.server_close()


# ── what it answers ───────────────────────────────────────────────────────────────────────────────────────────────────


def whole(data: bytes, **headers: str) -> Answer:
    """The file, or the part that is asked for, as a good server does it."""

    def answer(request: Request) -> None:
        match = _RANGE.match(request.headers.get("Range", ""))
        validator = request.headers.get("If-Range")
        if not match or (validator is not None and validator not in headers.values()):
            request.begin(200, {"Content-Length": len(data), **headers})
            request.wfile.write(data)
            return
        start = int(match[1])
        if start >= len(data):
            request.begin(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": 0})
            return
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        request.begin(206, {"Content-Length": len(data) - start, "Content-Range": span, **headers})
        request.wfile.write(data[start:])

    return answer


def knows_no_range(data: bytes) -> Answer:
    def answer(request: Request) -> None:
        request.begin(200, {"Content-Length": len(data)})
        request.wfile.write(data)

    return answer


def cut(data: bytes, after: int, claimed: int | None = None, **headers: str) -> Answer:
    """The first bytes of the file, or of the part that is asked for; then the connection breaks."""

    def answer(request: Request) -> None:
        match = _RANGE.match(request.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        length = (claimed or len(data)) - start
        span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if match else {}
        request.begin(206 if match else 200, {"Content-Length": length, **span, **headers})
        request.wfile.write(data[start : start + after])
        request.hang_up()

    return answer


def without_length(data: bytes) -> Answer:
    def answer(request: Request) -> None:
        request.begin(200, {"Connection": "close"})
        request.wfile.write(data)
        request.hang_up()

    return answer


def chunked(data: bytes) -> Answer:
    def answer(request: Request) -> None:
        request.begin(200, {"Transfer-Encoding": "chunked"})
        request.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    return answer


def stalls(data: bytes, after: int) -> Answer:
    """The first bytes, then nothing while the client waits."""

    def answer(request: Request) -> None:
        request.begin(200, {"Content-Length": len(data)})
        request.wfile.write(data[:after])
        request.wfile.flush()
        request.server.done.wait(20)
        request.hang_up()

    return answer


def drips(data: bytes, seconds: float, count: int = 1) -> Answer:
    """A few bytes at a time, each well before any time limit."""

    def answer(request: Request) -> None:
        request.begin(200, {"Content-Length": len(data)})
        for place in range(0, len(data), count):
            request.wfile.write(data[place : place + count])
            request.wfile.flush()
            if request.server.done.wait(seconds):
                break
        request.hang_up()

    return answer


def status(code: int, **headers: str) -> Answer:
    return lambda request: request.begin(code, {"Content-Length": 0, **headers})


def redirect(url: str) -> Answer:
    return status(302, Location=url)


# ── what a manifest says ──────────────────────────────────────────────────────────────────────────────────────────────


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def weights(name: str, data: bytes | None = None, url: str | None = None, **fields: object) -> WeightFile:
    """A file that allows everything, of these bytes, at this address."""
    known = {} if data is None else {"size": len(data), "sha256": sha256(data)}
    terms = {"architecture": "a net", "code_licence": "mit", "weights_licence": "mit", "commercial_use": "yes"}
    return WeightFile.model_validate({"name": name, "url": url, **terms, **known, **fields})


def manifest(*files: WeightFile, archives: Sequence[Archive] = ()) -> Manifest:
    return Manifest(
        licences={licence.id: licence for licence in (FREE, STRICT)},
        archives={archive.name: archive for archive in archives},
        files={file.name: file for file in files},
    )


def store(folders: Path | Sequence[Path], *files: WeightFile, accepted: Sequence[str] = ()) -> Store:
    places = [folders] if isinstance(folders, Path) else folders
    return Store(places, manifest(*files), Licences(frozenset(accepted)))


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.starts: list[tuple[str, int, int | None]] = []
        self.bytes = 0

    def said(self, line: str) -> None:
        self.lines.append(line)

    def started(self, name: str, done: int, total: int | None) -> None:
        self.starts.append((name, done, total))

    def advanced(self, count: int) -> None:
        self.bytes += count

    def ended(self) -> None:
        pass
