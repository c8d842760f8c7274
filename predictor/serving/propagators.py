"""How the context of a trace comes with a request: by W3C's headers, or as OTEL_PROPAGATORS says.

OpenTelemetry raises when it is imported if that variable has a name of no installed package, and FastAPI imports it,
tracing or not: the server would not start for it. So unknown names are taken out before, and told when traces begin.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_VARIABLE = "OTEL_PROPAGATORS"
_NONE = "none"
NOT_INSTALLED: list[str] = []
"""The names that were taken out of the environment of this process."""


def hide_unknown_propagators(environment: MutableMapping[str, str]) -> list[str]:
    """Leave only names that OpenTelemetry can load, its own default where there are none, and return the others."""
    asked = [name.strip() for name in environment.get(_VARIABLE, "").split(",") if name.strip()]
    installed = {one.name for one in entry_points(group="opentelemetry_propagator")} | {_NONE}
    known = [name for name in asked if name in installed]
    if known:
        environment[_VARIABLE] = ",".join(known)
    else:
        environment.pop(_VARIABLE, None)
    return [name for name in asked if name not in installed]
