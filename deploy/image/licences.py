"""Gathers the licences of every package in an environment into one folder; run while the image is built.

    python licences.py ENVIRONMENT FOLDER

The folder gets a subfolder for each package with its licence files, those of libraries that it bundles among them, and
`index.tsv`: package, version, the licence it declares, its files. A package that ships no such file is there with its
metadata, which is all that its makers say.
"""

# ruff: noqa: INP001, T201  a script for a build stage

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

IS_LICENCE = re.compile(
    r"^(licen[cs]e|copying|copyright|notice|authors|third[-_ ]?party|eula)|third-party-programs", re.IGNORECASE
)
IS_CODE = re.compile(r"\.(py|pyi|pyc|so|h|hpp|json|pkl)$")
UNDECLARED = "not declared"


def gather(site_packages: Path, folder: Path) -> list[str]:
    """Copy the licences and return the lines of the index."""
    found = sorted(distributions(path=[str(site_packages)]), key=lambda each: each.name.lower())
    return ["package\tversion\tlicence\tfiles", *(_gather_one(each, folder) for each in found)]


def _gather_one(package: Distribution, folder: Path) -> str:
    target = folder / f"{package.name}-{package.version}"
    target.mkdir(parents=True)
    names = []
    for file in _licence_files(package):
        name = _short(file)
        (target / name).write_bytes(Path(str(package.locate_file(file))).read_bytes())
        names.append(name)
    return "\t".join((package.name, package.version, declared(package), ", ".join(names)))


def _licence_files(package: Distribution) -> list[PurePosixPath]:
    files = [file for file in package.files or [] if Path(str(package.locate_file(file))).is_file()]
    licences = [file for file in files if is_licence(file)]
    return sorted(licences or [file for file in files if file.name == "METADATA"])


def is_licence(file: PurePosixPath) -> bool:
    """Return whether a file of a package is somebody's licence, by where it lies or what it is called."""
    in_licences = re.search(r"\.dist-info/licenses/", str(file))
    return not IS_CODE.search(file.name) and bool(in_licences or IS_LICENCE.search(file.name))


def declared(package: Distribution) -> str:
    """Return the licence that a package's metadata name: as an expression, in words, or by its classifiers."""
    told = package.metadata
    words: str = (told.get_all("License-Expression") or told.get_all("License") or [""])[0]
    if words and "\n" not in words and words != "UNKNOWN":
        return words
    classifiers = [
        each.split("::")[-1].strip() for each in told.get_all("Classifier", []) if each.startswith("License")
    ]
    return " / ".join(classifiers) or UNDECLARED


def _short(file: PurePosixPath) -> str:
    """Return a name without folders that tells files of one package apart."""
    return re.sub(r"^[^/]*\.dist-info/(licenses/)?", "", str(file)).replace("/", "_")


if __name__ == "__main__":
    environment, wanted = map(Path, sys.argv[1:])
    (packages,) = environment.glob("lib/python3*/site-packages")
    index = gather(packages, wanted)
    (wanted / "index.tsv").write_text("\n".join(index) + "\n")
    print(f"{len(index) - 1} packages, their licences in {wanted}")
