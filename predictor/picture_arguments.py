"""The options that words over pictures share: which faces, what happens to them, how the results are encoded."""

from __future__ import annotations

import argparse
from typing import get_args

from predictor.options import OutputFormat, Pair, RestoreOptions, Upscale


def pairs(options: argparse.Namespace) -> tuple[Pair, ...]:
    """Return who goes where; pairs that cannot be are an error of the command line."""
    if not options.pair:
        return (Pair(None, options.source_face or 1, options.destination_face or 1),)
    if options.source_face or options.destination_face:
        options.parser.error("--pair: not together with --source-face or --destination-face")
    receivers = [pair.destination_face_id for pair in options.pair]
    if len(set(receivers)) < len(receivers) or ("all" in receivers and len(receivers) > 1):
        options.parser.error("--pair: a face can take only one source")
    return tuple(options.pair)


def restore(options: argparse.Namespace) -> RestoreOptions | None:
    """Return how faces are restored; None leaves them alone."""
    return None if options.restore is None else RestoreOptions(blend=options.restore)


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Add which face of the source goes onto which face."""
    parser.add_argument("--source-face", metavar="N", type=_face_id, help="which face of SOURCE (default 1)")
    parser.add_argument("--destination-face", metavar="N", type=_face_id_or_all, help="which face, or all (default 1)")
    parser.add_argument(
        "--pair", metavar="S:D", type=_pair, action="append", help="source face S onto face D; may be repeated"
    )


def add_making(parser: argparse.ArgumentParser, restore: float | None, upscale: int) -> None:
    """Add what happens to a picture besides a swap, and how it is encoded.

    Args:
        parser: Of the word.
        restore: How strongly faces are restored where nobody says; None is not at all.
        upscale: How many times as large a picture becomes where nobody says.
    """
    parser.add_argument(
        "--restore",
        metavar="BLEND",
        type=blend,
        nargs="?",
        const=1.0,
        default=restore,
        help="restore faces: 0 leaves them as they are, 1 is the restorer's answer; "
        + ("not done unless asked, 1 if no number follows" if restore is None else f"default {restore:g}"),
    )
    if restore is not None:
        parser.add_argument("--no-restore", dest="restore", action="store_const", const=None, help="leave faces alone")
    parser.add_argument(
        "--upscale",
        type=int,
        choices=get_args(Upscale),
        default=upscale,
        help=f"how many times as wide and high the whole picture becomes (default {upscale})",
    )
    parser.add_argument(
        "--format", choices=get_args(OutputFormat), default="same", help="default same: the picture's own"
    )
    parser.add_argument("--quality", metavar="1-100", type=_quality, default=95, help="of JPEG and WebP (default 95)")


def blend(text: str) -> float:
    """Return a strength from 0 to 1; anything else is an error of the command line."""
    try:
        strength = float(text)
    except ValueError:
        strength = -1.0
    if not 0.0 <= strength <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no strength from 0 to 1")
    return strength


def _face_id(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no face number; faces are numbered from 1, left to right")
    return int(text)


def _face_id_or_all(text: str) -> int | str:
    return text if text == "all" else _face_id(text)


def _pair(text: str) -> Pair:
    source, separator, destination = text.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair; write SOURCE:DESTINATION, 2:1 for example")
    return Pair(None, _face_id(source), _face_id_or_all(destination))  # type: ignore[arg-type]  # an id or "all"


def _quality(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:  # noqa: PLR2004  # the bounds of api.md
        raise argparse.ArgumentTypeError(f"{text!r} is no quality from 1 to 100")
    return int(text)
