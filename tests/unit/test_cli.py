from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor import __version__, cli, loader
from predictor.destinations import Destinations
from predictor.errors import StartupError
from predictor.faces import Face
from predictor.policy.provenance import read_mark
from predictor.service import Service
from predictor.settings import Settings
from tests.unit.fakes import FakeDetector, Fakes, face_at, plain

# The fake detector tells pictures apart by the red of their first pixel.
NOBODY, ONE, TWO, SOURCE = 10, 20, 30, 200
FACES: dict[int, Sequence[Face]] = {
    ONE: [face_at(10, 20)],
    TWO: [face_at(10, 20), face_at(120, 20)],
    SOURCE: [face_at(10, 20)],
}


class Desk:
    """A folder with pictures, the command line, and what it has said."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.out_dir = folder / "out"
        self._capture = capture
        self.out = self.err = ""

    def picture(self, name: str, red: int = ONE) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = {".jpg": "jpeg", ".webp": "webp", ".bmp": "bmp"}.get(path.suffix, "png")
        PillowImage.fromarray(plain((red, 0, 0))).save(path, kind, quality=100, subsampling=0)
        return path

    def run(self, *arguments: object) -> int:
        code = cli.main([str(argument) for argument in arguments])
        self.out, self.err = self._capture.readouterr()
        return code

    def errors(self) -> str:
        return self._capture.readouterr().err

    def result(self, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.array(PillowImage.open(self.out_dir / name).convert("RGB"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    def load(settings: Settings) -> Service:
        return Service(Fakes(FakeDetector(FACES)).pipeline(), Destinations({}, {}), settings)

    monkeypatch.setattr(loader, "load", load)
    return Desk(tmp_path, capsys)


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


# ── swap ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_swap_saves_a_marked_picture_under_the_destinations_name_and_prints_where(desk: Desk) -> None:
    me, party = desk.picture("me.png", SOURCE), desk.picture("party.png")

    code = desk.run("swap", me, party, "-o", desk.out_dir)

    assert code == 0
    assert only_line(desk.out) == str(desk.out_dir / "party.png")
    assert desk.err == ""
    assert desk.result("party.png")[50, 40, 0] == SOURCE
    assert read_mark((desk.out_dir / "party.png").read_bytes()) is not None


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("a.png", (), "a.png"),
        ("a.jpg", (), "a.jpg"),
        ("a.jpeg", (), "a.jpg"),
        ("a.webp", (), "a.webp"),
        ("a.bmp", (), "a.png"),
        ("a.png", ("--format", "webp"), "a.webp"),
        ("a.png", ("--format", "jpeg", "--quality", "50"), "a.jpg"),
    ],
)
def test_a_result_ends_as_its_format_does(desk: Desk, name: str, arguments: Sequence[str], result: str) -> None:
    picture = desk.picture(name.replace(".jpeg", ".jpg"))
    if name != picture.name:
        picture = picture.rename(desk.folder / name)

    assert desk.run("swap", desk.picture("me.png", SOURCE), picture, "-o", desk.out_dir, *arguments) == 0

    assert [path.name for path in desk.out_dir.iterdir()] == [result]


@pytest.mark.parametrize(
    ("arguments", "left", "right"),
    [
        ((), SOURCE, TWO),
        (("--destination-face", "2"), TWO, SOURCE),
        (("--destination-face", "all"), SOURCE, SOURCE),
        (("--pair", "1:2"), TWO, SOURCE),
        (("--pair", "1:1", "--pair", "1:2"), SOURCE, SOURCE),
        (("--pair", "1:all"), SOURCE, SOURCE),
        (("--restore",), 250, TWO),
        (("--restore", "0"), SOURCE, TWO),
    ],
)
def test_who_goes_where_and_whether_it_is_restored(desk: Desk, arguments: Sequence[str], left: int, right: int) -> None:
    me, party = desk.picture("me.png", SOURCE), desk.picture("party.png", TWO)

    assert desk.run("swap", me, party, "-o", desk.out_dir, *arguments) == 0

    image = desk.result("party.png")
    assert (image[50, 40, 0], image[50, 150, 0]) == (left, right)


def test_a_face_of_the_source_is_chosen(desk: Desk) -> None:
    us, party = desk.picture("us.png", TWO), desk.picture("party.png", ONE)

    assert desk.run("swap", us, party, "-o", desk.out_dir, "--source-face", 2, "--upscale", 2) == 0

    image = desk.result("party.png")
    assert image.shape == (200, 400, 3)
    assert image[100, 80, 0] == TWO


def test_a_picture_that_fails_is_one_line_and_the_others_are_done(desk: Desk) -> None:
    me, empty, party = desk.picture("me.png", SOURCE), desk.picture("empty.png", NOBODY), desk.picture("party.png")
    broken = desk.folder / "broken.png"
    broken.write_bytes(b"no picture")

    code = desk.run("swap", me, empty, broken, desk.folder / "gone.png", party, "-o", desk.out_dir)

    assert code == 1
    assert only_line(desk.out) == str(desk.out_dir / "party.png")
    assert desk.err.splitlines() == [
        f"error: no face was found in {empty}",
        f"error: {broken}: the bytes are no picture",
        f"error: {desk.folder / 'gone.png'}: No such file or directory",
    ]


def test_a_source_that_cannot_be_read_is_one_line(desk: Desk) -> None:
    code = desk.run("swap", desk.folder / "gone.png", desk.picture("party.png"), "-o", desk.out_dir)

    assert code == 1
    assert only_line(desk.err) == f"error: {desk.folder / 'gone.png'}: No such file or directory"
    assert not desk.out_dir.exists()


def test_the_source_is_read_once_for_all_destinations(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = FakeDetector(FACES)
    monkeypatch.setattr(
        loader, "load", lambda settings: Service(Fakes(detector).pipeline(), Destinations({}, {}), settings)
    )

    desk.run("swap", desk.picture("me.png", SOURCE), desk.picture("a.png"), desk.picture("b.png"), "-o", desk.out_dir)

    assert sorted(int(image[0, 0, 0]) for image in detector.seen) == [ONE, ONE, SOURCE]


# ── what is never lost ────────────────────────────────────────────────────────────────────────────────────────────────


def test_pictures_of_the_same_name_do_not_replace_each_other(desk: Desk) -> None:
    pictures = [desk.picture(name) for name in ("a/x.png", "b/x.png", "c/x-2.png", "d/x.bmp")]

    assert desk.run("swap", desk.picture("me.png", SOURCE), *pictures, "-o", desk.out_dir) == 0

    assert desk.out.splitlines() == [str(desk.out_dir / name) for name in ("x.png", "x-2.png", "x-2-2.png", "x-3.png")]


@pytest.mark.parametrize(
    "given",
    [("out/party.png", "in/party.png"), ("me.png", "out/party.png"), ("me.png", "in/party.png", "out/party.png")],
    ids=["the source", "the destination", "another destination"],
)
def test_no_picture_that_was_given_is_replaced(desk: Desk, given: Sequence[str]) -> None:
    pictures = [desk.picture(name, SOURCE) for name in given]
    before = [picture.read_bytes() for picture in pictures]

    code = desk.run("swap", *pictures, "-o", desk.out_dir)

    assert code == 1
    assert "would replace what was given" in desk.err
    assert [picture.read_bytes() for picture in pictures] == before


def test_a_picture_that_was_given_through_a_link_is_not_replaced(desk: Desk) -> None:
    inside, link = desk.picture("out/party.png"), desk.folder / "party.png"
    link.symlink_to(inside)
    before = inside.read_bytes()

    assert desk.run("swap", desk.picture("me.png", SOURCE), link, "-o", desk.out_dir) == 1

    assert inside.read_bytes() == before


def test_an_earlier_result_is_replaced(desk: Desk) -> None:
    me, party = desk.picture("me.png", SOURCE), desk.picture("party.png")

    codes = [desk.run("swap", me, party, "-o", desk.out_dir) for _ in range(2)]

    assert codes == [0, 0]
    assert [path.name for path in desk.out_dir.iterdir()] == ["party.png"]


def test_a_result_that_cannot_be_written_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    me, party = desk.picture("me.png", SOURCE), desk.picture("party.png")

    def refuse(_self: Path, _data: bytes) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", refuse)

    assert desk.run("swap", me, party, "-o", desk.out_dir) == 1
    assert only_line(desk.err) == f"error: {desk.out_dir / 'party.png'}: cannot be written"


# ── enhance and detect ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "side", "centre"),
    [((), 2, 250), (("--no-restore",), 2, ONE), (("--upscale", "4"), 4, 250), (("--restore", "0.5"), 2, 135)],
)
def test_enhance_restores_and_enlarges(desk: Desk, arguments: Sequence[str], side: int, centre: int) -> None:
    assert desk.run("enhance", desk.picture("a.png"), "-o", desk.out_dir, *arguments) == 0

    image = desk.result("a.png")
    assert image.shape == (100 * side, 200 * side, 3)
    assert image[50 * side, 40 * side, 0] == centre


def test_enhance_does_not_replace_its_picture(desk: Desk) -> None:
    picture = desk.picture("a.png")
    before = picture.read_bytes()

    assert desk.run("enhance", picture, "-o", desk.folder) == 1

    assert picture.read_bytes() == before


def test_detect_prints_a_table_of_faces_by_their_numbers(desk: Desk) -> None:
    two, one = desk.picture("two.png", TWO), desk.picture("one.png")

    assert desk.run("detect", two, one) == 0

    lines = desk.out.splitlines()
    assert lines[0] == f"{two}: 2 faces"
    assert [line.split()[:3] for line in lines[1:3]] == [["1", "left", "10.0"], ["2", "left", "120.0"]]
    assert lines[3] == f"{one}: 1 face"


def test_detect_prints_json_a_line_a_picture(desk: Desk) -> None:
    two, broken = desk.picture("two.png", TWO), desk.folder / "broken.png"
    broken.write_bytes(b"")

    code = desk.run("detect", two, broken, desk.picture("nobody.png", NOBODY), "--json")

    first, second = map(json.loads, desk.out.splitlines())
    assert code == 1
    assert (first["picture"], first["width"], first["height"]) == (str(two), 200, 100)
    assert [(face["id"], face["box"]) for face in first["faces"]] == [(1, [10, 20, 70, 80]), (2, [120, 20, 180, 80])]
    assert second["faces"] == []
    assert only_line(desk.err).startswith(f"error: {broken}: ")


# ── exit codes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_predictor_that_cannot_start_is_one_line_and_exit_3(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_settings: Settings) -> Service:
        raise StartupError("centerface.onnx is missing")

    monkeypatch.setattr(loader, "load", load)

    assert desk.run("detect", desk.picture("a.png")) == 3
    assert only_line(desk.err) == "error: centerface.onnx is missing"


def test_a_wrong_setting_is_one_line_and_exit_3(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_THREADS", "many")

    assert desk.run("detect", desk.picture("a.png")) == 3
    assert only_line(desk.err).startswith("error: PREDICTOR_THREADS: ")


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_3(desk: Desk) -> None:
    me, party = desk.picture("me.png", SOURCE), desk.picture("party.png")

    assert desk.run("swap", me, party, "-o", party) == 3
    assert only_line(desk.err) == f"error: {party}: the folder cannot be made"


def test_the_destinations_of_a_server_are_not_loaded_for_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_DESTINATIONS_DIR", str(desk.folder / "gone"))
    seen: list[Settings] = []

    def load(settings: Settings) -> Service:
        seen.append(settings)
        return Service(Fakes(FakeDetector(FACES)).pipeline(), Destinations({}, {}), settings)

    monkeypatch.setattr(loader, "load", load)

    assert desk.run("detect", desk.picture("a.png")) == 0
    assert seen[0].destinations_dir is None


def test_control_c_stops_with_a_word(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_settings: Settings) -> Service:
        raise KeyboardInterrupt

    monkeypatch.setattr(loader, "load", load)

    assert desk.run("detect", desk.picture("a.png")) == 1
    assert only_line(desk.err) == "stopped"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("paint",),
        ("swap", "me.png", "-o", "out"),
        ("swap", "me.png", "a.png"),
        ("swap", "me.png", "a.png", "-o", "out", "--source-face", "0"),
        ("swap", "me.png", "a.png", "-o", "out", "--source-face", "all"),
        ("swap", "me.png", "a.png", "-o", "out", "--destination-face", "first"),
        ("swap", "me.png", "a.png", "-o", "out", "--pair", "1"),
        ("swap", "me.png", "a.png", "-o", "out", "--pair", "1:0"),
        ("swap", "me.png", "a.png", "-o", "out", "--restore", "1.5"),
        ("swap", "me.png", "a.png", "-o", "out", "--restore", "nan"),
        ("swap", "me.png", "a.png", "-o", "out", "--upscale", "3"),
        ("swap", "me.png", "a.png", "-o", "out", "--format", "gif"),
        ("swap", "me.png", "a.png", "-o", "out", "--quality", "0"),
        ("swap", "me.png", "a.png", "-o", "out", "--qual", "50"),
        ("swap", "me.png", "a.png", "-o", "out", "--pair", "1:1", "--source-face", "2"),
        ("swap", "me.png", "a.png", "-o", "out", "--pair", "1:1", "--pair", "2:1"),
        ("enhance", "-o", "out"),
        ("detect",),
        ("detect", "a.png", "-o", "out"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_2_with_a_word_why(desk: Desk, arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        desk.run(*arguments)

    assert caught.value.code == 2
    assert "error: " in desk.errors()


def test_serve_serves_with_the_settings_of_the_environment_and_ends_with_its_code(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from predictor.serving import server  # noqa: PLC0415  # KServe, which the other tests here do without

    seen: list[Settings] = []

    def serve(settings: Settings) -> int:
        seen.append(settings)
        return 1

    monkeypatch.setenv("PREDICTOR_HTTP_PORT", "9000")
    monkeypatch.setattr(server, "serve", serve)

    assert desk.run("serve") == 1
    assert seen[0].http_port == 9000


def test_serve_puts_the_stages_behind_ray_where_it_is_asked_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from predictor.scaling import pod  # noqa: PLC0415  # as above

    seen: list[Settings] = []

    def serve(settings: Settings) -> int:
        seen.append(settings)
        return 1

    monkeypatch.setenv("PREDICTOR_RAY_REPLICAS", "1-4")
    monkeypatch.setattr(pod, "serve", serve)

    assert desk.run("serve", "--scale", "ray") == 1
    assert seen[0].ray_replicas == "1-4"


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ([], ["serve", "swap", "enhance", "detect", "exit codes:", "PREDICTOR_"]),
        (["serve"], ["SIGTERM", "exit codes:", "requests dropped"]),
        (["swap"], ["examples:", "--destination-face all", "left to right", "marked as altered"]),
        (["enhance"], ["--no-restore", "--upscale", "the whole picture"]),
        (["detect"], ["--json"]),
    ],
)
def test_help_teaches(capsys: pytest.CaptureFixture[str], command: list[str], taught: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--help"])

    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert [word for word in taught if word not in text] == []


def test_help_needs_neither_kserve_nor_a_runtime() -> None:
    program = (
        "import sys\nfrom predictor.cli import main\n"
        "try:\n    main(['swap', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'kserve', 'onnxruntime', 'cv2', 'grpc'} & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"


def test_python_m_predictor_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "predictor", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == f"faceswap-predictor {__version__}"


def test_several_pictures_show_a_bar_on_a_terminal_and_results_stay_on_stdout(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    desk.run("enhance", desk.picture("a.png"), desk.picture("b.png"), "-o", desk.out_dir)

    assert "2/2" in terminal.getvalue()
    assert len(desk.out.splitlines()) == 2
