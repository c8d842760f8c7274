"""Files of weights in a folder, as a stage asks for them; no hashes, no licences: they are stand-ins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from predictor.errors import WeightsMissing


@dataclass(frozen=True)
class Folder:
    path: Path

    def find(self, *names: str) -> Path:
        for name in names:
            if (self.path / name).is_file():
                return self.path / name
        raise WeightsMissing(f"{names[0]} is missing")
