"""What the options of `call` ask for: the target, the pictures, how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor import call_arguments
from predictor.client.album import Album
from predictor.client.connections import Target
from predictor.client.load import Load
from predictor.client.questions import Question
from predictor.client.samples import ASTRONAUT
from predictor.client.smoke import Smoke
from predictor.client.token import read_token
from predictor.errors import StartupError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def read_smoke(options: argparse.Namespace) -> Smoke:
    """Read the files that were named, and return the smoke test.

    Raises:
        StartupError: One of them, or the token, cannot be read, or the folder for the pictures not be made.
    """
    target, load = _target(options), _load(options)
    source, destinations = options.source, options.destination
    if source is None:
        source = ASTRONAUT.path()
        destinations = destinations or [source]
    if options.model != "swap":
        destinations = []
    question = Question(
        options.model,
        options.model_name if options.model == "swap" else f"{options.model_name}-{options.model}",
        _bytes_of(source),
        [_bytes_of(path) for path in destinations],
        dict(options.option) | ({"report": True} if options.report else {}),
    )
    names = [path.name for path in (destinations if options.model == "swap" else [source])]
    return Smoke(target, question, load, names, Album(options.output) if options.output else None)


def _target(options: argparse.Namespace) -> Target:
    url, protocol, tls = call_arguments.address(options)
    return Target(
        url,
        protocol,
        options.timeout,
        options.host_header,
        read_token(options.token_file, options.token_env),
        tls=tls,
        kept=not options.new_connections,
    )


def _load(options: argparse.Namespace) -> Load:
    calls = None if options.duration else options.repeat
    return Load(calls, options.concurrency, options.duration, options.pause)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"{path}: {error.strerror or 'cannot be read'}") from error
