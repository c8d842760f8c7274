"""Threads are what the cgroup pays for."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from predictor.runtime.threads import available_threads, cpu_quota, step_behind, workers_for

if TYPE_CHECKING:
    from pathlib import Path


def _write(tree: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tree


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5, id="v2"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None, id="v2 no limit"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/pods/pod/container\n",
                "sys/fs/cgroup/pods/pod/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/pods/pod/container/cpu.max": "max 100000\n",
            },
            2.0,
            id="v2 of the pod, not of the container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/pods/pod/container\n",
                "sys/fs/cgroup/pods/pod/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/pods/pod/container/cpu.max": "100000 100000\n",
            },
            1.0,
            id="v2 the strictest counts",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/pods/of/the/host\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
            0.5,
            id="v2 path of the host",
        ),
        pytest.param({"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3.0, id="v2 without proc"),
        pytest.param(
            {
                "proc/self/cgroup": "5:memory:/elsewhere\n4:cpu,cpuacct:/docker/id\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/id/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/id/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu/elsewhere/cpu.cfs_quota_us": "100000\n",  # of other processes
                "sys/fs/cgroup/cpu/elsewhere/cpu.cfs_period_us": "100000\n",
            },
            2.5,
            id="v1",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000\n",
            },
            2.0,
            id="v1 mounted by its short name",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
            id="v1 no limit",
        ),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "\n"}, None, id="nonsense"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_quota_is_read_from_the_cgroup(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(_write(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("limit", "processors", "threads"),
    [("150000 100000", 8, 2), ("50000 100000", 8, 1), ("800000 100000", 4, 4), ("max 100000", 4, 4)],
    ids=["a part counts whole", "at least one", "no more than there are", "no limit"],
)
def test_threads_are_what_the_cgroup_pays_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, processors: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))

    assert available_threads(_write(tmp_path, {"sys/fs/cgroup/cpu.max": limit})) == threads


@pytest.mark.parametrize(
    ("providers", "workers"),
    [([], 1), (["cpu", "openvino"], 1), (["cuda"], 2), (["cpu", "tensorrt"], 2)],
)
def test_a_request_is_prepared_while_another_is_on_the_gpu_and_only_there(providers: list[str], workers: int) -> None:
    assert workers_for(providers) == workers


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_thread_that_steps_behind_does_so_alone_with_those_it_starts() -> None:
    def step() -> list[int]:
        step_behind()
        before = nice()
        step_behind()  # no further
        with ThreadPoolExecutor(1) as started:
            return [before, nice(), started.submit(nice).result()]

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(step).result() == [min(19, nice() + 10)] * 3
    with ThreadPoolExecutor(1) as other:
        assert other.submit(nice).result() == nice()


def test_behind_everybody_there_is_no_place_left(monkeypatch: pytest.MonkeyPatch) -> None:
    process, own = os.getpid(), os.getpriority
    monkeypatch.setattr(os, "getpriority", lambda which, who: 15 if who == process else own(which, who))

    def step() -> int:
        step_behind()
        return nice()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(step).result() == 19


def test_where_priorities_cannot_be_had_all_stay_side_by_side(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "setpriority", refuse)
    own = nice()

    def step() -> int:
        step_behind()
        return nice()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(step).result() == own
    assert caplog.messages == ["work does not let answers go first: Operation not permitted"]
