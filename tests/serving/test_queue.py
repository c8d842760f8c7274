"""Who is let in, who waits and who is sent away: one worker, room for one more in the queue."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import grpc

from tests.serving.pictures import flat
from tests.serving.provocations import connected, full
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest

DETECT = Ask("faceswap-detect", flat())
PREDICT, INFER = "/v1/models/faceswap-detect:predict", "/v2/models/faceswap-detect/infer"


def test_a_full_queue_refuses_before_the_body_is_parsed(shared_puppet: Puppet) -> None:
    with full(shared_puppet), connected(shared_puppet) as connection:
        answers = [connection.ask(RestRequest("POST", path, b"{no JSON")) for path in (PREDICT, INFER)]

    for answer in answers:
        assert (answer.status, answer.json["code"]) == (429, "overloaded")
        assert int(answer.headers["retry-after"]) == answer.json["details"]["retry_after_seconds"] >= 1


def test_a_full_queue_refuses_before_the_body_has_come(shared_puppet: Puppet) -> None:
    with full(shared_puppet), connected(shared_puppet) as connection:
        connection.send_head(RestRequest("POST", PREDICT), 1000)

        assert connection.answer().status == 429


def test_a_full_queue_refuses_on_grpc(shared_puppet: Puppet) -> None:
    channel = GrpcConnection(shared_puppet.grpc_port)

    with full(shared_puppet):
        answer = channel.ask(DETECT.grpc())

    assert (answer.code, answer.trailers["error-code"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded")
    channel.close()


def test_state_is_told_and_metadata_read_while_the_queue_is_full(shared_puppet: Puppet) -> None:
    with full(shared_puppet), connected(shared_puppet) as connection:
        paths = ("/v2/health/ready", "/v2/models/faceswap", "/v2/models/faceswap/ready", "/metrics")

        assert [connection.ask(RestRequest("GET", path)).status for path in paths] == [200] * 4


def test_nobody_waits_in_the_queue_for_longer_than_the_settings_say(tmp_path: Path) -> None:
    with puppet(tmp_path, {"QUEUE_SECONDS": "0.2"}) as server, connected(server) as first, connected(server) as second:
        server.stages.hold("detect")
        first.send(DETECT.rest())
        stage = server.stages.arrival()

        waited = second.ask(DETECT.rest())
        stage.go()

        assert (waited.status, waited.json["code"]) == (429, "overloaded")
        assert int(waited.headers["retry-after"]) >= 1
        assert first.answer().status == 200
        assert second.ask(DETECT.rest()).status == 200


# ── whose turn it is ──────────────────────────────────────────────────────────────────────────────────────────────────

SLOW, QUICK, ANOTHER, BUSY = (90, 0, 0), (0, 90, 0), (0, 0, 90), (90, 90, 0)


def test_quick_requests_pass_a_slow_one_that_came_before_them_and_the_slow_one_is_served(tmp_path: Path) -> None:
    with puppet(tmp_path, {"WORKERS": "1", "QUEUE_LENGTH": "8"}) as server, ExitStack() as stack:
        busy, slow, quick, another = (stack.enter_context(connected(server)) for _ in range(4))
        _take_long(server, busy)
        server.stages.hold("detect")
        busy.send(Ask("faceswap-detect", flat(BUSY)).rest())
        worker = server.stages.arrival()
        began = len(server.stages.ran)
        for connection, ask in (
            (slow, Ask("faceswap-enhance", flat(SLOW))),
            (quick, Ask("faceswap-detect", flat(QUICK))),
            (another, Ask("faceswap-detect", flat(ANOTHER))),
        ):
            connection.send(ask.rest())
            _let_it_queue(server)

        worker.go()

        assert [connection.answer().status for connection in (busy, slow, quick, another)] == [200] * 4
        detected = [colour for stage, colour in server.stages.ran[began:] if stage == "detect"]
        assert detected == [QUICK, ANOTHER, SLOW]


def _take_long(server: Puppet, connection: RestConnection) -> None:
    """Let the server learn that enhancing takes seconds and detecting does not."""
    assert connection.ask(Ask("faceswap-detect", flat()).rest()).status == 200
    server.stages.hold("detect")
    connection.send(Ask("faceswap-enhance", flat()).rest())
    stage = server.stages.arrival()
    time.sleep(2)  # that much longer, times the allowance, may lie between the requests below
    stage.go()
    assert connection.answer().status == 200


def _let_it_queue(server: Puppet) -> None:
    """Let the server's event loop go round: what was on a socket before has been read after."""
    with connected(server) as connection:
        for _ in range(3):
            connection.ask(RestRequest("GET", "/v2/health/live"))
