"""Runs in a pod: writes stand-ins of the weights, whole, with a file missing, and under a licence to be accepted."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from predictor.stand_ins import write, write_manifest

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--size")
parser.add_argument("--names", nargs="+")
parser.add_argument("--missing")
parser.add_argument("--licence")
options = parser.parse_args()

complete = options.folder / "complete"
files = write(complete, options.size, options.names)
write_manifest(complete)
for variety in ("incomplete", "licensed"):
    folder = options.folder / variety
    folder.mkdir()
    for file in files:
        os.link(file, folder / file.name)
write_manifest(options.folder / "licensed", options.licence, needs_acceptance=True)
write_manifest(options.folder / "incomplete")
(options.folder / "incomplete" / options.missing).unlink()
