from __future__ import annotations

import threading
from pathlib import Path

import pytest

from predictor.errors import WeightsUnknown
from predictor.weights.records import RECORDS_NAME, Record, record, recorded

ONE, TWO = "1" * 64, "2" * 64


def test_what_was_recorded_is_read_again_and_the_newest_counts(tmp_path: Path) -> None:
    record(tmp_path, "b.onnx", ONE)
    record(tmp_path, "a.onnx", ONE, ["a.pth", "b.pth"])
    record(tmp_path, "b.onnx", TWO)

    assert recorded(tmp_path) == {
        "a.onnx": Record(sha256=ONE, made_from=("a.pth", "b.pth")),
        "b.onnx": Record(sha256=TWO),
    }
    assert [path.name for path in tmp_path.iterdir()] == [RECORDS_NAME]


def test_a_folder_without_a_record_has_nothing_recorded(tmp_path: Path) -> None:
    assert recorded(tmp_path) == {}
    assert recorded(tmp_path / "not there") == {}


def test_records_made_at_once_are_all_kept(tmp_path: Path) -> None:
    threads = [threading.Thread(target=record, args=(tmp_path, f"{n}.onnx", ONE)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(recorded(tmp_path)) == 12


@pytest.mark.parametrize("content", [b"nonsense", b'["a.onnx"]\nsha256 = "1"\n', b'["../a"]\nsha256 = "1"\n', b"\xff"])
def test_a_record_that_is_broken_is_told_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RECORDS_NAME).write_bytes(content)

    with pytest.raises(WeightsUnknown, match=r"recorded_hashes\.toml is no record of sha256 any more; delete it, and"):
        record(tmp_path, "a.onnx", ONE)

    assert (tmp_path / RECORDS_NAME).read_bytes() == content


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / RECORDS_NAME).mkdir()

    with pytest.raises(WeightsUnknown, match=r"recorded_hashes\.toml cannot be read: Is a directory"):
        recorded(tmp_path)
