"""Finds the files of weights that this deployment may run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import WeightsMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from predictor.settings import Settings


@dataclass(frozen=True, slots=True)
class Store:
    """Folders with files of weights, searched in order."""

    folders: Sequence[Path]

    def find(self, *names: str) -> Path:
        """Return the first of these files that is there.

        Raises:
            WeightsMissing: None is in any of the folders.
        """
        for name in names:
            for folder in self.folders:
                if (folder / name).is_file():
                    return folder / name
        raise WeightsMissing(f"{' or '.join(names)} is missing; python -m predictor weights pull {names[0]}")


def store_of(settings: Settings) -> Store:
    """Return the files that the settings describe."""
    return Store([settings.weights_dir] if settings.weights_dir else [])
