"""Sample pictures that ship inside other packages: found on disk, nothing is downloaded and nothing imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from predictor.errors import PredictorError


class SampleMissing(PredictorError):
    """The package that ships a sample picture is not installed."""

    def __init__(self, sample: str, package: str) -> None:
        super().__init__(
            f"the sample picture {sample} ships in the package {package}, which is not installed; "
            "the dependency group `demo` has it (requirements/dev.txt)"
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """A photograph inside an installed package."""

    name: str
    """File name it is copied under."""
    package: str
    """Import name of the package that ships it."""
    inside: str
    """Path below the package's folder."""
    caption: str
    """Who it shows, for people."""

    def path(self) -> Path:
        """Return where the file lies.

        Raises:
            SampleMissing: The package, or the file in it, is not installed.
        """
        spec = find_spec(self.package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(folder, self.inside)
            if path.is_file():
                return path
        raise SampleMissing(self.name, self.package)

    def read(self) -> bytes:
        """Return the file's bytes, encoded as they were shipped."""
        return self.path().read_bytes()


# Portraits by NASA and the US Navy, public domain; one face each.
ASTRONAUT = Sample("astronaut.png", "skimage", "data/astronaut.png", "Eileen Collins (NASA, public domain)")
GRACE_HOPPER = Sample(
    "grace_hopper.jpg",
    "matplotlib",
    "mpl-data/sample_data/grace_hopper.jpg",
    "Grace Hopper (US Navy, public domain)",
)
# Six faces, 1280x886. Not ours to show: used where the demo and the tests run, never committed.
SIX_FACES = Sample("six_faces.jpg", "insightface", "data/images/t1.jpg", "insightface's sample t1")

SAMPLES = (ASTRONAUT, GRACE_HOPPER, SIX_FACES)


def fill_folder(folder: Path, samples: tuple[Sample, ...] = SAMPLES) -> list[Path]:
    """Copy samples into a folder, made if needed, and return their paths there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sample in samples:
        path = folder / sample.name
        path.write_bytes(sample.read())
        paths.append(path)
    return paths
