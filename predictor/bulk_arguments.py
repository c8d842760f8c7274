"""The options of `python -m predictor bulk`."""

from __future__ import annotations

import argparse
import math

from predictor import picture_arguments

WORDS = {
    "swap": "put a face of SOURCE onto faces of every picture of INPUT",
    "enhance": "restore the faces of every picture of INPUT and enlarge it",
    "detect": "list the faces of every picture of INPUT",
}
EPILOG = """\
examples:
  me onto the first face of every picture of a folder:
      python -m predictor bulk swap me.jpg photos swapped
  from bucket to bucket, over the cluster that RAY_ADDRESS names:
      RAY_ADDRESS=ray-head:6379 python -m predictor bulk swap me.jpg s3://bucket/photos s3://bucket/swapped
  every face, restored, with 3 workers of 2 processors each:
      python -m predictor bulk swap me.jpg photos swapped --destination-face all --restore --workers 3 \\
          --cpus-per-worker 2

INPUT, OUTPUT and SOURCE are paths, or addresses of what fsspec knows: s3, gs, abfs, ... if its package is installed.
Sub folders are kept, hidden files left out. OUTPUT gets, beside the pictures:
  report.jsonl     a line for every picture: input, output, state, faces, seconds, sha256, ...
  rejected.jsonl   those of them that were set aside, with the reason; the originals are never touched
  summary.json     the count of each
  .bulk            what a later run needs to know what is done
The same command again goes on where a run was stopped or killed: what is done, and was made of the same input, source,
options and settings, is not done again. One run at a time may write to an OUTPUT.

exit codes:
  0  every picture is done
  1  some were set aside, or the run was stopped; the others are done
  2  the command line is wrong
  3  nothing could be started: a setting, an address, the source, the cluster
"""


def add_to(parser: argparse.ArgumentParser, word: str) -> None:
    """Add the options of one of WORDS to its parser."""
    if word == "swap":
        parser.add_argument("source", metavar="SOURCE", help="the picture that gives the face")
    parser.add_argument("input", metavar="INPUT", help="folder or bucket of pictures")
    parser.add_argument("output", metavar="OUTPUT", help="folder or bucket for the results, made if needed")
    if word == "swap":
        picture_arguments.add_faces(parser)
        picture_arguments.add_making(parser, restore=None, upscale=1)
    if word == "enhance":
        picture_arguments.add_making(parser, restore=1.0, upscale=2)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_count,
        help="pictures at once, each worker with models of its own (default: as many as the cluster has room for)",
    )
    parser.add_argument(
        "--cpus-per-worker",
        metavar="N",
        type=_count,
        default=1,
        help="processors and threads of each worker (default 1)",
    )
    parser.add_argument(
        "--gpus-per-worker",
        metavar="N",
        type=_share,
        default=0.0,
        help="graphics cards of each worker; 0.5 lets two share one (default 0: none)",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    # Ray shares one card among workers, or gives a worker whole cards
    if not (0.0 <= share < 1.0 or (share >= 1.0 and share.is_integer())):
        raise argparse.ArgumentTypeError(f"{text!r} is no share of a card from 0 to 1, and no number of cards")
    return share
