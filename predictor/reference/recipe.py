"""Builds the recipe `reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.errors import StartupError
from predictor.reference.analysis import open_analysis, open_swapper
from predictor.reference.pipeline import Packages, ReferencePipeline
from predictor.reference.restorer import RESTORERS, Gfpgan
from predictor.reference.upsampler import UPSAMPLERS, RealEsrgan
from predictor.weights.convert.official_packages import make_importable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from predictor.engines import Recipe
    from predictor.resources import Weights


def build(recipe: Recipe, weights: Weights, max_faces: int) -> ReferencePipeline:
    """Open every network of the recipe with the package its users open it with.

    Args:
        recipe: `reference`, its restorer or upsampler perhaps replaced by another that the packages have.
        weights: The files.
        max_faces: Pictures with more faces are refused.

    Raises:
        StartupError: The packages have no such model, a file cannot be run, or the extra `torch` is not installed.
    """
    _require("DETECTOR", recipe.detector, ["scrfd"])
    _require("EMBEDDER", recipe.embedder, ["arcface"])
    _require("SWAPPER", recipe.swapper, ["inswapper"])
    _require("RESTORER", recipe.restorer, RESTORERS)
    _require("UPSAMPLER", recipe.upsampler, UPSAMPLERS)
    _require("RESTORER_MASK", recipe.restorer_mask, ["parse"])
    make_importable()
    packages = Packages(
        analysis=open_analysis(weights),
        swapper=open_swapper(weights),
        restorer=Gfpgan(weights, recipe.restorer) if recipe.restorer else None,
        restorer_name=recipe.restorer,
        upsampler=RealEsrgan(weights, recipe.upsampler) if recipe.upsampler else None,
    )
    return ReferencePipeline(packages, max_faces)


def _require(step: str, name: str | None, offered: Iterable[str]) -> None:
    if name is not None and name not in (names := sorted(offered)):
        raise StartupError(f"PREDICTOR_{step}: the recipe reference has no {name!r}; available: {', '.join(names)}")
