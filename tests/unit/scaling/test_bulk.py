"""Bulk on a real cluster of this machine: killed, worker killed, stopped; every run is a process of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor import cli
from predictor.faces import Image
from predictor.policy.provenance import read_mark

PICTURES = 8
# So large a result takes a worker long enough to be killed over.
OPTIONS = ("--upscale", "4", "--format", "png")


class Shop:
    """A folder of pictures with one that is none, and runs over them."""

    def __init__(self, folder: Path, source: bytes, picture: Image) -> None:
        self.folder = folder
        self.source, self.input, self.output = folder / "me.png", folder / "in", folder / "out"
        self.source.write_bytes(source)
        for number in range(PICTURES):
            path = self.input / f"sub{number % 2}/{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            PillowImage.fromarray(np.roll(picture, number, axis=1)).save(path, quality=90)
        (self.input / "notes.txt").write_text("no picture")
        self._runs: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        run = subprocess.Popen(
            [sys.executable, "-m", "predictor", "bulk", "swap", self.source, self.input, self.output, *OPTIONS],
            # Ray lets its workers step back behind all other processes, which on a busy machine is for ever
            env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
            | {"RAY_worker_niceness": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._runs.append(run)
        return run

    def end(self) -> None:
        for run in self._runs:
            if run.poll() is None:
                run.kill()
            run.communicate()

    def records(self) -> dict[Path, dict[str, object]]:
        paths = self.output.glob(".bulk/records/*/*.json")
        return {path: json.loads(path.read_bytes()) for path in paths}

    def results(self) -> dict[Path, int]:
        """When each result got its name."""
        return {path: path.stat().st_mtime_ns for path in self.output.rglob("*.png")}

    def report(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.output / "report.jsonl").read_text().splitlines()]

    def until(self, happened: Callable[[], object], run: subprocess.Popen[str] | None = None) -> None:
        while not happened():
            assert run is None or run.poll() is None, run.communicate()
            time.sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path, astronaut_png: bytes, grace_hopper: Image) -> Iterator[Shop]:
    shop = Shop(tmp_path, astronaut_png, grace_hopper)
    yield shop
    shop.end()


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one of whom nobody has asked the end yet counts as well."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.timeout(600)
def test_killed_and_stopped_and_bereft_of_workers_it_does_everything_and_nothing_twice(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    # killed outright, in the middle
    first = shop.start()
    shop.until(lambda: len(shop.results()) >= 2, first)
    first.kill()
    first.wait()
    workers = {int(str(record["worker"]).partition("/")[2]) for record in shop.records().values()}
    shop.until(lambda: all(map(is_gone, workers)))
    made = shop.results()
    assert 0 < len(made) < PICTURES

    # on from there, and stopped by Ctrl-C
    second = shop.start()
    shop.until(lambda: len(shop.results()) > len(made), second)
    second.send_signal(signal.SIGINT)
    told, _ = second.communicate()
    assert second.returncode == 1
    assert "the same command again goes on from here" in told
    assert json.loads((shop.output / "summary.json").read_text())["stopped"] is True
    stopped, stopped_records = shop.results(), shop.records()
    assert len(stopped) < PICTURES

    # on from there, with a worker killed over a picture
    third = shop.start()
    shop.until(lambda: set(shop.records()) - set(stopped_records), third)
    newest = next(record for path, record in shop.records().items() if path not in stopped_records)
    os.kill(int(str(newest["worker"]).partition("/")[2]), signal.SIGKILL)
    told, errors = third.communicate()

    assert third.returncode == 1, errors  # notes.txt is set aside
    report = shop.report()
    assert sorted(str(line["input"]) for line in report) == sorted(
        ["notes.txt", *(f"sub{number % 2}/{number}.jpg" for number in range(PICTURES))]
    )
    assert {line["code"] for line in report} == {None, "undecodable_image"}
    states = [line["state"] for line in report]
    assert states.count("set_aside") == 1
    assert states.count("before") == sum(record["code"] is None for record in stopped_records.values())
    assert f"{PICTURES + 1} pictures: {states.count('done')} done" in told
    # nothing twice: what had a record kept its result, to the nanosecond
    last = shop.results()
    for path, record in stopped_records.items():
        assert shop.records()[path] == record
        if record["output"]:
            result = shop.output / str(record["output"])
            assert last[result] == stopped[result]
    assert list((shop.output / ".bulk/partial").iterdir()) == []

    # the same bytes as one by one, under the same names
    for number in (0, PICTURES - 1):
        name = f"sub{number % 2}/{number}.png"
        destination = shop.input / name.replace("png", "jpg")
        assert cli.main(["swap", *map(str, (shop.source, destination, "-o", shop.folder / "one", *OPTIONS))]) == 0
        assert (shop.output / name).read_bytes() == (shop.folder / f"one/{number}.png").read_bytes()
        assert read_mark((shop.output / name).read_bytes()) is not None
    capsys.readouterr()
    assert all(PillowImage.open(io.BytesIO(path.read_bytes())).size == (2048, 2400) for path in last)
