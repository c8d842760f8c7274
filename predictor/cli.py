"""The command line: `serve` and `call`; swap, enhance, detect and `bulk` without a server; weights; `bench`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from predictor import arguments, call_arguments, picture_arguments, weights_commands
from predictor.errors import PredictorError, StartupError, UndecodableImage
from predictor.job import Job
from predictor.options import EnhanceOptions, OutputOptions, SwapOptions
from predictor.requests import DetectRequest, EncodedPicture, EnhanceRequest, SwapRequest
from predictor.settings import read_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from predictor.faces import Face
    from predictor.requests import AlteredPicture, FacesAnswer
    from predictor.service import Service, Subjects

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_CANNOT_START = 0, 1, 2, 3
_EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code."""
    commands = {
        "serve": _serve,
        "swap": _swap,
        "enhance": _enhance,
        "detect": _detect,
        "call": _call,
        "bulk": _bulk,
        "weights list": weights_commands.list_files,
        "weights pull": weights_commands.pull,
        "weights verify": weights_commands.verify,
        "weights convert": weights_commands.convert,
        "bench": _bench,
    }
    options = arguments.parser(commands).parse_args(words)
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


def _serve(options: argparse.Namespace) -> int:
    if options.scale == "ray":
        from predictor.scaling.pod import serve as serve_behind_ray

        return serve_behind_ray(read_settings())
    from predictor.serving.server import serve  # KServe takes seconds to import; nobody else needs it

    return serve(read_settings())


def _swap(options: argparse.Namespace) -> int:
    swap_options = SwapOptions(picture_arguments.pairs(options), picture_arguments.restore(options), options.upscale)
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
    enhance_options = EnhanceOptions(picture_arguments.restore(options), options.upscale)

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


def _call(options: argparse.Namespace) -> int:
    from predictor.client.given import read_smoke
    from predictor.client.server_process import termination_as_interrupt
    from predictor.client.smoke import call

    call_arguments.check(options)
    smoke = read_smoke(options)
    with termination_as_interrupt():
        report = call(smoke)
    print(json.dumps(report.as_json()) if options.json else report.as_text())
    return EXIT_SOME_FAILED if report.failed else EXIT_OK


def _bulk(options: argparse.Namespace) -> int:
    from predictor.client.server_process import termination_as_interrupt
    from predictor.scaling.bulk_command import bulk

    with termination_as_interrupt():
        summary = bulk(options)
    print(summary.as_text())
    return EXIT_OK if summary.complete else EXIT_SOME_FAILED


def _bench(options: argparse.Namespace) -> int:
    from predictor.bench.run import run

    table = run(options.output, quick=options.quick)
    print(table.read_text("utf-8"))
    print(f"{table.with_suffix('.json')} says the same for programs", file=sys.stderr)
    return EXIT_OK


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
