from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from predictor import cli
from predictor.errors import StartupError
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions, SwapOptions
from predictor.scaling import bulk, bulk_command
from predictor.scaling.bulk_pool import BulkBroken, Pool
from predictor.scaling.bulk_records import Record
from predictor.scaling.bulk_tasks import DetectTask, EnhanceTask, SwapTask
from predictor.scaling.bulk_worker import RUN_FILE, BulkJob, State


@contextmanager
def no_cluster(_: int) -> Iterator[None]:
    yield


class Desk:
    """The command line over pictures that nobody looks at; what the cluster would do is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capture = folder, capture
        self.jobs: list[tuple[BulkJob, Pool]] = []
        self.states: Sequence[State] = ("done",)
        self.ends: Callable[[], None] = lambda: None
        (folder / "in").mkdir()
        (folder / "me.png").write_bytes(b"me")
        monkeypatch.setattr(bulk, "cluster", no_cluster)
        monkeypatch.setattr(bulk, "outcomes", self._outcomes)

    def _outcomes(self, job: BulkJob, pool: Pool) -> Iterator[tuple[State, Record]]:
        self.jobs.append((job, pool))
        for number, state in enumerate(self.states):
            yield state, Record(f"{number}.png", "f", "l", job.run, "w")
        self.ends()

    def run(self, *words: object) -> int:
        code = cli.main(["bulk", *map(str, words)])
        self.out, self.err = self._capture.readouterr()
        return code

    def swap(self, *options: object, out: str = "out") -> int:
        return self.run("swap", self.folder / "me.png", self.folder / "in", self.folder / out, *options)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_the_options_of_swap_are_those_of_the_word_without_bulk(desk: Desk) -> None:
    code = desk.swap("--pair", "2:all", "--restore", "0.5", "--upscale", 4, "--format", "webp", "--quality", 70)

    ((job, pool),) = desk.jobs
    options = SwapOptions((Pair(None, 2, "all"),), RestoreOptions(blend=0.5), 4)
    assert code == 0
    assert job.task == SwapTask(str(desk.folder / "me.png"), b"me", options, OutputOptions("webp", 70))
    assert (job.input, job.output) == (str(desk.folder / "in"), str(desk.folder / "out"))
    assert (desk.folder / "out" / RUN_FILE).read_text() == job.run
    assert pool == Pool(None, 1, 0.0)


def test_enhance_and_detect_take_no_source(desk: Desk) -> None:
    assert desk.run("enhance", desk.folder / "in", desk.folder / "out", "--no-restore") == 0
    assert desk.run("detect", desk.folder / "in", desk.folder / "found") == 0

    assert [job.task for job, _ in desk.jobs] == [EnhanceTask(EnhanceOptions(None, 2), OutputOptions()), DetectTask()]


def test_workers_get_the_processors_they_are_given_as_threads(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.swap("--workers", 3, "--cpus-per-worker", 2, "--gpus-per-worker", 0.5)
    monkeypatch.setenv("PREDICTOR_THREADS", "5")
    desk.swap("--cpus-per-worker", 2)

    assert desk.jobs[0][1] == Pool(3, 2, 0.5)
    assert [job.settings.threads for job, _ in desk.jobs] == [2, 5]


def test_a_folder_of_the_servers_own_destinations_is_not_loaded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_DESTINATIONS_DIR", "/somewhere")

    desk.swap()

    assert desk.jobs[0][0].settings.destinations_dir is None


@pytest.mark.parametrize(
    ("states", "code"), [(("done", "before"), 0), ((), 0), (("done", "set_aside"), 1), (("set_aside",), 1)]
)
def test_the_exit_code_says_whether_every_picture_is_done(desk: Desk, states: Sequence[State], code: int) -> None:
    desk.states = states

    assert desk.swap() == code
    assert f"{len(states)} picture" in desk.out


def stop() -> None:
    raise KeyboardInterrupt


def break_down() -> None:
    raise BulkBroken("Ray could not go on: lost")


def fail_to_start() -> None:
    raise StartupError("no weights")


def test_ctrl_c_ends_with_a_report_of_what_is_done(desk: Desk) -> None:
    desk.ends = stop

    assert desk.swap() == 1
    assert "1 picture: 1 done" in desk.out
    assert "the same command again goes on from here" in desk.out
    assert len((desk.folder / "out/report.jsonl").read_text().splitlines()) == 1
    assert '"stopped": true' in (desk.folder / "out/summary.json").read_text()


@pytest.mark.parametrize(
    ("ends", "code", "sentence"),
    [(break_down, 1, "error: Ray could not go on: lost"), (fail_to_start, 3, "error: no weights")],
)
def test_what_ends_a_run_is_a_sentence_and_its_code(
    desk: Desk, ends: Callable[[], None], code: int, sentence: str
) -> None:
    desk.ends = ends

    assert desk.swap() == code
    assert sentence in desk.err.splitlines()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("{0}/me.png", "{0}/gone", "{0}/out"), "{0}/gone: there is no such folder, or nothing in it"),
        (("{0}/me.png", "{0}/me.png", "{0}/out"), "{0}/me.png: there is no such folder, or nothing in it"),
        (("{0}/me.png", "{0}/in", "{0}/in/out"), "{0}/in/out: results of an earlier run would be read as pictures"),
        (("{0}/me.png", "{0}/in", "{0}"), "{0}: results of an earlier run would be read as pictures of {0}/in"),
        (("{0}/me.png", "{0}/in", "{0}/in"), "{0}/in: results of an earlier run would be read as pictures"),
        (("{0}/me.png", "{0}/in", "memory://out"), "memory://out: the memory of one process cannot be seen"),
        (("{0}/me.png", "{0}/in", "s3://bucket/out"), "s3://bucket/out: a package for such addresses is not installed"),
        (("{0}/me.png", "{0}/in", "{0}/me.png/out"), "{0}/me.png/out: the folder cannot be made or written: Not a dir"),
        (("{0}/gone.png", "{0}/in", "{0}/out"), "gone.png cannot be read: No such file or directory"),
        (("s3://bucket/me.png", "{0}/in", "{0}/out"), "s3://bucket/: a package for such addresses is not installed"),
    ],
)
def test_what_cannot_start_is_exit_code_3_and_a_sentence(desk: Desk, words: Sequence[str], sentence: str) -> None:
    folder = str(desk.folder)

    assert desk.run("swap", *(word.format(folder) for word in words)) == 3
    assert desk.err.startswith(f"error: {sentence.format(folder)}")
    assert desk.jobs == []


def test_a_source_over_the_limit_of_bytes_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_LIMIT_REQUEST_BYTES", "1")

    assert desk.swap() == 3
    assert desk.err == "error: me.png: more than 1 bytes, which is PREDICTOR_LIMIT_REQUEST_BYTES\n"


def test_a_source_in_the_working_directory_is_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)

    assert desk.run("swap", "me.png", "in", "out") == 0
    assert desk.jobs[0][0].input == str(desk.folder / "in")


def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(desk: Desk) -> None:
    (desk.folder / "out/report.jsonl").mkdir(parents=True)

    assert desk.swap() == 3
    assert desk.err.startswith("error: report.jsonl cannot be written: ")


def test_without_the_extra_its_name_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(bulk_command, "find_spec", lambda name: None if name in {"ray", "pyarrow"} else real(name))

    assert desk.swap() == 3
    assert desk.err == "error: bulk needs the extra ray; not installed: pyarrow, ray\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", "0"), "'0' is no number from 1"),
        (("--cpus-per-worker", "1.5"), "'1.5' is no number from 1"),
        (("--gpus-per-worker", "1.5"), "'1.5' is no share of a card"),
        (("--gpus-per-worker", "-1"), "'-1' is no share of a card"),
        (("--gpus-per-worker", "x"), "'x' is no share of a card"),
        (("--pair", "1:1", "--source-face", "2"), "--pair: not together with"),
    ],
)
def test_what_is_no_option_is_a_wrong_command_line(desk: Desk, words: Sequence[str], sentence: str) -> None:
    with pytest.raises(SystemExit) as caught:
        desk.swap(*words)

    assert caught.value.code == 2
    assert sentence in desk._capture.readouterr().err
    assert desk.jobs == []


def test_help_teaches_without_importing_ray(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(SystemExit) as caught:
        desk.run("swap", "--help")

    told = desk._capture.readouterr().out
    assert caught.value.code == 0
    assert all(word in told for word in ("report.jsonl", "rejected.jsonl", "exit codes:", "RAY_ADDRESS"))
    assert "ray" not in sys.modules
