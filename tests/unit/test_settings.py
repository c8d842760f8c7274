from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import StartupError
from predictor.settings import Settings, cache_folder, read_settings, unknown_variables


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PREDICTOR_{name.upper()}", raising=False)


def test_without_an_environment_the_defaults_hold() -> None:
    settings = read_settings()

    assert (settings.recipe, settings.model_name, settings.http_port, settings.grpc_port) == (
        "embedded",
        "faceswap",
        8080,
        8081,
    )
    assert (settings.workers, settings.queue_length, settings.queue_seconds) == (None, 16, 30)
    assert settings.destinations_dir is None


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("PREDICTOR_HTTP_PORT", "9000", "http_port", 9000),
        ("PREDICTOR_DESTINATIONS_DIR", "/pictures", "destinations_dir", Path("/pictures")),
        ("PREDICTOR_QUEUE_LENGTH", "0", "queue_length", 0),
        ("PREDICTOR_QUEUE_SECONDS", "0.5", "queue_seconds", 0.5),
        ("PREDICTOR_THREADS", "4", "threads", 4),
        ("PREDICTOR_RESTORER", "sharpen", "restorer", "sharpen"),
        ("PREDICTOR_RESTORER_MASK", "parse", "restorer_mask", "parse"),
        ("PREDICTOR_DRAIN_DELAY_SECONDS", "0", "drain_delay_seconds", 0.0),
        ("PREDICTOR_LOG_FORMAT", "json", "log_format", "json"),
        ("predictor_model_name", "swapper-2", "model_name", "swapper-2"),
    ],
)
def test_the_environment_wins_over_the_default(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str, expected: object
) -> None:
    monkeypatch.setenv(variable, value)

    assert getattr(read_settings(), name) == expected


def test_what_the_program_gives_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_DESTINATIONS_DIR", "/pictures")

    assert read_settings(destinations_dir=None).destinations_dir is None


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_variable_is_no_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"PREDICTOR_{name.upper()}", "")

    assert read_settings() == Settings()


def test_what_kubernetes_injects_for_a_service_called_predictor_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("PREDICTOR_SERVICE_HOST", "10.0.0.1")

    assert read_settings() == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PORT", "http"),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "-1"),
        ("GRPC_PORT", "8081.5"),
        ("WORKERS", "0"),
        ("QUEUE_LENGTH", "-1"),
        ("QUEUE_SECONDS", "0"),
        ("QUEUE_SECONDS", "nan"),
        ("REQUEST_TIMEOUT_SECONDS", "inf"),
        ("GRACE_SECONDS", "inf"),
        ("DRAIN_DELAY_SECONDS", "-1"),
        ("DRAIN_DELAY_SECONDS", "nan"),
        ("LIMIT_PIXELS", "0"),
        ("LIMIT_REQUEST_BYTES", "32MiB"),
        ("LIMIT_REQUEST_BYTES", "2147483648"),
        ("THREADS", "0"),
        ("PROVIDER", "gpu"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("MODEL_NAME", "a/b"),
        ("MODEL_NAME", "-a"),
        ("MODEL_NAME", "x" * 64),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"PREDICTOR_{variable}", value)

    with pytest.raises(StartupError) as caught:
        read_settings()

    assert caught.value.sentence.startswith(f"PREDICTOR_{variable}: ")
    assert "\n" not in caught.value.sentence


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_WORKERS", "none")
    monkeypatch.setenv("PREDICTOR_HTTP_PORT", "http")

    with pytest.raises(StartupError, match=r"PREDICTOR_HTTP_PORT: .*; PREDICTOR_WORKERS: "):
        read_settings()


def test_the_grace_period_covers_the_drain_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_GRACE_SECONDS", "5")
    monkeypatch.setenv("PREDICTOR_DRAIN_DELAY_SECONDS", "5")

    with pytest.raises(StartupError, match=r"PREDICTOR_GRACE_SECONDS .* PREDICTOR_DRAIN_DELAY_SECONDS"):
        read_settings()


def test_settings_do_not_change_while_they_are_used() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().workers = 2  # type: ignore[misc]


def test_a_misspelt_variable_is_known_by_the_setting_it_was_meant_for() -> None:
    assert unknown_variables(["PREDICTOR_DESTIANTIONS_DIR", "PREDICTOR_ZZZ", "PATH"]) == [
        "PREDICTOR_DESTIANTIONS_DIR (did you mean PREDICTOR_DESTINATIONS_DIR?)",
        "PREDICTOR_ZZZ",
    ]


def test_settings_and_what_kubernetes_tells_of_a_service_are_not_unknown() -> None:
    of_a_service = [
        "PREDICTOR_PORT",
        "PREDICTOR_SERVICE_HOST",
        "PREDICTOR_SERVICE_PORT",
        "PREDICTOR_SERVICE_PORT_HTTP",
        "PREDICTOR_PORT_8080_TCP",
        "PREDICTOR_PORT_8080_TCP_ADDR",
        "PREDICTOR_GPU_SERVICE_HOST",
    ]

    assert unknown_variables([*of_a_service, "PREDICTOR_HTTP_PORT", "PREDICTOR_WORKERS"]) == []


@pytest.mark.parametrize(
    ("chosen", "home", "folder"),
    [
        ("/var/cache", "/home/someone", "/var/cache/faceswap-predictor"),
        ("", "/home/someone", "/home/someone/.cache/faceswap-predictor"),
        ("relative/is/ignored", "/home/someone", "/home/someone/.cache/faceswap-predictor"),
    ],
)
def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, chosen: str, home: str, folder: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", chosen)
    monkeypatch.setenv("HOME", home)

    assert cache_folder() == Path(folder)


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does where the user is not known

    assert cache_folder() is None


@pytest.mark.parametrize("given", ["0", "4-1", "1-", "-2", "many", "1.5", "1-2-3"])
def test_replicas_are_a_number_or_the_least_and_the_most(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_RAY_REPLICAS", given)

    with pytest.raises(StartupError, match="PREDICTOR_RAY_REPLICAS"):
        read_settings()


@pytest.mark.parametrize(("given", "taken"), [("0.25", True), ("1", True), ("2", True), ("0", True), ("1.5", False)])
def test_a_replica_takes_a_share_of_a_gpu_or_whole_ones(
    given: str,
    taken: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDICTOR_RAY_GPUS", given)

    if taken:
        assert read_settings().ray_gpus == float(given)
    else:
        with pytest.raises(StartupError, match="PREDICTOR_RAY_GPUS"):
            read_settings()
