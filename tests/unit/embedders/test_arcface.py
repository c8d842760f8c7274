"""ArcFace embeds as insightface's own class does, and trusts no answer that cannot be right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from insightface.model_zoo.arcface_onnx import ArcFaceONNX

from predictor.embedders.arcface import ArcFace, arcface_network
from predictor.errors import StageFailed
from predictor.faces import Image
from predictor.imaging.alignment import ARCFACE_112, align
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Node, Session, Tensor
from predictor.stand_ins import write

_LANDMARKS = np.array([(203, 101), (246, 103), (222, 125), (202, 141), (244, 141)], np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = write(tmp_path_factory.mktemp("weights"), "tiny", ["w600k_r50.onnx"])
    return path


@pytest.fixture(scope="module")
def session(path: Path) -> Session:
    return session_opener("cpu")(arcface_network(path))


@pytest.fixture
def crops(astronaut: Image, grace_hopper: Image) -> list[Image]:
    return [
        align(image, _LANDMARKS * scale, ARCFACE_112).image for image in (astronaut, grace_hopper) for scale in (1, 1.2)
    ]


@dataclass
class _Network:
    """Answers what it is told, and keeps what it was given."""

    answer: Tensor
    fed: list[Tensor] = field(default_factory=list)

    def get_inputs(self) -> Sequence[Node]:
        return [SimpleNamespace(name="input.1", shape=["None", 3, 112, 112])]

    def get_outputs(self) -> Sequence[Node]:
        return [SimpleNamespace(name="683", shape=["None", 512])]

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names == ["683"]
        self.fed += input_feed.values()
        return [self.answer]


def _answer(count: int) -> Tensor:
    return np.random.default_rng(0).normal(0, 3, (count, 512)).astype(np.float32)


def test_embeddings_are_those_of_insightface_s_own_class(session: Session, path: Path, crops: list[Image]) -> None:
    embeddings = ArcFace(session, path).embed(crops)

    own = ArcFaceONNX(str(path), session)
    for crop, embedding in zip(crops, embeddings, strict=True):
        features = own.get_feat(np.ascontiguousarray(crop[..., ::-1])).ravel()
        np.testing.assert_allclose(embedding, features / np.linalg.norm(features), atol=1e-6)


def test_all_crops_go_through_the_network_at_once_and_each_gets_its_own_row(path: Path, crops: list[Image]) -> None:
    network = _Network(_answer(4))

    embeddings = ArcFace(network, path).embed(crops)

    assert [tensor.shape for tensor in network.fed] == [(4, 3, 112, 112)]
    for row, embedding in zip(network.answer, embeddings, strict=True):
        np.testing.assert_allclose(embedding, row / np.linalg.norm(row), rtol=1e-5)
        assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-6)


def test_the_network_is_given_red_first_from_minus_1_to_1(path: Path) -> None:
    network = _Network(_answer(1))

    ArcFace(network, path).embed([np.full((112, 112, 3), (255, 100, 0), np.uint8)])

    np.testing.assert_allclose(network.fed[0][0, :, 50, 50], [1.0, 100 / 127.5 - 1, -1.0], atol=1e-6)


def test_no_crops_do_not_run_the_network(path: Path) -> None:
    network = _Network(_answer(1))

    assert ArcFace(network, path).embed([]) == []
    assert network.fed == []


@pytest.mark.parametrize(("value", "what"), [(np.nan, "not finite"), (np.inf, "not finite"), (2.0, "constant")])
def test_an_answer_that_cannot_be_right_fails_the_stage(
    path: Path, crops: list[Image], value: float, what: str
) -> None:
    with pytest.raises(StageFailed, match=f"arcface: .*{what}"):
        ArcFace(_Network(np.full((4, 512), value, np.float32)), path).embed(crops)


def test_an_embedding_of_length_0_fails_the_stage(path: Path, crops: list[Image]) -> None:
    answer = _answer(4)
    answer[2] = 0.0

    with pytest.raises(StageFailed, match="arcface: an embedding has no length"):
        ArcFace(_Network(answer), path).embed(crops)


def test_its_probe_is_several_crops_as_the_network_takes_them(session: Session, path: Path) -> None:
    (answer,) = session.run(None, arcface_network(path).probe)

    assert answer.shape == (2, 512)


def test_it_wants_crops_in_insightface_s_layout(session: Session, path: Path) -> None:
    assert ArcFace(session, path).template is ARCFACE_112


def test_the_package_is_imported_in_silence_and_looks_nothing_up(path: Path, tmp_path: Path) -> None:
    program = f"""
import socket
from pathlib import Path
import numpy as np
def refuse(*_):
    raise AssertionError("nothing may be looked up or called")
socket.socket.connect = socket.getaddrinfo = refuse
from predictor.embedders.arcface import ArcFace, arcface_network
from predictor.runtime.providers import session_opener
path = Path({str(path)!r})
ArcFace(session_opener("cpu")(arcface_network(path)), path).embed([np.zeros((112, 112, 3), np.uint8)])
"""

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / ".insightface").exists()
