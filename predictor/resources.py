"""What the builder of a stage is handed: how to open networks, and where their weights are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.runtime.session import OpenSession


class Weights(Protocol):
    """The files this deployment may run."""

    def find(self, name: str) -> Path:
        """Return the file that the manifest lists under a name, its sha256 checked.

        Raises:
            WeightsMissing, WeightsDamaged, LicenceNotAccepted: One sentence each, with what the operator can do.
        """


@dataclass(frozen=True, slots=True)
class Resources:
    """What every stage is built from."""

    open_session: OpenSession
    weights: Weights
