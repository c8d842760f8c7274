"""KServe's traps, each closed: what the server does while a stage or the loader is held, in order, not in time."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.pictures import flat
from tests.serving.provocations import TROUBLE, connected, wait_until_full
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcAnswer, GrpcConnection, RestConnection, RestRequest

DETECT = Ask("faceswap-detect", flat())
RED, GREEN = (200, 10, 10), (10, 200, 10)
STATE_PATHS = ("/v2/health/live", "/v2/health/ready", "/v2/models/faceswap/ready", "/v1/models/faceswap", "/metrics")


def test_t1_health_is_answered_while_a_stage_runs(shared_puppet: Puppet) -> None:
    shared_puppet.stages.hold("detect")

    with connected(shared_puppet) as working, connected(shared_puppet) as probing:
        working.send(DETECT.rest())
        stage = shared_puppet.stages.arrival()
        statuses = [probing.ask(RestRequest("GET", path)).status for path in STATE_PATHS]
        ready = _grpc(shared_puppet, pb.ServerReadyRequest(), "ServerReady")
        stage.go()

        assert statuses == [200] * len(STATE_PATHS)
        assert ready.response.ready
        assert working.answer().status == 200


def test_t2_an_unforeseen_exception_keeps_id_and_connection_and_tells_nothing(shared_puppet: Puppet) -> None:
    swap = Ask(image=flat(), destinations=[flat()], headers={"x-request-id": "t2"}).rest()
    logged = len(shared_puppet.log.read_text())
    shared_puppet.stages.hold("swap")

    with connected(shared_puppet) as connection:
        connection.send(swap)
        shared_puppet.stages.arrival().go(TROUBLE)
        broken = connection.answer()
        following = connection.ask(swap)

    assert (broken.status, broken.json["code"], broken.json["details"]) == (500, "internal", {})
    assert broken.headers["x-request-id"] == "t2"
    assert b"cv2" not in broken.body
    assert b"swapper.onnx" not in broken.body
    assert following.status == 200
    log = shared_puppet.log.read_text()[logged:]
    assert log.count(f"RuntimeError: {TROUBLE}") == 1
    assert re.search(r"ERROR +t2 .*failed", log)


def test_t4_and_t7_nothing_is_ready_and_health_is_answered_while_the_loader_runs(tmp_path: Path) -> None:
    with puppet(tmp_path, held="load") as loading, connected(loading) as rest:
        loader = loading.stages.arrival()
        channel = GrpcConnection(loading.grpc_port)

        assert rest.ask(RestRequest("GET", "/v2/health/live")).status == 200
        assert _ready(rest) == [503, 503, 503]
        assert rest.ask(DETECT.rest()).json["code"] == "not_ready"
        asked = channel.ask(DETECT.grpc())
        assert (asked.code, asked.trailers["error-code"]) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
        told = channel.ask(pb.ModelReadyRequest(name="faceswap"), "ModelReady")
        assert (told.code, told.response.ready) == (grpc.StatusCode.OK, False)
        assert not channel.ask(pb.ServerReadyRequest(), "ServerReady").response.ready
        assert [stage for stage, _ in loading.stages.ran] == ["load"]

        loader.go()
        loading.wait_until_ready()

        assert _ready(rest) == [200, 200, 200]
        assert channel.ask(pb.ModelReadyRequest(name="faceswap"), "ModelReady").response.ready
        assert rest.ask(DETECT.rest()).status == 200
        assert channel.ask(DETECT.grpc()).code is grpc.StatusCode.OK
        channel.close()


def test_t5_nobody_loads_or_unloads_over_the_network(shared_puppet: Puppet) -> None:
    channel = GrpcConnection(shared_puppet.grpc_port)

    with connected(shared_puppet) as rest:
        refused = [
            rest.ask(RestRequest("POST", f"/v2/repository/models/{name}/{what}")).json["code"]
            for name in ("faceswap", "nobody")
            for what in ("load", "unload")
        ]
        unload = channel.ask(pb.RepositoryModelUnloadRequest(model_name="faceswap"), "RepositoryModelUnload")
        load = channel.ask(pb.RepositoryModelLoadRequest(model_name="faceswap"), "RepositoryModelLoad")

        assert refused == ["refused"] * 4
        assert (unload.code, load.code) == (grpc.StatusCode.PERMISSION_DENIED,) * 2
        assert (unload.trailers["error-code"], load.trailers["error-code"]) == ("refused", "refused")
        assert rest.ask(Ask(image=flat(), destinations=[flat()]).rest()).status == 200
        assert channel.ask(DETECT.grpc()).code is grpc.StatusCode.OK
    channel.close()


def test_t6_grpc_says_unavailable_and_why_where_kserve_says_unknown(tmp_path: Path) -> None:
    with puppet(tmp_path, held="load") as loading:
        answer = _grpc(loading, DETECT.grpc(), "ModelInfer")

    assert answer.code is grpc.StatusCode.UNAVAILABLE
    assert answer.trailers["error-code"] == "not_ready"
    assert "attribute" not in answer.message


def test_t8_as_many_requests_run_at_a_time_as_there_are_workers(tmp_path: Path) -> None:
    with puppet(tmp_path, {"WORKERS": "2"}) as two, connected(two) as first, connected(two) as second:
        two.stages.hold("detect", 2)
        first.send(Ask("faceswap-detect", flat(RED)).rest())
        second.send(Ask("faceswap-detect", flat(GREEN)).rest())

        both = [two.stages.arrival(), two.stages.arrival()]

        assert {one.colour for one in both} == {RED, GREEN}
        for one in both:
            one.go()
        assert (first.answer().status, second.answer().status) == (200, 200)


def test_t8_one_worker_finishes_a_request_before_it_begins_the_next(shared_puppet: Puppet) -> None:
    began = len(shared_puppet.stages.ran)
    shared_puppet.stages.hold("detect")

    with connected(shared_puppet) as first, connected(shared_puppet) as second:
        first.send(_swap(RED))
        stage = shared_puppet.stages.arrival()
        second.send(_swap(GREEN))
        wait_until_full(shared_puppet)
        stage.go()

        assert (first.answer().status, second.answer().status) == (200, 200)
    ran = [(stage, colour) for stage, colour in shared_puppet.stages.ran[began:] if stage == "detect"]
    assert ran == [("detect", RED)] * 2 + [("detect", GREEN)] * 2


def test_t10_one_process_serves_three_models_with_one_pipeline(shared_puppet: Puppet) -> None:
    with connected(shared_puppet) as rest:
        asks = (Ask(image=flat(), destinations=[flat()]), Ask("faceswap-enhance", flat()), DETECT)
        statuses = [rest.ask(ask.rest()).status for ask in asks]

    assert statuses == [200, 200, 200]
    assert [stage for stage, _ in shared_puppet.stages.ran].count("load") == 1
    assert _children(shared_puppet.pid) == []


def _swap(colour: tuple[int, int, int]) -> RestRequest:
    return Ask(image=flat(colour), destinations=[flat(colour)]).rest()


def _ready(rest: RestConnection) -> list[int]:
    paths = ("/v2/health/ready", "/v2/models/faceswap/ready", "/v1/models/faceswap")
    return [rest.ask(RestRequest("GET", path)).status for path in paths]


def _grpc(server: Puppet, request: object, method: str) -> GrpcAnswer:
    channel = GrpcConnection(server.grpc_port)
    try:
        return channel.ask(request, method)
    finally:
        channel.close()


def _children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
