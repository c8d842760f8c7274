from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.scaling import bulk_progress
from predictor.scaling.bulk_places import Place, PlaceFailed
from predictor.scaling.bulk_progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def counted(progress: Progress, folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.png").write_bytes(b"x")
    progress.count(Place(str(folder)))
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread() and thread.name.endswith("(_count)"):
            thread.join(10)


def test_where_there_is_no_terminal_a_line_is_written_now_and_then(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(stream, line_seconds=0.0)
    counted(progress, tmp_path, 4)

    for state in ("done", "set_aside", "before"):
        progress.add(state)
    progress.close()

    assert stream.getvalue().splitlines() == [
        "1 of 4 pictures, 0 set aside",
        "2 of 4 pictures, 1 set aside",
        "3 of 4 pictures, 1 set aside",
    ]


def test_lines_keep_their_distance(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(stream, line_seconds=1000.0)
    counted(progress, tmp_path, 2)

    progress.add("done")

    assert stream.getvalue() == ""


def test_a_line_tells_the_rate_since_the_first_and_what_is_left(tmp_path: Path) -> None:
    progress = Progress(io.StringIO(), line_seconds=1000.0)
    counted(progress, tmp_path, 10)
    for state in ("before", "done", "done", "done"):
        progress.add(state)
    progress._first = 100.0

    assert progress.line(104.0) == "4 of 10 pictures, 0 set aside, 0.50 a second, about 12 s left"


def test_before_all_are_counted_it_says_how_many_there_are_at_least() -> None:
    progress = Progress(io.StringIO(), line_seconds=1000.0)
    progress._found = 1_200

    assert progress.line(time.monotonic()) == "0 of 1,200 or more pictures, 0 set aside"


def test_on_a_terminal_it_is_a_bar(tmp_path: Path) -> None:
    stream = Terminal()
    progress = Progress(stream, line_seconds=0.0)
    counted(progress, tmp_path, 2)

    progress.add("done")
    progress.add("set_aside")
    progress.close()

    assert "2/2" in stream.getvalue()
    assert "1 set aside" in stream.getvalue()
    assert " of " not in stream.getvalue()


def test_a_place_that_cannot_be_listed_is_for_the_run_to_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: Place) -> None:
        raise PlaceFailed("no")

    monkeypatch.setattr(bulk_progress, "listed", fail)
    progress = Progress(io.StringIO())
    counted(progress, tmp_path, 0)

    assert progress.line(0.0) == "0 of 0 or more pictures, 0 set aside"


def test_where_nothing_is_finished_for_long_it_is_told_what_the_run_waits_for() -> None:
    stream = io.StringIO()
    progress = Progress(stream, silence_seconds=0.0)

    progress.wait("processors: 3")
    assert progress._silence is not None
    progress._silence.join()
    progress.close()

    assert stream.getvalue() == (
        "nothing is finished yet: workers load their models, or wait for a node with processors: 3 free\n"
    )


@pytest.mark.parametrize("ends", [lambda progress: progress.add("done"), Progress.close])
def test_where_something_is_finished_nobody_is_told_of_waiting(ends: Callable[[Progress], None]) -> None:
    progress = Progress(io.StringIO(), silence_seconds=1000.0)
    progress.wait("processors: 3")
    waiting = progress._silence
    assert waiting is not None

    ends(progress)

    waiting.join(10)
    assert not waiting.is_alive()
    progress.close()
