"""The command line writes what it is asked for."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from predictor.stand_ins.__main__ import main


def test_it_writes_files_and_a_manifest_and_prints_their_paths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["w600k_r50.onnx", "det_10g.onnx"]

    assert main([str(tmp_path / "weights"), "--only", *names]) == 0

    expected = [str(tmp_path / "weights" / name) for name in [*names, "manifest.toml"]]
    assert capsys.readouterr().out.splitlines() == expected
    assert all(Path(path).is_file() for path in expected)


def test_the_size_is_tiny_unless_told_otherwise(tmp_path: Path) -> None:
    main([str(tmp_path / "tiny"), "--only", "det_10g.onnx"])
    main([str(tmp_path / "full"), "--only", "det_10g.onnx", "--size", "full"])

    tiny, full = (tmp_path / size / "det_10g.onnx" for size in ("tiny", "full"))
    assert tiny.stat().st_size * 100 < full.stat().st_size


def test_a_file_that_has_no_stand_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(tmp_path), "--only", "somebody.onnx"])

    assert exit_.value.code == 2


def test_it_runs_as_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stand_ins", str(tmp_path), "--only", "det_10g.onnx"])
    monkeypatch.delitem(sys.modules, "predictor.stand_ins.__main__")

    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("predictor.stand_ins", run_name="__main__")

    assert exit_.value.code == 0
