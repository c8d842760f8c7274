"""Runs in a pod: writes stand-ins of the weights: of full size, and in all the ways that tests need tiny ones."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from predictor.stand_ins import write, write_manifest

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--names", nargs="+")
parser.add_argument("--missing")
parser.add_argument("--licence")
parser.add_argument("--mirror")
parser.add_argument("--not-pulled")
options = parser.parse_args()

write(options.folder / "complete", "full", options.names)
small = write(options.folder / "small", "tiny", options.names)
for variety in ("incomplete", "licensed"):
    folder = options.folder / variety
    folder.mkdir()
    for file in small:
        os.link(file, folder / file.name)
for variety in ("complete", "small", "incomplete"):
    write_manifest(options.folder / variety)
write_manifest(options.folder / "licensed", options.licence, needs_acceptance=True)
(options.folder / "incomplete" / options.missing).unlink()

# the others are to be pulled, by whoever that is
pulled = options.folder / "pulled"
pulled.mkdir()
pulled.chmod(0o777)
os.link(options.folder / "small" / options.not_pulled, pulled / options.not_pulled)
manifest = (options.folder / "small" / "manifest.toml").read_text()
from_mirror = re.sub(r'^(\[files\."(.+)"\])$', rf'\1\nurl = "{options.mirror}/\2"', manifest, flags=re.MULTILINE)
(pulled / "manifest.toml").write_text(from_mirror)
