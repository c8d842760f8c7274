from __future__ import annotations

from typing import TYPE_CHECKING

from importlinter.cli import lint_imports

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_imports_point_down_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = lint_imports(config_filename=str(root / "pyproject.toml"), no_cache=True)

    assert exit_code == 0, capsys.readouterr().out
