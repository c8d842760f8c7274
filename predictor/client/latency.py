"""How long calls took: percentiles that are times which really occurred."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds a call took, as its client saw them."""

    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies | None:
        """Return the percentiles by nearest rank; None of no calls."""
        if not seconds:
            return None
        ordered = [each * _MILLISECONDS for each in sorted(seconds)]

        def percentile(percent: int) -> float:
            return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]

        return cls(ordered[0], percentile(50), percentile(90), percentile(95), percentile(99), ordered[-1])

    def as_dict(self) -> dict[str, float]:
        """Return them by name, in order."""
        return {name: round(milliseconds, 3) for name, milliseconds in asdict(self).items()}
