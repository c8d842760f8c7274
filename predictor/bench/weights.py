"""Which weights the bench runs: real ones where all are there, else stand-ins of the same cost, made on first use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import StartupError
from predictor.reference import stand_ins as checkpoints
from predictor.settings import read_settings
from predictor.stand_ins import files
from predictor.stand_ins.manifest import write_manifest
from predictor.weights.store import store_of

if TYPE_CHECKING:
    from pathlib import Path

GRAPHS = ("det_10g.onnx", "w600k_r50.onnx", "inswapper_128.onnx", "gfpgan_1.4.onnx", "real_esrgan_x4v3.onnx")
CHECKPOINTS = ("GFPGANv1.4.pth", "realesr-general-x4v3.pth")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The weights of a run."""

    random: bool
    why: str
    """For the report."""
    environment: dict[str, str]
    """What tells both sides where they are."""


def choose(folder: Path) -> Chosen:
    """Return the real weights if the settings find all of them, else stand-ins, of which missing ones are made.

    Args:
        folder: Where stand-ins are kept from one run to the next; 1.4 GB.
    """
    try:
        store = store_of(read_settings())
        for name in (*GRAPHS, *CHECKPOINTS):
            store.find(name)
    except StartupError as error:
        missing = error.sentence
    else:
        return Chosen(random=False, why="real weights", environment={})
    made = write_manifest(folder) if (folder / CHECKPOINTS[-1]).exists() else None
    if made is None:
        files.write(folder, "full", GRAPHS)
        checkpoints.write(folder, CHECKPOINTS)
        made = write_manifest(folder)
    environment = {"PREDICTOR_WEIGHTS_DIR": str(folder), "PREDICTOR_WEIGHTS_MANIFEST": str(made)}
    return Chosen(random=True, why=f"random weights of the same architectures; {missing}", environment=environment)
