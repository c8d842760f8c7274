"""Work that nobody waits for any more (deadline passed, client gone) ends before its next stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from tests.serving.pictures import flat
from tests.serving.provocations import connected
from tests.serving.puppet import Arrival, Puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest, grpc_answer

RED, GREEN, BLUE = (200, 10, 10), (10, 200, 10), (10, 10, 200)


def swap(colour: tuple[int, int, int], **headers: str) -> Ask:
    """A swap of three stages, told from others by its colour."""
    return Ask(
        image=flat(colour),
        destinations=[flat(colour)],
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def stages_of(server: Puppet, began: int, colour: tuple[int, int, int]) -> list[str]:
    """Which stages ran on pictures of a colour."""
    return [stage for stage, seen in server.stages.ran[began:] if seen == colour]


@contextmanager
def worker_held(server: Puppet) -> Iterator[Arrival]:
    """Keep the only worker busy with somebody else's request."""
    with connected(server) as connection:
        server.stages.hold("detect")
        connection.send(swap(GREEN).rest())
        stage = server.stages.arrival()
        yield stage
        stage.go()
        assert connection.answer().status == 200


@contextmanager
def worker_free_afterwards(server: Puppet) -> Iterator[int]:
    """Whatever happens in the block, the next request is served; gives how many stages have run so far."""
    yield len(server.stages.ran)
    with connected(server) as connection:
        assert connection.ask(swap(BLUE).rest()).status == 200


def test_a_deadline_that_passes_in_the_queue_is_told_and_nothing_runs(shared_puppet: Puppet) -> None:
    channel = GrpcConnection(shared_puppet.grpc_port)
    with worker_free_afterwards(shared_puppet) as began:
        with worker_held(shared_puppet), connected(shared_puppet) as connection:
            rest = connection.ask(swap(RED, x_request_timeout="0.1").rest())
            called = channel.ask(swap(RED).grpc(), metadata={"x-request-timeout": "0.1"})

        assert (rest.status, rest.json["code"]) == (504, "deadline_exceeded")
        assert (called.code, called.trailers["error-code"]) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "deadline_exceeded",
        )
    assert stages_of(shared_puppet, began, RED) == []
    channel.close()


def test_a_deadline_that_passes_in_a_stage_is_told_at_once_and_no_further_stage_runs(shared_puppet: Puppet) -> None:
    with worker_free_afterwards(shared_puppet) as began, connected(shared_puppet) as connection:
        shared_puppet.stages.hold("detect")
        connection.send(swap(RED, x_request_timeout="1").rest())
        stage = shared_puppet.stages.arrival()

        answer = connection.answer()  # comes while the stage is still held
        stage.go()

        assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")
        assert answer.json["details"] == {"timeout_seconds": 1.0}
    assert stages_of(shared_puppet, began, RED) == ["detect"]


def test_a_worker_whose_client_gave_up_takes_nobody_before_its_stage_ends(shared_puppet: Puppet) -> None:
    with worker_free_afterwards(shared_puppet) as began, connected(shared_puppet) as connection:
        shared_puppet.stages.hold("detect")
        connection.send(swap(RED, x_request_timeout="0.5").rest())
        stage = shared_puppet.stages.arrival()
        connection.answer()

        waiting = connection.ask(swap(GREEN, x_request_timeout="0.2").rest())
        stage.go()

        assert waiting.status == 504
    assert stages_of(shared_puppet, began, GREEN) == []


def test_a_body_that_does_not_come_in_time_gives_its_place_back(shared_puppet: Puppet) -> None:
    with worker_free_afterwards(shared_puppet), connected(shared_puppet) as connection:
        request = RestRequest("POST", "/v1/models/faceswap:predict", headers={"x-request-timeout": "0.2"})
        connection.send_head(request, 1000)

        answer = connection.answer()

    assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")


def test_a_deadline_of_grpc_itself_ends_the_work(shared_puppet: Puppet) -> None:
    channel = GrpcConnection(shared_puppet.grpc_port)
    with worker_free_afterwards(shared_puppet) as began:
        shared_puppet.stages.hold("detect")
        call = channel.start(swap(RED).grpc(), metadata={"x-request-id": "own-deadline"}, timeout=1.0)
        stage = shared_puppet.stages.arrival()

        answer = grpc_answer(call)
        shared_puppet.wait_for_line("own-deadline predictor.access: gRPC ModelInfer")
        stage.go()

        assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stages_of(shared_puppet, began, RED) == ["detect"]
    channel.close()


def test_a_cancelled_grpc_call_ends_the_work(shared_puppet: Puppet) -> None:
    channel = GrpcConnection(shared_puppet.grpc_port)
    with worker_free_afterwards(shared_puppet) as began:
        shared_puppet.stages.hold("detect")
        call = channel.start(swap(RED).grpc(), metadata={"x-request-id": "cancelled-call"})
        stage = shared_puppet.stages.arrival()

        call.cancel()
        shared_puppet.wait_for_line("cancelled-call predictor.access: gRPC ModelInfer - ")
        stage.go()
    assert stages_of(shared_puppet, began, RED) == ["detect"]
    channel.close()


def test_a_rest_client_that_hangs_up_ends_the_work(shared_puppet: Puppet) -> None:
    with worker_free_afterwards(shared_puppet) as began, connected(shared_puppet) as connection:
        shared_puppet.stages.hold("detect")
        connection.send(swap(RED).rest())
        stage = shared_puppet.stages.arrival()

        connection.close()
        _let_the_server_notice(shared_puppet)
        stage.go()
    assert stages_of(shared_puppet, began, RED) == ["detect"]


def test_a_rest_client_that_hangs_up_in_the_queue_is_never_worked_for(shared_puppet: Puppet) -> None:
    with (
        worker_free_afterwards(shared_puppet) as began,
        worker_held(shared_puppet),
        connected(shared_puppet) as connection,
    ):
        connection.send(swap(RED).rest())
        _let_the_server_notice(shared_puppet)
        connection.close()
        _let_the_server_notice(shared_puppet)
    assert stages_of(shared_puppet, began, RED) == []


def test_a_rest_client_that_hangs_up_in_the_queue_leaves_its_place_to_the_next(shared_puppet: Puppet) -> None:
    with connected(shared_puppet) as next_one:
        with worker_held(shared_puppet):
            with connected(shared_puppet) as connection:
                connection.send(swap(RED).rest())
                _let_the_server_notice(shared_puppet)
            _let_the_server_notice(shared_puppet)
            next_one.send(swap(GREEN).rest())
            _let_the_server_notice(shared_puppet)

        assert next_one.answer().status == 200


def _let_the_server_notice(server: Puppet) -> None:
    """Let its event loop go round a few times: what was on a socket before has been read after."""
    with connected(server) as connection:
        for _ in range(5):
            connection.ask(RestRequest("GET", "/v2/health/live"))
