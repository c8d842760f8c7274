"""Files of weights in a folder, as a stage asks for them; no hashes, no licences: they are stand-ins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from predictor.errors import WeightsMissing
from predictor.stand_ins import FILES, Size, write


@dataclass(frozen=True)
class Folder:
    """What is there.

    Attributes:
        path: Of the folder.
        size: Of the stand-ins that are made when they are first asked for; None makes none.
    """

    path: Path
    size: Size | None = None

    def find(self, *names: str) -> Path:
        for name in names:
            if (self.path / name).is_file():
                return self.path / name
        made = [name for name in names if name in FILES]
        if self.size is None or not made:
            raise WeightsMissing(f"{names[0]} is missing")
        return write(self.path, self.size, made[:1])[0]
