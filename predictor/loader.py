"""From settings to a service that has proved itself: sessions, engine, warm-up, destinations."""

from __future__ import annotations

import logging
from dataclasses import astuple
from typing import TYPE_CHECKING

import cv2

from predictor.destinations import load_destinations
from predictor.engines import build, recipe_of
from predictor.errors import StageFailed, StartupError
from predictor.resources import Resources
from predictor.runtime.providers import Sessions, session_opener
from predictor.service import Service
from predictor.warmup import warm_up
from predictor.weights.needs import needs_of, require
from predictor.weights.store import store_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.engines import Recipe
    from predictor.pipelines import AnyPipeline
    from predictor.runtime.session import OpenedSession, OpenSession
    from predictor.settings import Settings
    from predictor.weights.store import LoadedWeights

_log = logging.getLogger(__name__)


def load(settings: Settings, open_session: OpenSession | None = None) -> Service:
    """Build the pipeline the settings describe and run it once.

    Args:
        settings: What the operator decided.
        open_session: Opens a network; None opens real ones as the settings say.

    Raises:
        StartupError: What keeps the server from working, in a sentence for the operator.
    """
    # Workers are the parallelism; OpenCV's own threads would only fight them and ONNX Runtime's.
    cv2.setNumThreads(1)
    recipe, store = recipe_of(settings), store_of(settings)
    require(store, needs_of(store.manifest, settings.recipe, astuple(recipe)))
    opener = open_session or opener_of(settings)
    pipeline = _built(recipe, Resources(opener, store), settings)
    sessions = opener.opened if isinstance(opener, Sessions) else ()
    return proved(pipeline, settings, sessions, list(store.loaded.values()))


def proved(
    pipeline: AnyPipeline,
    settings: Settings,
    sessions: Sequence[OpenedSession] = (),
    weights: Sequence[LoadedWeights] = (),
) -> Service:
    """Run a pipeline once, let it look at the destinations, and return the service over it.

    Args:
        pipeline: The recipe at work.
        settings: What the operator decided.
        sessions: How its networks run.
        weights: What they run.

    Raises:
        StartupError: A stage gave an answer that cannot be right, or the folder of destinations cannot be read.
    """
    try:
        warm_up(pipeline)
    except StageFailed as error:
        _log.error("the warm-up failed", exc_info=error)
        raise StartupError(f"the warm-up failed: {error.sentence}") from error
    _log.info("recipe %s is warm: %s", settings.recipe, recipe_of(settings))
    destinations = load_destinations(
        settings.destinations_dir, settings.destinations_limit_bytes, settings.limit_pixels, pipeline
    )
    return Service(pipeline, destinations, settings, sessions, weights)


def opener_of(settings: Settings) -> Sessions:
    """Return what opens networks as the settings say.

    Raises:
        StartupError: This build or this machine cannot do what they say.
    """
    return session_opener(settings.provider, settings.threads, settings.precision, strict=settings.strict_provider)


def _built(recipe: Recipe, resources: Resources, settings: Settings) -> AnyPipeline:
    if settings.recipe == "reference":
        from predictor.reference.recipe import build as build_reference  # noqa: PLC0415  # its packages are an extra

        return build_reference(recipe, resources.weights, settings.limit_faces)
    return build(recipe, resources, settings.limit_faces)
