"""`python -m predictor.stand_ins FOLDER`: write stand-ins and a manifest of them, and print the paths."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from predictor.stand_ins.files import FILES, Size, write
from predictor.stand_ins.manifest import write_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and write the files; argparse exits with 2 where they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m predictor.stand_ins", description="Write graphs of random weights."
    )
    parser.add_argument("folder", type=Path, help="where they go; made if need be")
    parser.add_argument(
        "--size", choices=get_args(Size), default="tiny", help="what a run costs (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=sorted(FILES), metavar="NAME", help="these files and no others")
    chosen = parser.parse_args(arguments)
    for path in [*write(chosen.folder, chosen.size, chosen.only), write_manifest(chosen.folder)]:
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
