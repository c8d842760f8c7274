"""What a replica is made of: one stage of the recipe, built from settings that came as plain data, and proved once."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from predictor.engines import Builder, recipe_of
from predictor.errors import StartupError
from predictor.faces import Identity
from predictor.imaging.alignment import align
from predictor.imaging.drawn_face import drawn_face
from predictor.loader import opener_of
from predictor.resources import Resources
from predictor.scaling.outcomes import Running
from predictor.settings import Settings
from predictor.weights.needs import needs_of, require
from predictor.weights.store import store_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.engines import Recipe
    from predictor.faces import Crop, Image, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.runtime.providers import Sessions
    from predictor.stages import Embedder, Restorer, Swapper, Upsampler
    from predictor.weights.store import Store

StageName = Literal["detector", "swapper", "restorer", "upsampler"]
STAGES: tuple[StageName, ...] = ("detector", "swapper", "restorer", "upsampler")
"""What runs in replicas of its own; the embedder stands beside the detector, the parser beside the restorer."""

_WORKERS = 8
"""Requests worked on at a time where nobody says: mostly they wait for stages, where they make batches."""
_BESIDE = {"detector": ("detector", "embedder"), "restorer": ("restorer", "restorer_mask")}
_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Workshop:
    """How to build the stage of one replica."""

    builder: Builder
    opener: Sessions
    store: Store

    @property
    def running(self) -> Running:
        """What was opened so far."""
        return Running(self.opener.opened, tuple(self.store.loaded.values()))


def plain(settings: Settings) -> dict[str, Any]:
    """Return settings as what JSON can hold: the same on every machine, whatever its environment says."""
    return settings.model_dump(mode="json")


def with_more_workers(settings: Settings) -> Settings:
    """Return the settings with so many workers that batches form, unless the operator gave a number."""
    if settings.workers is not None:
        return settings
    return settings.model_copy(update={"workers": _WORKERS})


def offered(recipe: Recipe) -> list[StageName]:
    """Return the stages that a recipe has."""
    return [stage for stage in STAGES if getattr(recipe, stage) is not None]


def workshop(given: Mapping[str, Any], stage: StageName) -> Workshop:
    """Return what builds the stage of this replica, its weights found and its licences accepted.

    Args:
        given: From `plain`.
        stage: Which one; weights of the others need not be on this machine.

    Raises:
        StartupError: They are not there, or may not be used, or nothing here can run them.
    """
    cv2.setNumThreads(1)
    settings = Settings(**given)
    recipe, store = recipe_of(settings), store_of(settings)
    require_scalable(settings)
    own = [getattr(recipe, step) for step in _BESIDE.get(stage, (stage,))]
    require(store, needs_of(store.manifest, settings.recipe, own))
    opener = opener_of(settings)
    return Workshop(Builder(recipe, Resources(opener, store)), opener, store)


def require_scalable(settings: Settings) -> None:
    """Raise StartupError where the recipe is none of stages that can be put apart."""
    if settings.recipe == "reference":
        raise StartupError("the recipe reference runs the peers' own pipeline in one piece; it cannot go behind Ray")


def require_weights(settings: Settings) -> None:
    """See that this machine has what every stage needs, before any is started on it.

    Raises:
        StartupError: Weights are missing, damaged or may not be used; or the recipe does not exist.
    """
    require_scalable(settings)
    recipe, store = recipe_of(settings), store_of(settings)
    require(store, needs_of(store.manifest, settings.recipe, astuple(recipe)))


def example_picture() -> Image:
    """Return a drawn face, 256x256."""
    return drawn_face()[0]


def example(template: LandmarkTemplate) -> Crop:
    """Return a drawn face as a stage wants it."""
    image, face = drawn_face()
    return align(image, face.landmarks, template)


def other_example(template: LandmarkTemplate) -> Crop:
    """Return another one: the same face, mirrored."""
    crop = example(template)
    return replace(crop, image=np.ascontiguousarray(crop.image[:, ::-1]))


def example_identities(swapper: Swapper) -> tuple[Identity, Identity]:
    """Return what two sources look like to a swapper."""
    crops = other_example(swapper.source_template), example(swapper.source_template)
    if not swapper.needs_embedding:
        return Identity(crops[0], None), Identity(crops[1], None)
    embeddings = np.eye(2, _LENGTH, dtype=np.float32)
    return Identity(crops[0], embeddings[0]), Identity(crops[1], embeddings[1])


def swaps_alike(swapper: Swapper) -> bool:
    """Return whether crops come out the same, byte for byte, together with others and alone.

    Engines choose other ways for larger batches, and sums in another order are other bytes. Where that is so, orders
    are worked on one after another: the same request shall give the same bytes, whoever else is there.
    """
    template = swapper.templates[0]
    crops, identities = (example(template), other_example(template)), example_identities(swapper)
    alone = [swapper.swap([crop], [identity])[0] for crop, identity in zip(crops, identities, strict=True)]
    numbers = [0, 1, 1, 0, 1]  # pairs of both orders, and one left over
    together = swapper.swap([crops[each] for each in numbers], [identities[each] for each in numbers])
    return all(_same(made, alone[each]) for made, each in zip(together, numbers, strict=True))


def restores_alike(restorer: Restorer) -> bool:
    """Return whether crops come out the same, byte for byte, together with others and alone."""
    crops = [example(restorer.template).image, other_example(restorer.template).image]
    alone = [restorer.restore([crop])[0] for crop in crops]
    return all(np.array_equal(*pair) for pair in zip(restorer.restore(crops), alone, strict=True))


def _same(one: SwappedCrop, other: SwappedCrop) -> bool:
    values = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all(np.array_equal(*pair) for pair in values)


def prove_embedder(embedder: Embedder) -> None:
    """Let it work once."""
    embedder.embed([example(embedder.template).image])


def prove_upsampler(upsampler: Upsampler) -> None:
    """Let it work once, on something small."""
    upsampler.upsample(small_picture(), upsampler.scales[0])


def small_picture() -> Image:
    """Return the eyes of a drawn face, 64x96."""
    return np.ascontiguousarray(example_picture()[80:144, 80:176])
