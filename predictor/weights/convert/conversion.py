"""One official network made into one ONNX file, compared with torch before the file gets its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
import torch

from predictor.errors import ConversionFailed, PredictorError, WeightsDamaged
from predictor.weights.convert.checkpoints import blended, load, read_state
from predictor.weights.convert.export import export
from predictor.weights.convert.networks import SOURCES, Source
from predictor.weights.hashes import sha256_of
from predictor.weights.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.weights.convert import OfficialFiles
    from predictor.weights.convert.checkpoints import State

Tensor = npt.NDArray[np.float32]
Sample = tuple[Tensor, Tensor]
"""An input and torch's answer to it."""
Run = Callable[["Path", Tensor], Sequence[npt.NDArray[np.float32]]]
"""Runs a graph on its one input and returns its outputs."""

# An eighth of one of 255 levels, as a share of the range the output spans: nothing that rounding to pixels could show.
_TOLERANCE = 1 / (8 * 255)
_SEED = 0


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be made.

    Attributes:
        name: Of the made file.
        source: The official network.
        denoise_strength: Share of the official file in the blend with the one that denoises weakly.
    """

    name: str
    source: Source
    denoise_strength: float = 1.0

    def make(self, store: OfficialFiles, folder: Path, run: Run) -> Path:
        """Make the file, record its sha256 beside it, and return its path.

        Raises:
            WeightsMissing, WeightsDamaged, LicenceNotAccepted: An official file cannot be used.
            ConversionFailed: The graph does not compute what torch computes, or the folder cannot be written.
        """
        files = [store.find(file) for file in self._files()]
        path = folder / self.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            samples, graph = self._exported(files)
            return self._written(path, graph.SerializeToString(), samples, run)
        except OSError as error:
            raise ConversionFailed(f"{path} cannot be written: {error.strerror}") from error

    def _exported(self, files: Sequence[Path]) -> tuple[list[Sample], onnx.ModelProto]:
        """Return what the official module answers, and our graph."""
        module = self.source.wrap(load(self.source.build, self._state(files), files[0])).eval()
        samples = [(each, self._answer(module, each)) for each in self._inputs()]
        self.source.prepare(module)
        graph = export(module.eval(), torch.from_numpy(samples[-1][0]), self.source.free_axes)
        onnx.helper.set_model_props(graph, self._origin(files))
        return samples, graph

    def _written(self, path: Path, graph: bytes, samples: Sequence[Sample], run: Run) -> Path:
        """Write the graph, compare what it answers, record its sha256, and only then give it its name."""
        unfinished = path.with_name(f".{self.name}.part")
        try:
            unfinished.write_bytes(graph)
            for sample, expected in samples:
                self._compare(_run(self.name, run, unfinished, sample), expected)
            record(path.parent, self.name, sha256_of(unfinished), self._files())
            return unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _files(self) -> list[str]:
        blends = self.source.weaker_file and self.denoise_strength < 1
        return [self.source.file, str(self.source.weaker_file)] if blends else [self.source.file]

    def _state(self, files: Sequence[Path]) -> State:
        first, *others = [read_state(file) for file in files]
        try:
            for other in others:
                first = blended(first, other, self.denoise_strength)
        except (KeyError, RuntimeError) as error:
            raise WeightsDamaged(f"{files[0]} and {files[1]} hold weights of different networks") from error
        return first

    def _inputs(self) -> list[Tensor]:
        generator = np.random.default_rng(_SEED)
        return [generator.uniform(self.source.lowest, 1.0, shape).astype(np.float32) for shape in self.source.shapes]

    def _origin(self, files: Sequence[Path]) -> dict[str, str]:
        origin = {"made_from": ", ".join(f"{file.name} sha256:{sha256_of(file)}" for file in files)}
        return origin | ({"denoise_strength": f"{self.denoise_strength:g}"} if self.source.weaker_file else {})

    def _answer(self, module: torch.nn.Module, sample: Tensor) -> Tensor:
        with torch.inference_mode():
            answer: Tensor = module(torch.from_numpy(sample)).numpy()
        if not np.isfinite(answer).all() or np.ptp(answer) == 0.0:
            raise WeightsDamaged(f"{self.name} is not made: torch's own answer with {self._files()[0]} is no picture")
        return answer

    def _compare(self, answer: Tensor, expected: Tensor) -> None:
        if answer.shape != expected.shape:
            raise ConversionFailed(
                f"{self.name} is not made: the graph answers with shape {answer.shape}, torch with {expected.shape}"
            )
        difference = float(np.abs(answer - expected).max() / np.ptp(expected))
        if not difference <= _TOLERANCE:  # also where it is not a number
            raise ConversionFailed(
                f"{self.name} is not made: the graph's answer is {difference:.2g} of torch's range away from torch's,"
                f" and {_TOLERANCE:.2g} is the most that is accepted"
            )


def plan(names: Sequence[str], denoise_strength: float | None = None) -> list[Conversion]:
    """Return how files are made; the denoise strength counts for those that have one.

    Raises:
        ConversionFailed: Nothing of a name is made, or none has a denoise strength, or not this one.
    """
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        raise ConversionFailed(f"{unknown[0]} is not made by converting; choose from {', '.join(SOURCES)}")
    if denoise_strength is None:
        return [Conversion(name, SOURCES[name]) for name in names]
    blends = [name for name, source in SOURCES.items() if source.weaker_file]
    if set(names).isdisjoint(blends):
        raise ConversionFailed(f"{', '.join(names)}: no denoise strength to choose; {', '.join(blends)} has one")
    if not 0 <= denoise_strength <= 1:
        raise ConversionFailed(f"the denoise strength must lie between 0 and 1, not {denoise_strength:g}")
    return [Conversion(name, SOURCES[name], denoise_strength if name in blends else 1.0) for name in names]


def _run(name: str, run: Run, path: Path, sample: Tensor) -> Tensor:
    try:
        return run(path, sample)[0]
    except PredictorError as error:
        raise ConversionFailed(f"{name} is not made: the graph does not run: {error}") from error
