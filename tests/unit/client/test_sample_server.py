from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.client import sample_server
from predictor.client.samples import SampleMissing

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from predictor.client.samples import Sample


def test_a_sample_that_is_not_installed_is_one_message_and_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(sample: Sample) -> bytes:
        raise SampleMissing(sample.name, sample.package)

    monkeypatch.setattr("predictor.client.samples.Sample.read", missing)

    exit_code = sample_server.main(["--folder", str(tmp_path)])

    assert exit_code == 1
    assert "which is not installed" in capsys.readouterr().err
