"""The words of the command line: what they mean, what they may be, and help that teaches them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from predictor import __version__, bulk_arguments, call_arguments, picture_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SERVE_EPILOG = """\
exit codes:
  0  stopped, every accepted request answered
  1  stopped, requests dropped at the end of the grace period
  2  the command line is wrong
  3  the predictor cannot start: a setting, a port, a model

Settings are environment variables, PREDICTOR_HTTP_PORT for one; the README lists them.
"""
_EPILOG = """\
exit codes:
  0  done
  1  some picture could not be done; the others are
  2  the command line is wrong
  3  the predictor cannot start: a setting, a port, a model

Settings are environment variables, PREDICTOR_RECIPE for one; the README lists them.
"""
_SWAP_EPILOG = """\
examples:
  the first face of me.jpg onto the first face of party.jpg:
      python -m predictor swap me.jpg party.jpg -o out
  onto every face of two pictures, restored and twice as large:
      python -m predictor swap me.jpg a.jpg b.png -o out --destination-face all --restore --upscale 2
  source face 2 onto face 1, source face 1 onto face 3:
      python -m predictor swap us.jpg party.jpg -o out --pair 2:1 --pair 1:3

Faces are numbered from 1, left to right; `python -m predictor detect PICTURE` shows the numbers.
Every picture made is marked as altered in its metadata.
"""
_WEIGHTS_EPILOG = """\
exit codes:
  0  done
  2  the command line is wrong
  3  a file could not be had, made or trusted; the others were

Nothing but `pull` ever downloads, and no server does. Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
"""
_PULL_EPILOG = (
    """\
examples:
  everything that PREDICTOR_RECIPE=onnx needs, as its licences stand in PREDICTOR_ACCEPTED_LICENCES:
      PREDICTOR_RECIPE=onnx python -m predictor weights pull
  one file, its licence accepted for this call:
      python -m predictor weights pull inswapper_128.onnx --accept-licence insightface-non-commercial --to /weights

A pull that was stopped goes on where it was. A licence is accepted by its name; `weights list` shows where to read it.
A server asks for PREDICTOR_ACCEPTED_LICENCES again: what was pulled with --accept-licence still needs it there.

"""
    + _WEIGHTS_EPILOG
)


def parser(commands: Mapping[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Args:
        commands: What runs `serve`, `swap`, `weights pull` and so on; the options name it as `run`.
    """
    whole = argparse.ArgumentParser(
        prog="python -m predictor",
        description="Swap faces: as a KServe server, or over files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"faceswap-predictor {__version__}")
    words = whole.add_subparsers(required=True, metavar="COMMAND")
    serve = _add(
        words, "serve", commands["serve"], "answer KServe V1, V2 REST and gRPC until SIGTERM", epilog=_SERVE_EPILOG
    )
    serve.add_argument(
        "--scale",
        choices=("ray",),
        help="put the stages behind Ray Serve, here or on the cluster of RAY_ADDRESS (needs the extra ray)",
    )
    swap = _add(
        words, "swap", commands["swap"], "put a face of SOURCE onto faces of every DESTINATION", epilog=_SWAP_EPILOG
    )
    swap.add_argument("source", metavar="SOURCE", type=Path, help="the picture that gives the face")
    swap.add_argument("destinations", metavar="DESTINATION", type=Path, nargs="+", help="pictures that receive it")
    picture_arguments.add_faces(swap)
    _add_output(swap, restore=None, upscale=1)
    enhance = _add(words, "enhance", commands["enhance"], "restore the faces of pictures and enlarge them")
    enhance.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="pictures to enhance")
    _add_output(enhance, restore=1.0, upscale=2)
    detect = _add(words, "detect", commands["detect"], "list the faces of pictures, numbered left to right")
    detect.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="pictures to look at")
    detect.add_argument("--json", action="store_true", help="a JSON object a picture instead of a table")
    call = _add(
        words,
        "call",
        commands["call"],
        "ask a running predictor, and tell how it answers",
        epilog=call_arguments.EPILOG,
    )
    call_arguments.add_to(call)
    _add_bulk(words, commands)
    _add_weights(words, commands)
    bench = _add(words, "bench", commands["bench"], "compare with the peers' own packages (needs the extra torch)")
    bench.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="folder for the table, made if needed"
    )
    bench.add_argument("--quick", action="store_true", help="fewer jobs and rounds: 5 minutes on 2 cores")
    return whole


def _add_bulk(
    words: argparse._SubParsersAction[argparse.ArgumentParser],
    commands: Mapping[str, Callable[[argparse.Namespace], int]],
) -> None:
    summary = "swap, enhance or detect over a folder or a bucket, with Ray Data (needs the extra ray)"
    bulk = _parser(words, "bulk", summary, bulk_arguments.EPILOG).add_subparsers(required=True, metavar="COMMAND")
    for word, meaning in bulk_arguments.WORDS.items():
        parser = _add(bulk, word, commands["bulk"], meaning, epilog=bulk_arguments.EPILOG)
        parser.set_defaults(word=word)
        bulk_arguments.add_to(parser, word)


def _add_weights(
    words: argparse._SubParsersAction[argparse.ArgumentParser],
    commands: Mapping[str, Callable[[argparse.Namespace], int]],
) -> None:
    summary = "list, pull, verify and convert the files of weights"
    weights = _parser(words, "weights", summary, _WEIGHTS_EPILOG).add_subparsers(required=True, metavar="COMMAND")
    shown = _add(weights, "list", commands["weights list"], "list every file, its licence and where it stands")
    shown.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    pull = _add(weights, "pull", commands["weights pull"], "download files and check them", epilog=_PULL_EPILOG)
    _add_names(
        pull, "files to pull, as `weights list` names them (default: those the recipe of the settings needs)", "*"
    )
    _add_making(pull)
    pull.add_argument(
        "--trust-first",
        action="store_true",
        help="take a file whose sha256 nobody knows, and record the sha256 of what came",
    )
    verify = _add(weights, "verify", commands["weights verify"], "hash files again and compare", epilog=_WEIGHTS_EPILOG)
    _add_names(verify, "files to verify (default: all that are there)", "*")
    convert = _add(
        weights,
        "convert",
        commands["weights convert"],
        "make ONNX files of official weights (needs the extra torch)",
        epilog=_WEIGHTS_EPILOG,
    )
    _add_names(convert, "files to make: gfpgan_1.4.onnx, real_esrgan_x4v3.onnx, ...", "+")
    _add_making(convert)
    convert.add_argument(
        "--denoise-strength",
        metavar="0-1",
        type=picture_arguments.blend,
        help="of real_esrgan_x4v3.onnx: 1 is the official file, 0 keeps most noise and grain (default 1)",
    )


def _add_names(parser: argparse.ArgumentParser, summary: str, count: str) -> None:
    parser.add_argument("names", metavar="FILE", nargs=count, help=summary)


def _add_making(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-licence",
        metavar="ID",
        action="append",
        default=[],
        dest="accepted_licences",
        help="accept a licence for this call, besides those of PREDICTOR_ACCEPTED_LICENCES; may be repeated",
    )
    parser.add_argument(
        "--to", metavar="DIR", type=Path, help="folder for the files (default PREDICTOR_WEIGHTS_DIR, else the cache)"
    )


def _add(
    words: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    parser = _parser(words, name, summary, epilog)
    parser.set_defaults(run=run, parser=parser)
    return parser


def _parser(
    words: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, epilog: str | None
) -> argparse.ArgumentParser:
    return words.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_output(parser: argparse.ArgumentParser, restore: float | None, upscale: int) -> None:
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="folder for the results, made if needed"
    )
    picture_arguments.add_making(parser, restore, upscale)
