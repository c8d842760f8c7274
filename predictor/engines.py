"""Recipes: which model does each step. An engine is nothing but such a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from predictor.detectors import DETECTORS
from predictor.embedders import EMBEDDERS
from predictor.errors import StartupError
from predictor.pipeline import Pipeline, Stages
from predictor.restorers import MASKS, RESTORERS
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.resources import Resources
    from predictor.settings import Settings

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name per step; None where the recipe goes without."""

    detector: str
    embedder: str | None
    swapper: str
    restorer: str | None
    upsampler: str | None
    restorer_mask: str = "soft"
    """How it is found out where a restored face counts."""


_TRAINED = Recipe("scrfd", "arcface", "inswapper", "gfpgan_1.4", "real_esrgan")
RECIPES = {
    "embedded": Recipe("centerface", None, "blend", "sharpen", "lanczos"),
    "onnx": _TRAINED,
    # the same models, run by the peers' own packages, of which GFPGANer always parses: `predictor.reference` builds it
    "reference": replace(_TRAINED, restorer_mask="parse"),
}


def recipe_of(settings: Settings) -> Recipe:
    """Return the recipe the settings name, single steps of it replaced.

    Raises:
        StartupError: There is no recipe of that name.
    """
    recipe = _named(RECIPES, settings.recipe, "PREDICTOR_RECIPE")
    steps = ("detector", "embedder", "swapper", "restorer", "upsampler", "restorer_mask")
    return replace(recipe, **{step: chosen for step in steps if (chosen := getattr(settings, step))})


def build(recipe: Recipe, resources: Resources, max_faces: int) -> Pipeline:
    """Build every stage of a recipe.

    Raises:
        StartupError: A step names a model that does not exist, or its model cannot be opened; or the swapper needs an
            embedder and the recipe has none.
    """
    detector = _named(DETECTORS, recipe.detector, "PREDICTOR_DETECTOR")(resources)
    embedder = recipe.embedder and _named(EMBEDDERS, recipe.embedder, "PREDICTOR_EMBEDDER")(resources)
    swapper = _named(SWAPPERS, recipe.swapper, "PREDICTOR_SWAPPER")(resources)
    if swapper.needs_embedding and not embedder:
        raise StartupError(f"{recipe.swapper} needs an embedder: set PREDICTOR_EMBEDDER={'|'.join(sorted(EMBEDDERS))}")
    restorer = recipe.restorer and _named(RESTORERS, recipe.restorer, "PREDICTOR_RESTORER")(resources)
    parser = _named(MASKS, recipe.restorer_mask, "PREDICTOR_RESTORER_MASK")(resources)
    upsampler = recipe.upsampler and _named(UPSAMPLERS, recipe.upsampler, "PREDICTOR_UPSAMPLER")(resources)
    stages = Stages(detector, embedder or None, swapper, restorer or None, upsampler or None, recipe.restorer, parser)
    return Pipeline(stages, max_faces)


def _named(registry: Mapping[str, _T], name: str, setting: str) -> _T:
    if name not in registry:
        raise StartupError(f"{setting}: there is no {name!r}; available: {', '.join(sorted(registry))}")
    return registry[name]
