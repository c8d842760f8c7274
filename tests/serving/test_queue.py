"""Who is let in, who waits and who is sent away: one worker, room for one more in the queue."""

from __future__ import annotations

from pathlib import Path

import grpc

from tests.serving.pictures import flat
from tests.serving.provocations import connected, full
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest

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
