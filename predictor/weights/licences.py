"""Which files of weights this operator may use: nothing runs and nothing is pulled without its licence accepted.

A licence is accepted by its name and never all at once: accepting means having read, and a list may grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import LicenceNotAccepted, StartupError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from predictor.weights.manifest import Manifest, WeightFile

_PERMISSIVE = "permissive"


@dataclass(frozen=True, slots=True)
class Licences:
    """What the operator decided about licences.

    Attributes:
        accepted: Ids of licences of the manifest.
        only_commercial: Use nothing that does not surely allow commercial use.
    """

    accepted: frozenset[str] = frozenset()
    only_commercial: bool = False

    def check(self, manifest: Manifest, file: WeightFile) -> None:
        """Let a file be used, or say why not.

        Raises:
            LicenceNotAccepted: It is left out by the permissive profile, or its licence was not accepted.
        """
        if self.leaves_out(file):
            allows = "does not allow" if file.commercial_use == "no" else "may not allow"
            raise LicenceNotAccepted(
                f"{file.name} is left out by PREDICTOR_PROFILE=permissive: its licence, {file.weights_licence}, "
                f"{allows} commercial use; choose another model for this step, or set PREDICTOR_PROFILE=all"
            )
        if not self.accepts(manifest, file):
            licence = manifest.licence(file)
            names = ",".join(sorted({*self.accepted, licence.id}))
            raise LicenceNotAccepted(
                f"{file.name} is under {licence.id} ({licence.title}; {licence.url}), which has not been accepted; "
                f"if you accept it, set PREDICTOR_ACCEPTED_LICENCES={names}, or pass --accept-licence {licence.id} "
                "to `weights pull` and `weights convert`"
            )

    def leaves_out(self, file: WeightFile) -> bool:
        """Return whether the permissive profile does without a file."""
        return self.only_commercial and file.commercial_use != "yes"

    def accepts(self, manifest: Manifest, file: WeightFile) -> bool:
        """Return whether a file's licence was accepted, or asks for no acceptance."""
        licence = manifest.licence(file)
        return licence.id in self.accepted or not licence.needs_acceptance


def licences_of(manifest: Manifest, accepted: Iterable[str], profile: str) -> Licences:
    """Return what the operator decided.

    Args:
        manifest: The licences there are.
        accepted: Ids, in any case.
        profile: `all` or `permissive`.

    Raises:
        StartupError: An id is none of the manifest's.
    """
    named = {name.lower(): name for name in manifest.licences}
    for licence in accepted:
        if licence.lower() not in named:
            raise StartupError(
                f"PREDICTOR_ACCEPTED_LICENCES and --accept-licence: there is no licence {licence!r}; "
                f"each is accepted by its name: {', '.join(manifest.licences)}"
            )
    return Licences(frozenset(named[licence.lower()] for licence in accepted), profile == _PERMISSIVE)
