"""The licences that the build gathers."""

from __future__ import annotations

from importlib.metadata import distribution, distributions
from pathlib import Path, PurePosixPath

import pytest

from deploy.image.licences import UNDECLARED, declared, gather, is_licence


def _site_packages() -> Path:
    return Path(str(distribution("numpy").locate_file("")))


def test_every_package_gives_its_licences_or_all_that_it_says(tmp_path: Path) -> None:
    index = gather(_site_packages(), tmp_path)

    installed = list(distributions(path=[str(_site_packages())]))
    assert len(index) == len(installed) + 1
    assert all(len(list((tmp_path / f"{each.name}-{each.version}").iterdir())) >= 1 for each in installed)
    assert (tmp_path / f"numpy-{distribution('numpy').version}" / "LICENSE.txt").read_text().startswith("Copyright")


def test_a_package_without_a_licence_file_is_there_with_its_metadata(tmp_path: Path) -> None:
    _install(tmp_path, "Metadata-Version: 2.1\nName: bare\nVersion: 1\n", [])

    (_, line) = gather(tmp_path, tmp_path / "licences")

    assert line == f"bare\t1\t{UNDECLARED}\tMETADATA"
    assert (tmp_path / "licences/bare-1/METADATA").is_file()


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD", "BSD"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: a whole\n        text\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
    ],
)
def test_a_licence_is_read_as_the_metadata_name_it(tmp_path: Path, said: str, licence: str) -> None:
    _install(tmp_path, f"Metadata-Version: 2.1\nName: bare\nVersion: 1\n{said}\n", [])

    (package,) = distributions(path=[str(tmp_path)])

    assert declared(package) == licence


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("a-1.dist-info/licenses/MIT.txt", True),
        ("a-1.dist-info/LICENCE", True),
        ("onnxruntime/ThirdPartyNotices.txt", True),
        ("scipy/_lib/qhull/COPYING_QHULL.txt", True),
        ("a/licences.py", False),
        ("a/readme.txt", False),
    ],
)
def test_a_licence_is_told_by_its_place_or_its_name(file: str, counts: bool) -> None:  # noqa: FBT001
    assert is_licence(PurePosixPath(file)) is counts


def _install(folder: Path, metadata: str, files: list[str]) -> None:
    info = folder / "bare-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)
    (info / "RECORD").write_text("\n".join(f"{name},," for name in ["bare-1.dist-info/METADATA", *files]))
