from __future__ import annotations

import threading
import time
from pathlib import Path

from predictor.weights import locks
from predictor.weights.locks import locked


def test_the_second_waits_until_the_first_is_done_and_says_so_once(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with locked(tmp_path / "a", waiting.set):
            order.append("second")

    with locked(tmp_path / "a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_many_at_once_are_in_the_block_one_at_a_time(tmp_path: Path) -> None:
    inside, most, done = [0], [0], [0]

    def work() -> None:
        for _ in range(10):
            with locked(tmp_path / "a"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1
                done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert (most[0], done[0]) == (1, 60)


def test_different_files_do_not_wait_for_each_other_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with locked(tmp_path / "a"), locked(tmp_path / "b"):
        assert len(list(tmp_path.iterdir())) == 2

    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_left_by_a_process_that_died_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").touch()

    with locked(tmp_path / "a"):
        pass

    assert not (tmp_path / ".a.lock").exists()


def test_a_lock_whose_file_is_gone_by_now_is_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".a.lock"
    with lock.open("w") as opened:
        lock.unlink()

        assert not locks._is_still(lock, opened.fileno())
