"""A manifest of weights for a folder of stand-ins, so that a server takes them for the files they stand in for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_NAME = "manifest.toml"
NO_LICENCE = "none"
_WEIGHTS = (".onnx", ".pth")


def write_manifest(folder: Path, licence: str = NO_LICENCE, *, needs_acceptance: bool = False) -> Path:
    """List a folder's files of weights for PREDICTOR_WEIGHTS_MANIFEST; write it last, since it holds each sha256.

    Args:
        folder: Where the stand-ins are; `manifest.toml` in it is replaced.
        licence: What their licence is called; random numbers need none.
        needs_acceptance: Whether nothing runs before PREDICTOR_ACCEPTED_LICENCES names it.

    Returns:
        The file.
    """
    lines = [
        f'[licences."{licence}"]',
        'title = "Stand-ins: random numbers, nobody\'s work"',
        'url = "https://creativecommons.org/publicdomain/zero/1.0/"',
        f"needs_acceptance = {str(needs_acceptance).lower()}",
    ]
    for path in sorted(folder.iterdir()):
        if path.suffix in _WEIGHTS:
            lines += ["", *_table(path, licence)]
    manifest = folder / MANIFEST_NAME
    manifest.write_text("\n".join(lines) + "\n", "utf-8")
    return manifest


def _table(path: Path, licence: str) -> list[str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return [
        f'[files."{path.name}"]',
        'architecture = "a stand-in with random weights"',
        f"size = {path.stat().st_size}",
        f'sha256 = "{sha256}"',
        f'code_licence = "{licence}"',
        f'weights_licence = "{licence}"',
        'commercial_use = "yes"',
    ]
