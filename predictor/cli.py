"""The command line: `serve`, and swap, enhance and detect over the same pipeline without a server."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from predictor import __version__
from predictor.errors import PredictorError, StartupError, UndecodableImage
from predictor.job import Job
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions, SwapOptions
from predictor.requests import DetectRequest, EncodedPicture, EnhanceRequest, SwapRequest
from predictor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Face
    from predictor.requests import AlteredPicture, FacesAnswer
    from predictor.service import Service, Subjects

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_CANNOT_START = 0, 1, 2, 3
_EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StartupError as error:
        print(f"error: {error.sentence}", file=sys.stderr)
        return EXIT_CANNOT_START
    except PredictorError as error:
        print(f"error: {error.sentence}", file=sys.stderr)
        return EXIT_SOME_FAILED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return EXIT_SOME_FAILED


def _serve(_options: argparse.Namespace) -> int:
    from predictor.serving.server import serve  # KServe takes seconds to import; nobody else needs it

    return serve(read_settings())


def _swap(options: argparse.Namespace) -> int:
    swap_options = SwapOptions(_pairs(options), _restore(options), options.upscale)
    source = _read(options.source)
    work = _Work(options, [options.source, *options.destinations])
    known: Subjects = {}

    def swap(path: Path) -> Path:
        request = SwapRequest([source], [_read(path)], swap_options, work.output)
        job, subjects = Job(), dict(known)
        works = work.service.read_swaps([request], job, subjects)
        (answer,) = work.service.swap_all(works, job)
        known[source] = subjects[source]  # decoded and analysed once for all destinations
        return work.write(path, answer.pictures[0])

    return work.over(options.destinations, swap)


def _enhance(options: argparse.Namespace) -> int:
    work = _Work(options, options.pictures)
    enhance_options = EnhanceOptions(_restore(options), options.upscale)

    def enhance(path: Path) -> Path:
        request, job = EnhanceRequest(_read(path), enhance_options, work.output), Job()
        (picture,) = work.service.read_enhances([request], job)
        return work.write(path, work.service.enhance(request, picture, job))

    return work.over(options.pictures, enhance)


def _detect(options: argparse.Namespace) -> int:
    service, failed = _load(), False
    for path in options.pictures:
        try:
            encoded, job = _read(path), Job()
            (picture,) = service.read_pictures([encoded], job)
            answer = service.detect(DetectRequest(encoded), picture, job)
        except PredictorError as error:
            failed = _complain(error)
            continue
        if options.json:
            print(json.dumps({"picture": str(path), **_as_json(answer)}))
        else:
            _print_faces(path, answer)
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _as_json(answer: FacesAnswer) -> dict[str, object]:
    faces = [
        {"id": number, "box": [round(edge, 1) for edge in _edges(face)], "score": round(face.score, 3)}
        for number, face in enumerate(answer.faces, start=1)
    ]
    return {"width": answer.width, "height": answer.height, "faces": faces}


def _print_faces(path: Path, answer: FacesAnswer) -> None:
    count = len(answer.faces)
    print(f"{path}: {count} {'face' if count == 1 else 'faces'}")
    for number, face in enumerate(answer.faces, start=1):
        left, top, right, bottom = _edges(face)
        print(
            f"  {number:>3}  left {left:7.1f}  top {top:7.1f}  right {right:7.1f}  bottom {bottom:7.1f}"
            f"  score {face.score:.3f}  {face.detected_by}"
        )


def _edges(face: Face) -> tuple[float, float, float, float]:
    box = face.box
    return float(box.left), float(box.top), float(box.right), float(box.bottom)


class _Work:
    """What swap and enhance share: one loaded service, one folder for the results, a bar over several pictures."""

    def __init__(self, options: argparse.Namespace, given: Sequence[Path]) -> None:
        self._given = given
        self.output = OutputOptions(options.format, options.quality)
        self._folder: Path = options.output
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(f"{self._folder}: the folder cannot be made") from error
        self.service = _load()
        self._written: set[Path] = set()

    def write(self, path: Path, altered: AlteredPicture) -> Path:
        """Mark, encode and save a picture under the name of the one it was made from."""
        from predictor.imaging.codec import output_format

        data = self.service.encode(altered, self.output, Job())
        extension = _EXTENSIONS[output_format(altered.picture.format, self.output.format)]
        target, number = self._folder / (path.stem + extension), 2
        while target in self._written:
            target, number = self._folder / f"{path.stem}-{number}{extension}", number + 1
        self._written.add(target)
        try:
            if target.exists() and any(given.exists() and target.samefile(given) for given in self._given):
                raise UndecodableImage(str(target), "the result would replace what was given; choose another -o")
            target.write_bytes(data)
        except OSError as error:
            raise UndecodableImage(str(target), "cannot be written") from error
        return target

    def over(self, paths: Sequence[Path], make: Callable[[Path], Path]) -> int:
        """Do every picture; one that fails is told in a line and does not stop the others."""
        failed = False
        # disable=None: no bar where stderr is no terminal
        with tqdm(paths, unit="picture", disable=None if len(paths) > 1 else True) as bar:
            for path in bar:
                try:
                    tqdm.write(str(make(path)), file=sys.stdout)
                except PredictorError as error:
                    failed = _complain(error)
        return EXIT_SOME_FAILED if failed else EXIT_OK


def _load() -> Service:
    from predictor.loader import load  # so that --help needs no runtime

    return load(read_settings(destinations_dir=None))


def _read(path: Path) -> EncodedPicture:
    try:
        return EncodedPicture(str(path), path.read_bytes(), str(path))
    except OSError as error:
        raise UndecodableImage(str(path), error.strerror or "cannot be read") from error


def _complain(error: PredictorError) -> bool:
    tqdm.write(f"error: {error.sentence}", file=sys.stderr)
    return True


def _pairs(options: argparse.Namespace) -> tuple[Pair, ...]:
    """Return who goes where; pairs that cannot be are an error of the command line."""
    if not options.pair:
        return (Pair(None, options.source_face or 1, options.destination_face or 1),)
    if options.source_face or options.destination_face:
        options.parser.error("--pair: not together with --source-face or --destination-face")
    receivers = [pair.destination_face_id for pair in options.pair]
    if len(set(receivers)) < len(receivers) or ("all" in receivers and len(receivers) > 1):
        options.parser.error("--pair: a face can take only one source")
    return tuple(options.pair)


def _restore(options: argparse.Namespace) -> RestoreOptions | None:
    return None if options.restore is None else RestoreOptions(blend=options.restore)


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


def _blend(text: str) -> float:
    try:
        blend = float(text)
    except ValueError:
        blend = -1.0
    if not 0.0 <= blend <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no strength from 0 to 1")
    return blend


def _quality(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:  # noqa: PLR2004  # the bounds of api.md
        raise argparse.ArgumentTypeError(f"{text!r} is no quality from 1 to 100")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictor",
        description="Swap faces: as a KServe server, or over files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"faceswap-predictor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", _serve, "answer KServe V1, V2 REST and gRPC until SIGTERM", epilog=_EPILOG)
    swap = _add(commands, "swap", _swap, "put a face of SOURCE onto faces of every DESTINATION", epilog=_SWAP_EPILOG)
    swap.add_argument("source", metavar="SOURCE", type=Path, help="the picture that gives the face")
    swap.add_argument("destinations", metavar="DESTINATION", type=Path, nargs="+", help="pictures that receive it")
    swap.add_argument("--source-face", metavar="N", type=_face_id, help="which face of SOURCE (default 1)")
    swap.add_argument("--destination-face", metavar="N", type=_face_id_or_all, help="which face, or all (default 1)")
    swap.add_argument(
        "--pair", metavar="S:D", type=_pair, action="append", help="source face S onto face D; may be repeated"
    )
    _add_output(swap, restore=None, upscale=1)
    enhance = _add(commands, "enhance", _enhance, "restore the faces of pictures and enlarge them")
    enhance.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="pictures to enhance")
    _add_output(enhance, restore=1.0, upscale=2)
    detect = _add(commands, "detect", _detect, "list the faces of pictures, numbered left to right")
    detect.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="pictures to look at")
    detect.add_argument("--json", action="store_true", help="a JSON object a picture instead of a table")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_output(parser: argparse.ArgumentParser, restore: float | None, upscale: int) -> None:
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--restore",
        metavar="BLEND",
        type=_blend,
        nargs="?",
        const=1.0,
        default=restore,
        help=f"restore faces, 0 to 1 (default {'off' if restore is None else restore}; 1 where no number follows)",
    )
    if restore is not None:
        parser.add_argument("--no-restore", dest="restore", action="store_const", const=None, help="leave faces alone")
    parser.add_argument("--upscale", type=int, choices=(1, 2, 4), default=upscale, help=f"default {upscale}")
    parser.add_argument(
        "--format", choices=("same", "jpeg", "png", "webp"), default="same", help="default same: the picture's own"
    )
    parser.add_argument("--quality", metavar="1-100", type=_quality, default=95, help="of JPEG and WebP (default 95)")
