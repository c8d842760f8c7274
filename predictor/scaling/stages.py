"""The contracts of `predictor.stages`, kept by replicas on other machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.engines import recipe_of, require_embedder
from predictor.loader import proved
from predictor.pipeline import Pipeline, Stages
from predictor.scaling.calls import Calls
from predictor.stages import carry_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from predictor.faces import Crop, Embedding, Face, Identity, Image, Mask, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.scaling.outcomes import RestorerFacts, SwapperFacts, UpsamplerFacts
    from predictor.scaling.workshop import StageName
    from predictor.service import Service
    from predictor.settings import Settings


@dataclass(slots=True, eq=False)
class RemoteDetector:
    """Finds faces elsewhere."""

    calls: Calls

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        """Return every face of a picture; the call itself knows whose job it is, and is taken back with it."""
        return list(self.calls.ask("detect", image))


@dataclass(slots=True, eq=False)
class RemoteEmbedder:
    """Tells elsewhere who a face is."""

    calls: Calls
    template: LandmarkTemplate

    def embed(self, crops: Sequence[Image]) -> list[Embedding]:
        """Return an embedding of length 1 for each crop."""
        return list(self.calls.ask("embed", list(crops))) if crops else []


class RemoteSwapper:
    """Swaps elsewhere.

    Args:
        calls: Its replicas.
        facts: What one of them told.
    """

    def __init__(self, calls: Calls, facts: SwapperFacts) -> None:
        self._calls = calls
        self.source_template, self.templates = facts.source_template, facts.templates
        self.trained, self.needs_embedding = facts.trained, facts.needs_embedding
        self.least_scale = facts.least_scale

    def swap(
        self,
        crops: Sequence[Crop],
        identities: Sequence[Identity],
        check: Callable[[], None] = carry_on,  # noqa: ARG002  # while it waits, the running job is asked
    ) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position."""
        return list(self._calls.ask("swap", list(crops), list(identities))) if crops else []


class RemoteRestorer:
    """Restores elsewhere.

    Args:
        calls: Its replicas.
        facts: What one of them told.
    """

    def __init__(self, calls: Calls, facts: RestorerFacts) -> None:
        self._calls = calls
        self.template, self.trained = facts.template, facts.trained

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, restored, same sizes."""
        return list(self._calls.ask("restore", list(crops))) if crops else []


@dataclass(slots=True, eq=False)
class RemoteParser:
    """Tells elsewhere where crops show the face."""

    calls: Calls
    template: LandmarkTemplate

    def parse(self, crops: Sequence[Image]) -> list[Mask]:
        """Return where each crop shows the face, softly."""
        return list(self.calls.ask("parse", list(crops))) if crops else []


class RemoteUpsampler:
    """Enlarges pictures elsewhere.

    Args:
        calls: Its replicas.
        facts: What one of them told.
    """

    def __init__(self, calls: Calls, facts: UpsamplerFacts) -> None:
        self._calls = calls
        self.scales, self.trained = facts.scales, facts.trained

    def upsample(self, image: Image, scale: int, check: Callable[[], None] = carry_on) -> Image:  # noqa: ARG002
        """Return the picture, `scale` times as wide and as high."""
        enlarged: Image = self._calls.ask("upsample", image, scale)
        return enlarged


def remote_service(handles: Mapping[StageName, object], settings: Settings) -> Service:
    """Return the service whose stages are those behind the handles, proved by a warm-up through all of them.

    Waits until every stage has a replica that has proved itself.

    Args:
        handles: A DeploymentHandle for each stage of the recipe.
        settings: What the operator decided.

    Raises:
        StartupError: The swapper needs an embedder, and the recipe has none; a stage gave an answer that cannot be
            right, or the folder of destinations cannot be read.
    """
    recipe = recipe_of(settings)
    calls = {stage: Calls(stage, handle) for stage, handle in handles.items()}
    facts = {stage: each.describe() for stage, each in calls.items()}
    detector, detects = calls["detector"], facts["detector"]
    swapper = RemoteSwapper(calls["swapper"], facts["swapper"])
    embedder = RemoteEmbedder(detector, detects.embeds) if detects.embeds else None
    require_embedder(recipe, swapper, embedder)
    restorer, parser, upsampler = None, None, None
    if "restorer" in calls:
        restorer = RemoteRestorer(calls["restorer"], facts["restorer"])
        parses = facts["restorer"].parses
        parser = RemoteParser(calls["restorer"], parses) if parses else None
    if "upsampler" in calls:
        upsampler = RemoteUpsampler(calls["upsampler"], facts["upsampler"])
    stages = Stages(RemoteDetector(detector), embedder, swapper, restorer, upsampler, recipe.restorer, parser)
    sessions = [session for each in facts.values() for session in each.running.sessions]
    weights = [file for each in facts.values() for file in each.running.weights]
    return proved(Pipeline(stages, settings.limit_faces), settings, sessions, weights)
