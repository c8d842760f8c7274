from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import ray

from predictor.client.server_process import free_ports
from predictor.errors import StartupError
from predictor.runtime.threads import available_threads
from predictor.scaling.cluster import cluster


class FakeRay:
    """Remembers how it was asked, and takes SIGTERM as Ray does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.shut_down = 0
        self.fails: list[Exception] = []
        monkeypatch.setattr(ray, "init", self._init)
        monkeypatch.setattr(ray, "shutdown", self._shutdown)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)

    def _init(self, address: str, **options: object) -> None:
        self.asked.append((address, options))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.fails:
            raise self.fails.pop()

    def _shutdown(self) -> None:
        self.shut_down += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    return FakeRay(monkeypatch)


def test_without_an_address_one_of_this_machine_is_started_and_stopped(fake: FakeRay) -> None:
    with cluster(96 << 20):
        assert fake.shut_down == 0

    ((address, options),) = fake.asked
    assert address == "local"
    assert (options["num_cpus"], options["object_store_memory"]) == (available_threads(), 96 << 20)
    assert options["include_dashboard"] is False
    assert fake.shut_down == 1


def test_a_cluster_is_left_whatever_happens_in_it(fake: FakeRay) -> None:
    with pytest.raises(KeyboardInterrupt), cluster(96 << 20):
        raise KeyboardInterrupt

    assert fake.shut_down == 1


def test_one_that_has_an_address_is_joined_as_it_is(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with cluster(96 << 20):
        pass

    ((address, options),) = fake.asked
    assert address == "auto"
    assert not {"num_cpus", "object_store_memory"} & set(options)


def test_nothing_is_told_to_anybody(fake: FakeRay) -> None:
    with cluster(96 << 20):
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"

    assert fake.asked


def test_sigterm_stays_whose_it_was(fake: FakeRay) -> None:
    before = signal.getsignal(signal.SIGTERM)

    with cluster(96 << 20):
        assert signal.getsignal(signal.SIGTERM) is before

    assert fake.asked


def test_where_nothing_listens_that_is_told_at_once(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")

    with pytest.raises(StartupError, match=rf"RAY_ADDRESS: the cluster at 127.0.0.1:{port} cannot be joined: "):
        cluster(96 << 20).__enter__()

    assert fake.asked == []


@pytest.mark.parametrize(
    "error", [ConnectionError("no\nmore"), RuntimeError("no"), ValueError("no"), TimeoutError("no")]
)
def test_what_ray_cannot_do_is_one_line(fake: FakeRay, error: Exception) -> None:
    fake.fails = [error, error]

    with pytest.raises(StartupError) as caught:
        cluster(96 << 20).__enter__()

    assert caught.value.sentence == "Ray cannot be started here: no"
    assert fake.shut_down == 2


def test_a_start_that_took_too_long_is_tried_once_more(fake: FakeRay) -> None:
    fake.fails = [RuntimeError("timed out")]

    with cluster(96 << 20):
        assert fake.shut_down == 1

    assert [address for address, _ in fake.asked] == ["local", "local"]
