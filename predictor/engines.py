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
    from predictor.stages import Detector, Embedder, FaceParser, Restorer, Swapper, Upsampler

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


class Builder:
    """Builds the stages of a recipe, each by itself: on one machine all of them, on many each where it runs.

    Every method raises StartupError where a step names a model that does not exist, or its model cannot be opened.

    Args:
        recipe: A name per step.
        resources: How to open networks, and where their weights are.
    """

    def __init__(self, recipe: Recipe, resources: Resources) -> None:
        self._recipe = recipe
        self._resources = resources

    def detector(self) -> Detector:
        """Return the detector."""
        return _named(DETECTORS, self._recipe.detector, "PREDICTOR_DETECTOR")(self._resources)

    def embedder(self) -> Embedder | None:
        """Return the embedder; None where the recipe has none."""
        name = self._recipe.embedder
        return _named(EMBEDDERS, name, "PREDICTOR_EMBEDDER")(self._resources) if name else None

    def swapper(self) -> Swapper:
        """Return the swapper."""
        return _named(SWAPPERS, self._recipe.swapper, "PREDICTOR_SWAPPER")(self._resources)

    def restorer(self) -> Restorer | None:
        """Return the restorer; None where the recipe has none."""
        name = self._recipe.restorer
        return _named(RESTORERS, name, "PREDICTOR_RESTORER")(self._resources) if name else None

    def parser(self) -> FaceParser | None:
        """Return what says where a restored face counts; None where nothing has to look."""
        return _named(MASKS, self._recipe.restorer_mask, "PREDICTOR_RESTORER_MASK")(self._resources)

    def upsampler(self) -> Upsampler | None:
        """Return the upsampler; None where the recipe has none."""
        name = self._recipe.upsampler
        return _named(UPSAMPLERS, name, "PREDICTOR_UPSAMPLER")(self._resources) if name else None


def build(recipe: Recipe, resources: Resources, max_faces: int) -> Pipeline:
    """Build every stage of a recipe.

    Raises:
        StartupError: A step names a model that does not exist, or its model cannot be opened; or the swapper needs an
            embedder and the recipe has none.
    """
    builder = Builder(recipe, resources)
    detector, embedder, swapper = builder.detector(), builder.embedder(), builder.swapper()
    require_embedder(recipe, swapper, embedder)
    restorer, parser, upsampler = builder.restorer(), builder.parser(), builder.upsampler()
    return Pipeline(Stages(detector, embedder, swapper, restorer, upsampler, recipe.restorer, parser), max_faces)


def require_embedder(recipe: Recipe, swapper: Swapper, embedder: Embedder | None) -> None:
    """Raise StartupError where the swapper needs an embedder and there is none."""
    if swapper.needs_embedding and embedder is None:
        raise StartupError(f"{recipe.swapper} needs an embedder: set PREDICTOR_EMBEDDER={'|'.join(sorted(EMBEDDERS))}")


def _named(registry: Mapping[str, _T], name: str, setting: str) -> _T:
    if name not in registry:
        raise StartupError(f"{setting}: there is no {name!r}; available: {', '.join(sorted(registry))}")
    return registry[name]
