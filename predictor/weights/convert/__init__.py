"""Official files of weights made into ONNX files, with the official packages (the extra `torch`).

Nothing here needs torch to be imported: `convert` imports the rest of the package once it knows that torch is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tqdm import tqdm

from predictor.weights.convert.official_packages import make_importable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from predictor.weights.convert.conversion import Run


class OfficialFiles(Protocol):
    """Where the official files are."""

    def find(self, *names: str) -> Path:
        """Return the first of these files that is there, its sha256 checked and its licence accepted."""


def convert(
    names: Sequence[str], store: OfficialFiles, folder: Path, run: Run, denoise_strength: float | None = None
) -> list[Path]:
    """Make ONNX files of official weights; each gets its name, and its sha256 recorded, once it agrees with torch.

    Args:
        names: Files to make, as the manifest calls them: `gfpgan_1.4.onnx`.
        store: Where the official files are.
        folder: Where the made ones go.
        run: Runs a graph on its one input: (path, input) to outputs.
        denoise_strength: For `real_esrgan_x4v3.onnx`: 1, the default, is the official file, 0 the one that denoises
            weakly; between, the two are blended.

    Returns:
        The files, in the order of the names.

    Raises:
        PackagesMissing: The extra `torch` is not installed.
        WeightsMissing, WeightsDamaged, LicenceNotAccepted: An official file cannot be used.
        ConversionFailed: There is no such file to make, or the made one does not compute what torch computes.
    """
    make_importable()
    from predictor.weights.convert.conversion import plan  # noqa: PLC0415  # needs torch

    made = []
    with tqdm(plan(names, denoise_strength), unit="file", disable=None) as progress:
        for conversion in progress:
            progress.set_description(f"converting {conversion.name}")
            made.append(conversion.make(store, folder, run))
    return made
