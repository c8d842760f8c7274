"""The options of `python -m predictor call`."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing import NoReturn

Spoken = Literal["v1", "v2", "v2-raw", "grpc"]
"""The protocols; `v2` is JSON with pictures as base64, `v2-raw` the binary extension."""

TASKS = ("swap", "enhance", "detect")
EPILOG = """\
examples:
  is it there, and does it swap? (the sample portrait onto itself)
      python -m predictor call faceswap-cpu-predictor.default.svc.cluster.local
  a picture of yours onto two others, saved:
      python -m predictor call http://127.0.0.1:8080 --source me.jpg --destination a.jpg --destination b.jpg -o out
  the same over gRPC, twice as large, with a report of each face:
      python -m predictor call grpc://127.0.0.1:8081 --source me.jpg --destination a.jpg --option upscale=2 --report
  200 calls, 4 at a time, through a gateway:
      python -m predictor call https://127.0.0.1 --host-header faces.example.com --token-file token \\
          --repeat 200 --concurrency 4
  for as long as a rollout takes, a new connection for every call, as JSON for a program:
      python -m predictor call URL --duration 60 --pause 0.2 --new-connections --json

exit codes:
  0  every call was answered
  1  a call failed; the others were made all the same
  2  the command line is wrong
  3  nothing could be called or saved: a file, a folder

Latencies are those of the answered calls, as the client saw them. Certificates are checked against SSL_CERT_FILE, or
GRPC_DEFAULT_SSL_ROOTS_FILE_PATH for gRPC, where set.
"""
_SCHEMES = {"http": "rest", "https": "rest", "grpc": "grpc", "grpcs": "grpc"}


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of `call` to its parser."""
    parser.add_argument(
        "url", metavar="URL", help="http, https, grpc or grpcs: grpc://HOST:8081; http where it does not say"
    )
    parser.add_argument("--model", choices=TASKS, default="swap", help="which of the three (default swap)")
    parser.add_argument(
        "--model-name",
        metavar="NAME",
        default="faceswap",
        help="the server's PREDICTOR_MODEL_NAME, after which the three are named (default faceswap)",
    )
    parser.add_argument(
        "--protocol", choices=get_args(Spoken), help="default: grpc for a gRPC URL, else v1; v2-raw sends bytes"
    )
    parser.add_argument(
        "--source",
        "--image",
        metavar="FILE",
        type=Path,
        help="the picture that gives the face, is enhanced or looked at (default: scikit-image's astronaut)",
    )
    parser.add_argument(
        "--destination",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="swap: a picture that receives the face; may be repeated (default: those the server has preloaded)",
    )
    parser.add_argument(
        "--option",
        metavar="KEY=JSON",
        type=_option,
        action="append",
        default=[],
        help="a field of the V1 request, such as upscale=2 or destination_face_id=all; may be repeated",
    )
    parser.add_argument("--report", action="store_true", help="ask what happened to each face")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="save the first answer's pictures here")
    parser.add_argument("--host-header", metavar="HOST", type=_host, help="what a gateway routes by")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-file", metavar="FILE", type=Path, help="a bearer token, read from a file")
    token.add_argument("--token-env", metavar="NAME", help="a bearer token, read from an environment variable")
    often = parser.add_mutually_exclusive_group()
    often.add_argument("--repeat", metavar="N", type=_count, default=1, help="how many calls in all (default 1)")
    often.add_argument("--duration", metavar="SECONDS", type=_positive, help="call until the time is up instead")
    parser.add_argument("--concurrency", metavar="C", type=_count, default=1, help="how many at a time (default 1)")
    parser.add_argument(
        "--pause", metavar="SECONDS", type=_seconds, default=0.0, help="between two calls of one connection (default 0)"
    )
    parser.add_argument("--new-connections", action="store_true", help="a new connection for every call")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_positive, default=60.0, help="how long a call may take (default 60)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object instead of text")


def check(options: argparse.Namespace) -> None:
    """End with a word why where options do not go together."""
    if options.destination and options.model != "swap":
        _refuse(options, f"--destination: {options.model} has no destinations; only swap has")
    if options.report and options.model == "detect":
        _refuse(options, "--report: detect tells of its faces without it")


def address(options: argparse.Namespace) -> tuple[str, Spoken, bool]:
    """Return the address, the protocol, and whether gRPC is to be encrypted; what cannot be is a wrong command line.

    An address that is refused is not repeated: it may hold a password.
    """
    url: str = options.url
    if "://" not in url:
        url = f"{'grpc' if options.protocol == 'grpc' else 'http'}://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse(options, "URL: no address")
    kind = _SCHEMES.get(parts.scheme)
    if kind is None or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        _refuse(options, "URL: no address; write http://127.0.0.1:8080 or grpc://127.0.0.1:8081")
    protocol: Spoken = options.protocol or ("grpc" if kind == "grpc" else "v1")
    if (protocol == "grpc") is not (kind == "grpc"):
        _refuse(options, f"--protocol {protocol}: not over {parts.scheme}://")
    if kind == "rest":
        return url, protocol, False
    if port is None or parts.path.strip("/"):
        _refuse(options, "URL: no address of gRPC; write grpc://127.0.0.1:8081")
    return parts.netloc, protocol, parts.scheme == "grpcs"


def _refuse(options: argparse.Namespace, sentence: str) -> NoReturn:
    options.parser.error(sentence)
    raise AssertionError  # argparse has ended the process


def _option(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no option; write KEY=JSON, upscale=2 for example")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # a text needs no quotes


def _host(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no host")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _positive(text: str) -> float:
    seconds = _seconds(text)
    if seconds == 0.0:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds
