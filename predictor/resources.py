"""What the builder of a stage is handed: how to open networks, and where their weights are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.runtime.session import OpenSession


class Weights(Protocol):
    """The files this deployment may run."""

    def find(self, *names: str) -> Path:
        """Return the first of these files that is there, its sha256 checked and its licence accepted.

        Args:
            names: As the manifest lists them, the preferred one first.

        Raises:
            WeightsMissing, WeightsDamaged, LicenceNotAccepted: One sentence each, with what the operator can do.
        """


@dataclass(frozen=True, slots=True)
class Resources:
    """What every stage is built from."""

    open_session: OpenSession
    weights: Weights
