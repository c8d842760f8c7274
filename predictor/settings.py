"""What the operator decides, read from `PREDICTOR_…` environment variables once at start."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from predictor.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterable

# What Kubernetes tells every pod of a Service called `predictor` or `predictor-…`.
_OF_KUBERNETES = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")
_MIB = 1024 * 1024
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
# gRPC counts the bytes of a message in 32 bits with a sign.
MessageBytes = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _names(value: object) -> object:
    return tuple(name for part in value.split(",") if (name := part.strip())) if isinstance(value, str) else value


# A model's name stands in a URL path and in a metric's label.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


# So many at all times, or between two numbers as the load asks for: `2`, `1-4`.
Range = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}(-[1-9][0-9]{0,3})?$")]


# Several names in one variable, comma-separated: JSON in an environment variable is misery.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class Settings(BaseSettings):
    """Every setting with its default; the README's table says the same."""

    model_config = SettingsConfigDict(env_prefix="PREDICTOR_", env_ignore_empty=True, extra="ignore", frozen=True)

    recipe: str = "embedded"
    detector: str | None = None
    embedder: str | None = None
    swapper: str | None = None
    restorer: str | None = None
    upsampler: str | None = None
    restorer_mask: str | None = None

    model_name: ModelName = "faceswap"
    http_port: Port = 8080
    grpc_port: Port = 8081

    destinations_dir: Path | None = None
    destinations_limit_bytes: Count = 1024 * _MIB

    weights_dir: Path | None = None
    weights_manifest: Path | None = None
    accepted_licences: Names = ()
    profile: Literal["all", "permissive"] = "all"

    provider: Literal["auto", "cpu", "openvino", "cuda", "tensorrt"] = "auto"
    strict_provider: bool = False
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: Count | None = None

    workers: Count | None = None
    queue_length: Annotated[int, Field(ge=0)] = 16
    queue_seconds: Seconds = 30.0
    request_timeout_seconds: Seconds = 300.0
    client_seconds: Seconds = 20.0

    limit_request_bytes: MessageBytes = 32 * _MIB
    limit_pixels: Count = 64_000_000
    limit_pixels_per_request: Count = 128_000_000
    limit_output_pixels: Count = 128_000_000
    limit_faces: Count = 100
    limit_destinations: Count = 32
    limit_instances: Count = 32
    limit_pairs: Count = 100

    drain_delay_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5.0
    grace_seconds: Seconds = 60.0

    ray_replicas: Range = "1"
    ray_cpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.25
    ray_gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    ray_batch: Count = 8
    ray_connection_seconds: Seconds = 30.0

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"

    @field_validator("ray_replicas")
    @classmethod
    def _from_few_to_many(cls, given: str) -> str:
        least, _, most = given.partition("-")
        if int(most or least) < int(least):
            raise ValueError("expected a number, or the least and the most with a dash between them")
        return given

    @field_validator("ray_gpus")
    @classmethod
    def _whole_above_one(cls, given: float | None) -> float | None:
        if given is not None and given > 1 and given != int(given):
            raise ValueError("expected a share of one GPU, or a whole number of them")
        return given

    @model_validator(mode="after")
    def _grace_covers_the_drain_delay(self) -> Settings:
        if self.grace_seconds <= self.drain_delay_seconds:
            raise ValueError(
                "PREDICTOR_GRACE_SECONDS must be larger than PREDICTOR_DRAIN_DELAY_SECONDS, which it includes"
            )
        return self


def read_settings(**overrides: object) -> Settings:
    """Read the environment; values given here win over it.

    Raises:
        StartupError: A value is of the wrong type or out of bounds; the sentence names the variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks what the command line gave
    except ValidationError as error:
        raise StartupError(_sentence(error)) from error


def cache_folder() -> Path | None:
    """Return where files that can be had again are kept, by the XDG convention; None where nobody has a home."""
    for chosen in (os.environ.get("XDG_CACHE_HOME", ""), "~/.cache"):
        # relative ones are to be ignored; ~ stays where a container's user has no home, pathlib would raise
        folder = Path(os.path.expanduser(chosen))  # noqa: PTH111
        if folder.is_absolute():
            return folder / "faceswap-predictor"
    return None


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """Return the variables that look like settings and are none, each with the setting it may have been meant for.

    They are no errors: Kubernetes sets `PREDICTOR_PORT` and the like where a Service is called `predictor`.
    """
    known = [f"PREDICTOR_{name.upper()}" for name in Settings.model_fields]
    described = []
    for name in sorted(set(environment) - set(known)):
        if name.startswith("PREDICTOR_") and not _OF_KUBERNETES.search(name):
            close = get_close_matches(name, known, 1, cutoff=0.85)
            described.append(f"{name} (did you mean {close[0]}?)" if close else name)
    return described


def _sentence(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        name = "".join(str(part) for part in problem["loc"][:1])
        reason = problem["msg"].removeprefix("Value error, ")
        problems.append(f"PREDICTOR_{name.upper()}: {reason}" if name else reason)
    return "; ".join(problems)
