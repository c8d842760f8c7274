"""`bulk` on a Ray of two nodes, beside an application that serves there; one of the nodes is lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from predictor.client.samples import GRACE_HOPPER
from tests.scaling.conftest import SETTINGS, two_nodes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

PICTURES = 40


def test_a_run_over_two_nodes_does_everything_though_one_is_lost(tmp_path: Path) -> None:
    pictures, found = tmp_path / "in", tmp_path / "out"
    pictures.mkdir()
    for number in range(PICTURES):
        (pictures / f"{number}.jpg").write_bytes(GRACE_HOPPER.read())

    with two_nodes(tmp_path, ray_replicas="1", **SETTINGS) as nodes:
        run = subprocess.Popen(
            [sys.executable, "-m", "predictor", "bulk", "detect", pictures, found, "--workers", "6"],
            env={**os.environ, "RAY_ADDRESS": nodes.address, "PREDICTOR_PROVIDER": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while len(list(found.glob(".bulk/records/*/*.json"))) < 3:
                assert run.poll() is None, run.communicate()
                time.sleep(0.01)
            lost = nodes.kill_worker()
            told, errors = run.communicate()
        finally:
            run.kill()
            run.communicate()

    assert any("MapWorker" in name for name in lost), lost
    assert run.returncode == 0, errors
    assert f"{PICTURES} pictures: {PICTURES} done" in told
    report = [json.loads(line) for line in (found / "report.jsonl").read_text().splitlines()]
    assert sorted(line["input"] for line in report) == sorted(path.name for path in pictures.iterdir())
    assert len({json.dumps(line["faces"]) for line in report}) == 1
