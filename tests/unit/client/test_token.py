from __future__ import annotations

from pathlib import Path

import pytest

from predictor.client.token import read_token
from predictor.errors import StartupError


def test_a_token_is_read_from_a_file_without_the_white_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("eyJ.abc-_~+/=\n")

    assert read_token(tmp_path / "token", None) == "eyJ.abc-_~+/="


def test_a_token_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")

    assert read_token(None, "MY_TOKEN") == "secret"


def test_without_a_place_there_is_no_token() -> None:
    assert read_token(None, None) is None


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"secret\nsecret", b"s\x00ecret", "sécret".encode()])
def test_what_no_header_can_carry_is_refused_and_not_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(StartupError, match="holds no token") as caught:
        read_token(tmp_path / "token", None)

    assert "ecret" not in caught.value.sentence


def test_a_place_that_holds_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    for name in ("gone", "binary"):
        with pytest.raises(StartupError, match=f"{name}: cannot be read"):
            read_token(tmp_path / name, None)
    with pytest.raises(StartupError, match="the environment variable GONE: holds no token"):
        read_token(None, "GONE")
