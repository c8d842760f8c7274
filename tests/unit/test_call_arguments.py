from __future__ import annotations

import argparse

import pytest

from predictor import arguments, call_arguments


def parsed(*words: str) -> argparse.Namespace:
    commands = dict.fromkeys(
        (
            "serve",
            "swap",
            "enhance",
            "detect",
            "bulk",
            "call",
            "bench",
            *(f"weights {word}" for word in ("list", "pull", "verify", "convert")),
        ),
        lambda _options: 0,
    )
    return arguments.parser(commands).parse_args(["call", *words])


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (("http://predictor",), ("http://predictor", "v1", False)),
        (("https://predictor:8443/path", "--protocol", "v2"), ("https://predictor:8443/path", "v2", False)),
        (("http://[::1]:8080", "--protocol", "v2-raw"), ("http://[::1]:8080", "v2-raw", False)),
        (("predictor:8080",), ("http://predictor:8080", "v1", False)),
        (("grpc://host:8081",), ("host:8081", "grpc", False)),
        (("grpc://[::1]:8081/",), ("[::1]:8081", "grpc", False)),
        (("grpcs://host:443",), ("host:443", "grpc", True)),
        (("host:8081", "--protocol", "grpc"), ("host:8081", "grpc", False)),
    ],
)
def test_an_address_says_which_protocol_is_meant(words: tuple[str, ...], address: tuple[str, str, bool]) -> None:
    assert call_arguments.address(parsed(*words)) == address


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ftp://host",), "URL: no address; write http://127.0.0.1:8080 or grpc://127.0.0.1:8081"),
        (("http://",), "URL: no address"),
        (("http://predictor:port",), "URL: no address"),
        (("http://user:secret@predictor",), "URL: no address"),
        (("http://predictor/?a=b",), "URL: no address"),
        (("grpc://host",), "URL: no address of gRPC; write grpc://127.0.0.1:8081"),
        (("grpc://host:1/path",), "URL: no address of gRPC"),
        (("grpc://host:8081", "--protocol", "v1"), "--protocol v1: not over grpc://"),
        (("http://predictor:8081", "--protocol", "grpc"), "--protocol grpc: not over http://"),
    ],
)
def test_what_is_no_address_is_a_wrong_command_line(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        call_arguments.address(parsed(*words))

    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("upscale=2", ("upscale", 2)),
        ("restore=true", ("restore", True)),
        ("destination_face_id=all", ("destination_face_id", "all")),
        ('output={"format": "webp"}', ("output", {"format": "webp"})),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", "")),
    ],
)
def test_an_option_is_json_or_else_text(text: str, option: tuple[str, object]) -> None:
    assert parsed("http://predictor", "--option", text).option == [option]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("http://predictor", "--model", "paint"),
        ("http://predictor", "--protocol", "v3"),
        ("http://predictor", "--option", "upscale"),
        ("http://predictor", "--option", "=2"),
        ("http://predictor", "--repeat", "0"),
        ("http://predictor", "--repeat", "many"),
        ("http://predictor", "--repeat", "2", "--duration", "2"),
        ("http://predictor", "--concurrency", "-1"),
        ("http://predictor", "--timeout", "0"),
        ("http://predictor", "--timeout", "inf"),
        ("http://predictor", "--pause", "nan"),
        ("http://predictor", "--duration", "soon"),
        ("http://predictor", "--host-header", "two words"),
        ("http://predictor", "--host-header", "a\r\nb: c"),
        ("http://predictor", "--host-header", ""),
        ("http://predictor", "--token-file", "a", "--token-env", "B"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_told(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*words)

    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "detect", "--report"), "--report: detect tells of its faces without it"),
        (("--model", "enhance", "--destination", "a.png"), "--destination: enhance has no destinations"),
    ],
)
def test_what_a_model_does_not_have_is_told(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        call_arguments.check(parsed("http://predictor", *words))

    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")

    out = capsys.readouterr().out
    for taught in ("examples:", "exit codes:", "--token-file token \\\n", "SSL_CERT_FILE", "PREDICTOR_MODEL_NAME"):
        assert taught in out
