"""Recipes: which model does each step. An engine is nothing but such a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from predictor.detectors import DETECTORS
from predictor.errors import StartupError
from predictor.pipeline import Pipeline, Stages
from predictor.restorers import RESTORERS
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.runtime.session import OpenSession
    from predictor.settings import Settings

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name per step; None where the recipe goes without."""

    detector: str
    swapper: str
    restorer: str | None
    upsampler: str | None


RECIPES = {"embedded": Recipe(detector="centerface", swapper="blend", restorer="sharpen", upsampler="lanczos")}


def recipe_of(settings: Settings) -> Recipe:
    """Return the recipe the settings name, single steps of it replaced.

    Raises:
        StartupError: There is no recipe of that name.
    """
    recipe = _named(RECIPES, settings.recipe, "PREDICTOR_RECIPE")
    steps = ("detector", "swapper", "restorer", "upsampler")
    return replace(recipe, **{step: chosen for step in steps if (chosen := getattr(settings, step))})


def build(recipe: Recipe, open_session: OpenSession, max_faces: int) -> Pipeline:
    """Build every stage of a recipe.

    Raises:
        StartupError: A step names a model that does not exist, or its model cannot be opened.
    """
    detector = _named(DETECTORS, recipe.detector, "PREDICTOR_DETECTOR")(open_session)
    swapper = _named(SWAPPERS, recipe.swapper, "PREDICTOR_SWAPPER")(open_session)
    restorer = recipe.restorer and _named(RESTORERS, recipe.restorer, "PREDICTOR_RESTORER")(open_session)
    upsampler = recipe.upsampler and _named(UPSAMPLERS, recipe.upsampler, "PREDICTOR_UPSAMPLER")(open_session)
    stages = Stages(detector, None, swapper, restorer or None, upsampler or None, recipe.restorer)
    return Pipeline(stages, max_faces)


def _named(registry: Mapping[str, _T], name: str, setting: str) -> _T:
    if name not in registry:
        raise StartupError(f"{setting}: there is no {name!r}; available: {', '.join(sorted(registry))}")
    return registry[name]
