"""The provider is one this build has, and threads are what the cgroup pays for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import StartupError
from predictor.runtime.providers import available_threads, cpu_quota, session_opener
from predictor.runtime.session import Network

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


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_the_processor_is_always_there(network: Path, provider: str) -> None:
    session = session_opener(provider)(Network("sums", network, {}))

    assert session.run(None, {"picture": np.ones((10, 3, 32, 32), np.float32)})[0].shape == (10, 1, 16, 16)


def test_a_session_has_the_threads_that_were_asked_for_or_else_all_there_are(network: Path) -> None:
    asked, unasked = (session_opener(threads=n)(Network("sums", network, {})) for n in (3, None))

    assert asked._session.get_session_options().intra_op_num_threads == 3  # type: ignore[attr-defined]
    assert unasked._session.get_session_options().intra_op_num_threads == available_threads()  # type: ignore[attr-defined]


@pytest.mark.parametrize("provider", ["openvino", "cuda", "tensorrt"])
def test_a_provider_that_this_build_lacks_is_refused_at_once(provider: str) -> None:
    with pytest.raises(StartupError, match=f"cannot run on {provider}; choose auto or cpu"):
        session_opener(provider)


def test_an_unknown_provider_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(StartupError, match="'abacus'; choose one of auto, cpu, openvino, cuda, tensorrt"):
        session_opener("abacus")
