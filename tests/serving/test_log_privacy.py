"""No picture and nothing of one is ever in a log: level debug, every protocol, every way to fail."""

from __future__ import annotations

import base64
import io
import itertools
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from tests.serving.pictures import flat
from tests.serving.provocations import connected
from tests.serving.puppet import PATIENCE_SECONDS, Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest, grpc_answer

WORDS = "Recognisable-Somebody-In-A-Picture"


@pytest.fixture(scope="module", params=["json", "text"])
def chatty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    settings = {"LOG_LEVEL": "debug", "LOG_FORMAT": request.param, "LIMIT_REQUEST_BYTES": str(4 * 1024 * 1024)}
    with puppet(tmp_path_factory.mktemp("chatty"), settings) as running:
        yield running


def pictures(rng: np.random.Generator) -> dict[str, bytes]:
    """Noise, so that no run of bytes is there by chance, with words in its tags as a camera writes them."""
    noise = PillowImage.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    text, exif = PngInfo(), PillowImage.Exif()
    text.add_text("Comment", WORDS)
    exif[0x013B] = WORDS  # Artist

    def saved(kind: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        noise.save(buffer, kind, **options)
        return buffer.getvalue()

    return {
        "png": saved("png", pnginfo=text),
        "jpeg": saved("jpeg", exif=exif, comment=WORDS.encode()),
        "tiff": saved("tiff", exif=exif),
        "webp": saved("webp", exif=exif),
    }


def ask(server: Puppet, channel: GrpcConnection, ask: Ask) -> None:
    with connected(server) as connection:
        connection.ask(ask.rest())
    channel.ask(ask.grpc())


def test_no_line_has_a_byte_of_a_picture(chatty: Puppet, rng: np.random.Generator) -> None:
    sent = pictures(rng)
    channel = GrpcConnection(chatty.grpc_port)
    for data in sent.values():
        images = data, data[: len(data) // 2], WORDS.encode() + data
        choices: list[dict[str, Any]] = [{}, {"upscale": 3}, {"x": WORDS}]
        for image, options in itertools.product(images, choices):
            ask(chatty, channel, Ask(image=image, destinations=[data], options=options))
        ask(chatty, channel, Ask("faceswap-detect", data * 200))  # too large
        post(chatty, {"image": base64.b64encode(data).decode() + "*"})
        post(chatty, {"image": [1, base64.b64encode(data).decode()]})
        post(chatty, {base64.b64encode(data).decode(): 1})
        post(chatty, base64.b64encode(data).decode())
        with connected(chatty) as connection:
            connection.ask(RestRequest("POST", "/v1/models/faceswap:predict", data))
            connection.ask(RestRequest("POST", "/v2/models/faceswap/infer", data))
            connection.ask(
                RestRequest("POST", f"/v1/models/{base64.urlsafe_b64encode(data[:300]).decode()}:predict", b"{}")
            )
        breaking(chatty, channel, data)
    channel.close()

    lines = chatty.log.read_text(errors="replace").splitlines()
    log = "\n".join(decoded(line) for line in lines)

    assert log.count("POST /v1/models/faceswap:predict 200") >= len(sent)
    assert "Traceback" in log or "traceback" in log
    assert WORDS not in log
    assert WORDS.encode().hex() not in log
    for data in sent.values():
        assert found(data, log) == []


def post(server: Puppet, body: Mapping[str, object] | str) -> None:
    with connected(server) as connection:
        answer = connection.ask(RestRequest("POST", "/v1/models/faceswap-detect:predict", json.dumps(body).encode()))
        assert answer.status >= 400


def breaking(server: Puppet, channel: GrpcConnection, data: bytes) -> None:
    """Let a stage fail with words that hold the picture in every form a library could choose."""
    words = f"cannot take {data!r} or {base64.b64encode(data).decode()} or {data.hex()}, {list(map(float, data))}"
    server.stages.hold("detect", 2)
    with connected(server) as connection:
        connection.send(Ask("faceswap-detect", data).rest())
        server.stages.arrival().go(words)
        assert connection.answer().status == 500
    call = channel.start(Ask("faceswap-detect", data).grpc())
    server.stages.arrival().go(words)
    assert "internal" in grpc_answer(call).trailers["error-code"]


def decoded(line: str) -> str:
    """A line as a person reads it: JSON would hide a backslash behind another."""
    return "\n".join(map(str, json.loads(line).values())) if line.startswith("{") else line


def found(data: bytes, log: str) -> list[str]:
    """Every form in which a few bytes of the middle of a picture stand in a log; its header is like any other's."""
    seen = []
    for start in range(60, len(data) - 60, 30):
        few = data[start : start + 30]
        forms = [repr(few)[2:-1], few.hex(), few.decode("latin-1")]
        forms += [base64.b64encode(data[shift:])[start : start + 30].decode() for shift in range(3)]
        forms += [", ".join(map(str, map(float, few[:10])))]
        seen += [form for form in forms if len(form) >= 20 and form in log]
    return seen


def test_every_line_is_of_one_form_whoever_writes_it(tmp_path: Path) -> None:
    with puppet(tmp_path, {"LOG_FORMAT": "json"}) as server:
        for port in (server.http_port, server.grpc_port):
            for bytes_of_nobody in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", b"\xff" * 9000):
                with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
                    connection.sendall(bytes_of_nobody)
        channel = GrpcConnection(server.grpc_port)
        ask(server, channel, Ask("faceswap-detect", flat()))
        channel.close()
        server.terminate()
        assert server.exit_code() == 0

    lines = server.log.read_text().splitlines()

    loggers = {json.loads(line)["logger"] for line in lines}
    assert {"predictor.access", "predictor.serving.server", "uvicorn.error"} <= loggers
