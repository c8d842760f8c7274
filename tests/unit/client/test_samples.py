from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from predictor.client.samples import SAMPLES, Sample, SampleMissing, fill_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_sample_is_a_picture_in_an_installed_package(sample: Sample) -> None:
    with Image.open(io.BytesIO(sample.read())) as picture:
        picture.load()

        assert min(picture.size) >= 256


@pytest.mark.parametrize(
    "sample",
    [Sample("x.png", "no_such_package", "x.png", ""), Sample("x.png", "numpy", "no_such_file.png", "")],
    ids=["no package", "no file in it"],
)
def test_a_missing_sample_names_the_group_that_has_it(sample: Sample) -> None:
    with pytest.raises(SampleMissing, match=rf"x\.png ships in the package {sample.package}.*group `demo`"):
        sample.read()


def test_a_filled_folder_holds_the_samples_under_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"

    paths = fill_folder(folder, SAMPLES[:2])

    assert sorted(folder.iterdir()) == sorted(paths)
    assert [path.read_bytes() for path in paths] == [sample.read() for sample in SAMPLES[:2]]
