from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from predictor import cli
from predictor.errors import PackagesMissing
from predictor.runtime.session import Tensor
from predictor.settings import Settings
from predictor.weights import convert as convert_module
from predictor.weights.records import record
from predictor.weights.store import Store
from tests.unit.weights.shelf import Shelf, sha256, status, whole

Run = Callable[[Path, Tensor], Sequence[Tensor]]
FREE, STRICT, UNKNOWN = b"free" * 1000, b"strict" * 1000, b"unknown" * 1000


class Desk:
    """The command line, an operator's manifest of files on a shelf, and what was said."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        self.out = self.err = ""

    def run(self, *words: object) -> int:
        code = cli.main(["weights", *(str(word) for word in words)])
        self.out, self.err = self._capture.readouterr()
        return code


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        server.put("/free", whole(FREE))
        server.put("/strict", whole(STRICT))
        server.put("/unknown", whole(UNKNOWN))
        yield server


def table(name: str, address: str, licence: str = "mit", data: bytes | None = None) -> str:
    known = f'size = {len(data)}\nsha256 = "{sha256(data)}"\n' if data else ""
    return (
        f'[files."{name}.onnx"]\narchitecture = "a net"\nurl = "{address}/{name}"\n{known}'
        f'code_licence = "{licence}"\nweights_licence = "{licence}"\ncommercial_use = "yes"\n'
    )


@pytest.fixture
def desk(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    for setting in Settings.model_fields:
        monkeypatch.delenv(f"PREDICTOR_{setting.upper()}", raising=False)
    for proxy in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[licences.strict]\ntitle = "ask first"\nurl = "https://licences.test"\nneeds_acceptance = true\n'
        + table("free", shelf.address, data=FREE)
        + table("strict", shelf.address, "strict", STRICT)
        + table("unknown", shelf.address)
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PREDICTOR_WEIGHTS_MANIFEST", str(mine))
    monkeypatch.setenv("PREDICTOR_WEIGHTS_DIR", str(tmp_path / "weights"))
    return Desk(tmp_path / "weights", capsys)


# ── pull ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pull_prints_where_files_are_and_tells_how_it_went_beside(desk: Desk, shelf: Shelf) -> None:
    assert desk.run("pull", "free.onnx") == 0

    path = desk.folder / "free.onnx"
    assert desk.out == f"{path}\n"
    assert desk.err == f"free.onnx: from {shelf.address}/free\nfree.onnx: saved as {path}\n"
    assert path.read_bytes() == FREE


def test_one_file_that_cannot_be_had_does_not_stop_the_others_and_makes_the_code_3(desk: Desk, shelf: Shelf) -> None:
    shelf.put("/free", status(404))

    assert desk.run("pull", "free.onnx", "strict.onnx", "typo.onnx", "unknown.onnx", "--trust-first") == 3

    told = [line for line in desk.err.splitlines() if line.startswith("error: ")]
    assert len(told) == 3
    assert told[0] == f"error: free.onnx could not be had: {shelf.address}/free: it answered 404 Not Found"
    assert told[1].startswith("error: strict.onnx is under strict (ask first; https://licences.test), which has not")
    assert told[2].startswith("error: typo.onnx: the manifest of weights has no such file")
    assert desk.out == f"{desk.folder}/unknown.onnx\n"


def test_a_licence_is_accepted_for_one_call_or_by_the_setting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert desk.run("pull", "strict.onnx", "--accept-licence", "strict", "--to", tmp_path / "one") == 0
    assert desk.run("pull", "strict.onnx", "--to", tmp_path / "two") == 3
    monkeypatch.setenv("PREDICTOR_ACCEPTED_LICENCES", "strict")
    assert desk.run("pull", "strict.onnx", "--to", tmp_path / "two") == 0
    assert desk.run("pull", "strict.onnx", "--accept-licence", "all") == 3
    assert "there is no licence 'all'" in desk.err


def test_without_a_folder_of_the_settings_files_go_to_the_cache(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PREDICTOR_WEIGHTS_DIR")

    assert desk.run("pull", "free.onnx") == 0
    assert desk.out == f"{tmp_path}/cache/faceswap-predictor/free.onnx\n"

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "nowhere")
    assert desk.run("pull", "free.onnx") == 3
    assert desk.err == (
        "error: this user has no home for a cache; choose a folder with --to or PREDICTOR_WEIGHTS_DIR\n"
    )


def test_pull_without_names_pulls_what_the_recipe_needs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.run("pull") == 3
    assert desk.err == (
        "error: the recipe embedded needs no files of weights; name files to pull, or set PREDICTOR_RECIPE=onnx\n"
    )

    monkeypatch.setenv("PREDICTOR_RECIPE", "onnx")
    monkeypatch.setenv("PREDICTOR_PROFILE", "permissive")
    monkeypatch.setenv("PREDICTOR_UPSAMPLER", "lanczos")
    assert desk.run("pull") == 3
    assert [line.split()[1] for line in desk.err.splitlines()] == [
        "det_10g.onnx",
        "w600k_r50.onnx",
        "inswapper_128.onnx",
        "GFPGANv1.4.onnx",
    ]
    assert "left out by PREDICTOR_PROFILE=permissive" in desk.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fetch",),
        ("list", "free.onnx"),
        ("pull", "--to"),
        ("convert",),
        ("convert", "a", "--denoise-strength", "2"),
    ],
)
def test_a_wrong_command_line_is_code_2(desk: Desk, words: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        desk.run(*words)

    assert exited.value.code == 2


# ── list and verify ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_the_package_s_files_and_the_operator_s(desk: Desk) -> None:
    assert desk.run("list") == 0
    assert "inswapper_128.onnx" in desk.out
    assert "strict.onnx" in desk.out

    assert desk.run("list", "--json") == 0
    names = [file["name"] for file in json.loads(desk.out)["files"]]
    assert {"inswapper_128.onnx", "free.onnx"} <= set(names)


def test_verify_tells_ok_damaged_and_unknown_and_is_0_only_if_all_is_well(desk: Desk) -> None:
    assert desk.run("verify") == 3
    assert desk.err.startswith("error: there is no file of weights in ")

    desk.folder.mkdir()
    (desk.folder / "free.onnx").write_bytes(FREE)
    assert desk.run("verify") == 0
    assert desk.out == f"OK       {desk.folder}/free.onnx: sha256 {sha256(FREE)}\n"

    (desk.folder / "strict.onnx").write_bytes(FREE)
    (desk.folder / "unknown.onnx").write_bytes(UNKNOWN)
    assert desk.run("verify") == 3
    assert [line.split()[0] for line in desk.out.splitlines()] == ["OK", "damaged", "unknown"]
    assert desk.run("verify", "free.onnx") == 0

    record(desk.folder, "unknown.onnx", sha256(UNKNOWN))
    assert desk.run("verify", "unknown.onnx") == 0


# ── convert ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_convert_is_handed_the_files_the_folder_the_strength_and_a_way_to_run_graphs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[object] = []
    node = helper.make_node("Add", ["picture", "picture"], ["twice"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("picture", "twice")]
    graph = helper.make_graph([node], "twice", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "twice.onnx")

    def convert(
        names: Sequence[str], store: Store, folder: Path, run: Run, denoise_strength: float | None
    ) -> list[Path]:
        given.extend([names, store.folders[0], folder, denoise_strength])
        given.append(run(tmp_path / "twice.onnx", np.full((1, 3), 4.0, np.float32))[0].tolist())
        return [folder / names[0]]

    monkeypatch.setattr(convert_module, "convert", convert)

    assert desk.run("convert", "real_esrgan_x4v3.onnx", "--denoise-strength", "0.5", "--to", tmp_path / "made") == 0
    assert given == [["real_esrgan_x4v3.onnx"], tmp_path / "made", tmp_path / "made", 0.5, [[8.0] * 3]]
    assert desk.out == f"{tmp_path}/made/real_esrgan_x4v3.onnx\n"


def test_convert_refuses_a_licence_that_was_not_accepted_before_it_needs_torch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(*_: object) -> list[Path]:
        raise PackagesMissing("no torch here")

    monkeypatch.setattr(convert_module, "convert", convert)

    assert desk.run("convert", "gfpgan_1.4.onnx") == 3
    assert desk.err.startswith("error: gfpgan_1.4.onnx is under gfpgan (")
    assert desk.run("convert", "gfpgan_1.4.onnx", "--accept-licence", "gfpgan") == 3
    assert desk.err == "error: no torch here\n"


# ── a server ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("provoke", "told"),
    [
        ("unaccepted", "error: licences not accepted yet: insightface-non-commercial for det_10g.onnx (InsightFace's "),
        ("missing", "error: det_10g.onnx is in none of "),
        ("truncated", "det_10g.onnx is damaged: it has 3 bytes, not 16,923,827; delete it and run `"),
        ("permissive", "error: PREDICTOR_PROFILE=permissive leaves out det_10g.onnx (insightface-non-commercial): "),
    ],
)
def test_what_keeps_weights_from_running_is_one_sentence_and_code_3(tmp_path: Path, provoke: str, told: str) -> None:
    (tmp_path / "weights").mkdir()
    if provoke == "truncated":
        (tmp_path / "weights" / "det_10g.onnx").write_bytes(b"cut")
    settings = {
        "PREDICTOR_DETECTOR": "scrfd",
        "PREDICTOR_WEIGHTS_DIR": str(tmp_path / "weights"),
        "PREDICTOR_PROFILE": "permissive" if provoke == "permissive" else "all",
        "PREDICTOR_ACCEPTED_LICENCES": "" if provoke == "unaccepted" else "insightface-non-commercial",
        "XDG_CACHE_HOME": str(tmp_path),
        "PREDICTOR_HTTP_PORT": "0",
        "PREDICTOR_GRPC_PORT": "0",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "predictor", "detect", "a.jpg"],
        env=settings,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 3
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
